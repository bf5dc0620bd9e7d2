/** A copy of the repository's files in which a mutant can be put to the test; what is installed is linked to. */
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { REPOSITORY } from '../checks/sources.js';
import { type Mutant, mutated } from './sites.js';
import type { Check } from './suite.js';

export interface CheckResult {
  readonly passed: boolean;
  readonly timedOut: boolean;
  readonly milliseconds: number;
  readonly output: string;
}

const VITEST = ['run', '--bail=1', '--pool=threads', '--no-isolate', '--maxWorkers=1', '--reporter=dot', '--configLoader=runner'];
/** Needs another program, and repeats what others check. */
const EXCLUDED_TESTS = ['engine/browser.test.ts'];

export class Tree {
  private readonly folder = mkdtempSync(join(tmpdir(), 'replay86-mutants-'));
  private running: number | undefined;
  private original: { readonly path: string; readonly text: string } | undefined;

  constructor() {
    const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: REPOSITORY,
      encoding: 'utf8',
    });
    for (const file of files.split('\0')) {
      if (file === '') continue;
      mkdirSync(dirname(join(this.folder, file)), { recursive: true });
      cpSync(join(REPOSITORY, file), join(this.folder, file));
    }
    symlinkSync(join(REPOSITORY, 'node_modules'), join(this.folder, 'node_modules'));
  }

  /** The digests that `cases.ts` keeps. */
  private get digests(): string {
    return join(this.folder, 'case-digests.json');
  }

  get casesOfThis(): string {
    return readFileSync(this.digests, 'utf8');
  }
  takeCasesOf(other: Tree): void {
    writeFileSync(this.digests, other.casesOfThis);
  }

  /** Runs engine and model, for `check` to compare with. */
  recordCases(): Promise<CheckResult> {
    return this.node(['--import', 'tsx', 'properties/mutants/cases.ts', 'record', this.digests], Number.POSITIVE_INFINITY);
  }

  check(check: Check, limitMs: number): Promise<CheckResult> {
    if (check.kind === 'cases') {
      return this.node(['--import', 'tsx', 'properties/mutants/cases.ts', 'check', this.digests, check.families], limitMs);
    }
    const excluded = EXCLUDED_TESTS.map((path) => `--exclude=${path}`);
    return this.node(['node_modules/vitest/vitest.mjs', ...VITEST, ...excluded, ...check.filters], limitMs);
  }

  put(mutant: Mutant): void {
    const path = join(this.folder, mutant.path);
    const text = readFileSync(path, 'utf8');
    if (!text.startsWith(mutant.before, mutant.from)) throw new Error(`${mutant.path} has changed since the mutants were made`);
    writeFileSync(path, mutated(text, mutant));
    this.original = { path, text };
  }

  takeBack(): void {
    if (this.original !== undefined) writeFileSync(this.original.path, this.original.text);
    this.original = undefined;
  }

  private node(parameters: readonly string[], limitMs: number): Promise<CheckResult> {
    const startMs = performance.now();
    return new Promise((resolve, reject) => {
      // A group of its own, so that a time limit ends all of it.
      const child = spawn(process.execPath, parameters, { cwd: this.folder, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
      this.running = child.pid;
      let output = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (data: Buffer) => {
          if (output.length < 100_000) output += data.toString('utf8');
        });
      }
      let timedOut = false;
      const timer = Number.isFinite(limitMs)
        ? setTimeout(() => {
            timedOut = true;
            this.stop();
          }, limitMs)
        : undefined;
      child.on('error', reject);
      child.on('close', (status) => {
        clearTimeout(timer);
        this.running = undefined;
        resolve({ passed: status === 0, timedOut, milliseconds: performance.now() - startMs, output });
      });
    });
  }

  private stop(): void {
    if (this.running !== undefined) process.kill(-this.running, 'SIGKILL');
  }

  remove(): void {
    this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
