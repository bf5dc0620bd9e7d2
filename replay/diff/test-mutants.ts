/**
 * Proof that `diff` finds the first instruction: engines with one small mistake each, on traces of the corpus; what it finds is
 * compared with a walk by single ticks that looks at everything each time (test-mutant.ts).
 *
 *   npx tsx replay/diff/test-mutants.ts [--count N] [--seed N] [--workers N] [--only ID]... [--trace NAME]...
 *
 * Mutants that do nothing in these traces are passed over; it goes on until N (default 100) differ. Status 1 when one is found in
 * another place than by the walk. Takes about an hour of one processor. Do not change the engine meanwhile.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { REPOSITORY, readSources } from '../../properties/checks/sources.js';
import { choose } from '../../properties/mutants/choose.js';
import { EQUIVALENT } from '../../properties/mutants/equivalent.js';
import { type Mutant, mutantsOf } from '../../properties/mutants/sites.js';
import type { Judgement, Task } from './test-mutant.js';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '100' },
    seed: { type: 'string', default: '86' },
    workers: { type: 'string', default: '1' },
    only: { type: 'string', multiple: true },
    trace: { type: 'string', multiple: true, default: ['strings', 'numeric', 'faults', 'rings', 'paging', 'v86', 'tasks'] },
  },
});

/** What these traces execute: SIMD, 64-bit code and most devices are not in them. */
const EXECUTED =
  /^engine\/(isa\/(?!simd)|cpu\/(?!long|cpuid|sysenter|registers|breakpoints|executed)|mmu\/(?!written|watches|peek)|translate)/;
/** Mistakes in snapshots: their own tests find them. */
const OF_SNAPSHOTS = /snapshot|not-saved|not-restored/;
/** Some mutants never come to an end: of the run that shows whether one does anything, and of all that follows. */
const RUN_LIMIT_MS = 40_000;
const SEARCH_LIMIT_MS = 300_000;
/** An engine that was loaded stays in memory. */
const MUTANTS_PER_PROCESS = 30;

const wanted = Number(values.count);
const say = (line: string): void => void process.stdout.write(`${line}\n`);

function chosen(): readonly Mutant[] {
  const sites = readSources(REPOSITORY).flatMap(mutantsOf);
  if (values.only !== undefined) return sites.filter(({ id }) => values.only?.includes(id));
  const executed = sites.filter(({ id, path }) => EXECUTED.test(path) && !OF_SNAPSHOTS.test(id) && !(id in EQUIVALENT));
  return choose(executed, executed.length, Number(values.seed));
}

/** A process that judges one mutant after the other. */
class Judge {
  private process = this.start();
  private judged = 0;

  private start(): ReturnType<typeof fork> {
    const file = fileURLToPath(new URL('test-mutant.ts', import.meta.url));
    return fork(file, [], { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  }

  close(): void {
    this.process.kill('SIGKILL');
  }

  async judge(task: Task): Promise<Judgement> {
    if (this.judged++ === MUTANTS_PER_PROCESS) this.restart();
    const judge = this.process;
    const judgement = await new Promise<Judgement>((resolve) => {
      const bound = (milliseconds: number): NodeJS.Timeout =>
        setTimeout(() => resolve({ kind: 'broken', text: `no end after ${milliseconds / 1000} s` }), milliseconds);
      let timer = bound(RUN_LIMIT_MS);
      judge.on('message', (found: Judgement | 'differs') => {
        clearTimeout(timer);
        if (found === 'differs') timer = bound(SEARCH_LIMIT_MS);
        else resolve(found);
      });
      judge.once('exit', (code, signal) => {
        clearTimeout(timer);
        resolve({ kind: 'broken', text: `the process ended with ${signal ?? code}` });
      });
      judge.send(task);
    });
    judge.removeAllListeners();
    if (judgement.kind === 'broken') this.restart();
    return judgement;
  }

  private restart(): void {
    this.close();
    this.process = this.start();
    this.judged = 1;
  }
}

const counts = { exact: 0, wrong: 0, nothing: 0, broken: 0, looks: 0 };
const mutants = chosen().values();
async function work(): Promise<void> {
  const judge = new Judge();
  try {
    for (const mutant of mutants) {
      if (counts.exact + counts.wrong >= wanted) break;
      const { kind, text } = await judge.judge({ mutant, traces: values.trace });
      counts[kind]++;
      if (kind === 'nothing') continue;
      const { exact, wrong } = counts;
      const tried = Object.values(counts).reduce((sum, count) => sum + count, 0);
      say(`[${exact + wrong}/${wanted}, of ${tried}] ${kind === 'wrong' ? 'WRONG' : kind}  ${mutant.id}: ${text}`);
    }
  } finally {
    judge.close();
  }
}

await Promise.all(Array.from({ length: Number(values.workers) }, work));
const { exact, wrong, nothing, broken, looks } = counts;
say(
  `${exact + wrong} differ, ${exact} of them found exactly; ${nothing} do nothing in these traces, ${broken} do not run, ${looks} show by looking alone`,
);
process.exitCode = wrong > 0 || (values.only === undefined && exact < wanted) ? 1 : 0;
