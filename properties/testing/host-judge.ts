/**
 * The processor of the host as a judge: a C program beside the test, built with gcc, that reads records from standard
 * input, executes one instruction for each on the host, and writes what came out. A test that asks it is skipped, or
 * fails in CI, where that cannot be done (system-tool.ts).
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { arch, platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { missing, requireTool } from './system-tool.js';

const ANSWER_LIMIT_BYTES = 1 << 28;

export class HostJudge {
  private folder: string | undefined;

  /** @param source the C file */
  constructor(private readonly source: URL) {}

  /** Call it inside a test; one call for many records, since starting a process costs more than what it computes. */
  ask(records: Uint8Array): Buffer {
    const { stdout, stderr, status } = spawnSync(this.program(), { input: records, maxBuffer: ANSWER_LIMIT_BYTES });
    if (status !== 0) throw new Error(`the judge ended with ${status}: ${stderr.toString()}`);
    return stdout;
  }

  private program(): string {
    const compiler = requireTool('gcc');
    if (arch() !== 'x64' || platform() !== 'linux') missing('the host is no x86-64 Linux');
    const built = this.folder !== undefined;
    this.folder ??= mkdtempSync(join(tmpdir(), 'host-judge-'));
    const program = join(this.folder, 'judge');
    if (!built) {
      // The programs execute foreign code on their own stack.
      const { stderr } = spawnSync(compiler, ['-O1', '-mno-red-zone', '-o', program, fileURLToPath(this.source)], { encoding: 'utf8' });
      if (stderr !== '') throw new Error(stderr);
    }
    return program;
  }

  /** After all tests. */
  close(): void {
    if (this.folder !== undefined) rmSync(this.folder, { recursive: true });
    this.folder = undefined;
  }
}
