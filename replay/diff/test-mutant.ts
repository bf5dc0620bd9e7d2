/**
 * One mutant of the engine after the other, as they come from test-mutants.ts: what `diff` finds on the first trace in which it does
 * something, against a walk by single ticks that looks at everything each time.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { MachineConfig } from '../../engine/index.js';
import { disassemble } from '../../properties/assembler/index.js';
import { REPOSITORY } from '../../properties/checks/sources.js';
import { type Mutant, mutated } from '../../properties/mutants/sites.js';
import { type OpenTrace, openTraceFile } from '../../traces/index.js';
import { buildMachine } from '../build-machine.js';
import { TraceImages } from '../images.js';
import { configOfTrace } from '../machine-setup.js';
import { diffTrace } from './diff.js';
import { type CreateMachine, loadEngineBuild } from './engine-build.js';
import { Side } from './side.js';

export interface Task {
  readonly mutant: Mutant;
  readonly traces: readonly string[];
}

export interface Judgement {
  /** `looks`: nothing happens unless one asks which frames were written, and then wherever one asks. */
  readonly kind: 'exact' | 'wrong' | 'nothing' | 'broken' | 'looks';
  readonly text: string;
}

/** What a walk is made up to. */
const WALK_LIMIT_TICKS = 60_000;
/** Of digests, the first; it doubles. */
const SPACING_TICKS = 2 ** 12;

interface Run {
  readonly name: string;
  readonly trace: OpenTrace;
  readonly config: MachineConfig;
  readonly lastTick: number;
  /** Of this engine, on its way. */
  readonly digests: readonly bigint[];
}

const runs = new Map<string, Run>();

function runOf(name: string): Run {
  const known = runs.get(name);
  if (known !== undefined) return known;
  const trace = openTraceFile(join(REPOSITORY, 'traces/corpus', `${name}.trace`));
  const config = configOfTrace(trace.header, new TraceImages(trace), 'auto');
  const lastTick = Math.min(WALK_LIMIT_TICKS, trace.coveredTo.tick);
  const run = { name, trace, config, lastTick, digests: [...digestsOf(trace, buildMachine, config, lastTick)] };
  runs.set(name, run);
  return run;
}

function* digestsOf(trace: OpenTrace, create: CreateMachine, config: MachineConfig, lastTick: number): Iterable<bigint> {
  const side = new Side('', create(config), trace);
  for (let distance = SPACING_TICKS; side.tick < lastTick && side.ended === undefined; distance *= 2) {
    side.advanceTo(Math.min(side.tick + distance, lastTick));
    yield side.machine.digest();
  }
}

function doesNothing({ trace, config, lastTick, digests }: Run, create: CreateMachine): boolean {
  let at = 0;
  for (const digest of digestsOf(trace, create, config, lastTick)) if (digest !== digests[at++]) return false;
  return at === digests.length;
}

/**
 * The first tick at which everything is not the same; undefined if there is none up to `lastTick`.
 * @param looks at memory as well. To ask which frames have been written makes the next write to each of them a slow one: where the
 *   mistake is in the TLB, that alone can bring it out.
 */
function walk({ config }: Run, create: CreateMachine, lastTick: number, looks: 'at memory' | 'at states'): number | undefined {
  const machines = [buildMachine(config), create(config)] as const;
  const trackers = looks === 'at memory' ? machines.map((machine) => machine.trackFrames()) : [];
  const [one, other] = machines;
  for (let tick = 0; ; ) {
    const frames = trackers.flatMap((tracker) => [...tracker.take()]);
    const same =
      one.tick === other.tick &&
      isDeepStrictEqual(one.saveWithoutMemory(), other.saveWithoutMemory()) &&
      frames.every((frame) => Buffer.compare(one.frameBytes(frame), other.frameBytes(frame)) === 0);
    if (!same) return Math.min(Math.max(one.tick, other.tick), Math.max(tick + 1, Math.min(one.tick, other.tick)));
    tick = one.tick;
    if (tick >= lastTick) return undefined;
    const ends = machines.map((machine) => machine.run({ tick: tick + 1 }).kind);
    if (ends[0] !== ends[1]) return tick + 1;
    if (ends[0] !== 'limit') return undefined;
  }
}

/** Whether fresh machines differ at a tick, run there in one go from another. */
function differsAt({ config }: Run, create: CreateMachine, fromTick: number, tick: number): boolean {
  const [one, other] = [buildMachine(config), create(config)].map((machine) => {
    const tracker = machine.trackFrames();
    for (const stop of [fromTick, tick]) if (machine.tick < stop) machine.run({ tick: stop });
    const frames = [...tracker.take()].sort((a, b) => a - b).map((frame) => [frame, machine.frameBytes(frame)] as const);
    return { state: machine.saveWithoutMemory(), frames };
  });
  return !isDeepStrictEqual(one, other);
}

/** The guest goes another way though nobody looks at the machines on their way. */
const differsUnseen = (run: Run, create: CreateMachine, tick: number): boolean =>
  walk(run, create, tick, 'at states') !== undefined || differsAt(run, create, 0, tick);

async function judgeOn(run: Run, create: CreateMachine): Promise<Judgement | undefined> {
  const { name, trace, lastTick } = run;
  // Most mutants do nothing here: that is soon seen.
  if (doesNothing(run, create)) return undefined;
  process.send?.('differs');
  const sides = [
    { name: 'engine', tier: 'auto' },
    { name: 'mutant', tier: 'auto', create },
  ] as const;
  const found = await diffTrace(trace, sides, { disassemble, lastTick, everyTickLimit: WALK_LIMIT_TICKS });
  if (found === undefined) return { kind: 'wrong', text: `${name}: digests differ, no difference is found` };
  const { tick, commonTick, inOneStep, instruction, fields } = found;
  const expected = walk(run, create, inOneStep ? tick : lastTick, 'at memory');
  const right = inOneStep ? expected === tick : expected === undefined && differsAt(run, create, commonTick, tick);
  const what = `${instruction?.text ?? 'no instruction'}: ${fields
    .slice(0, 3)
    .map(({ field }) => field)
    .join(', ')}`;
  const text = `${name} tick ${tick}${inOneStep ? '' : ' (in one go)'}${right ? '' : `, the walk says ${expected}`}: ${what}`;
  if (!right && !differsUnseen(run, create, tick)) return { kind: 'looks', text };
  return { kind: right ? 'exact' : 'wrong', text };
}

async function engineWith(mutant: Mutant): Promise<{ readonly create: CreateMachine; readonly folder: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'replay86-diff-'));
  cpSync(join(REPOSITORY, 'engine'), join(folder, 'engine'), { recursive: true, filter: (path) => !path.endsWith('.test.ts') });
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  const file = join(folder, mutant.path);
  writeFileSync(file, mutated(readFileSync(file, 'utf8'), mutant));
  try {
    return { folder, create: await loadEngineBuild(join(folder, 'engine/index.ts')) };
  } catch (error) {
    rmSync(folder, { recursive: true });
    throw error;
  }
}

async function judge({ mutant, traces }: Task): Promise<Judgement> {
  // This engine first: what it throws is no fault of the mutant.
  const all = traces.map(runOf);
  try {
    const { create, folder } = await engineWith(mutant);
    try {
      for (const run of all) {
        const judgement = await judgeOn(run, create);
        if (judgement !== undefined) return judgement;
      }
      return { kind: 'nothing', text: '' };
    } finally {
      rmSync(folder, { recursive: true });
    }
  } catch (error) {
    // A mutant that throws has no state to compare.
    return { kind: 'broken', text: String(error).split('\n')[0] ?? '' };
  }
}

process.on('message', (task: Task) => {
  void judge(task).then((judgement) => process.send?.(judgement));
});
