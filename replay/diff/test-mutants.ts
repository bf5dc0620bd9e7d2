/**
 * Proof that `diff` finds the first instruction: engines with one small mistake each, on traces of the corpus; what it finds is
 * compared with a walk by single ticks that looks at everything each time.
 *
 *   npx tsx replay/diff/test-mutants.ts [--count N] [--seed N] [--trace NAME]...
 *
 * Mutants that do nothing in these traces are passed over; it goes on until N (default 100) differ. Status 1 when one is
 * found in another place than by the walk.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import type { Machine } from '../../engine/index.js';
import { disassemble } from '../../properties/assembler/index.js';
import { REPOSITORY, readSources } from '../../properties/checks/sources.js';
import { choose } from '../../properties/mutants/choose.js';
import { EQUIVALENT } from '../../properties/mutants/equivalent.js';
import { type Mutant, mutantsOf, mutated } from '../../properties/mutants/sites.js';
import { type OpenTrace, openTraceFile } from '../../traces/index.js';
import { buildMachine } from '../build-machine.js';
import { TraceImages } from '../images.js';
import { configOfTrace } from '../machine-setup.js';
import { diffTrace } from './diff.js';
import { type CreateMachine, loadEngineBuild } from './engine-build.js';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '100' },
    seed: { type: 'string', default: '86' },
    trace: { type: 'string', multiple: true, default: ['strings', 'numeric', 'faults', 'rings', 'paging', 'v86', 'tasks'] },
  },
});

/** What a walk is made up to. */
const WALK_LIMIT_TICKS = 150_000;
/** Of what the guest can see: the rest of the engine is for debuggers, or decides nothing. */
const SEEN = /^engine\/(isa|cpu|float|mmu|translate|devices|clock)\//;

/** The first tick at which everything is not the same; undefined if there is none up to `lastTick`. */
function walk(trace: OpenTrace, create: CreateMachine, lastTick: number): number | undefined {
  const config = configOfTrace(trace.header, new TraceImages(trace), 'auto');
  const machines = [buildMachine(config), create(config)] as const;
  const trackers = machines.map((machine) => machine.trackFrames());
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

/**
 * Whether one step from the engine's state at a tick, put into fresh machines, leads to different ones. A mistake behind the
 * TLB or the code cache shows there first, and in a walk only when these miss.
 */
function differsAfresh(trace: OpenTrace, create: CreateMachine, tick: number): boolean {
  const config = configOfTrace(trace.header, new TraceImages(trace), 'auto');
  const guide = buildMachine(config);
  guide.run({ tick });
  const state = guide.save();
  const [one, other] = [buildMachine(config), create(config) as Machine].map((machine) => {
    machine.restore(state);
    machine.run({ tick: tick + 1 });
    return machine.save();
  });
  return !isDeepStrictEqual(one, other);
}

async function engineWith(mutant: Mutant): Promise<{ readonly create: CreateMachine; readonly folder: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'replay86-diff-'));
  cpSync(join(REPOSITORY, 'engine'), join(folder, 'engine'), { recursive: true, filter: (path) => !path.endsWith('.test.ts') });
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  const file = join(folder, mutant.path);
  writeFileSync(file, mutated(readFileSync(file, 'utf8'), mutant));
  return { folder, create: await loadEngineBuild(join(folder, 'engine/index.ts')) };
}

const sources = readSources(REPOSITORY);
const sites = sources.flatMap(mutantsOf).filter(({ id, path }) => SEEN.test(path) && !(id in EQUIVALENT));
const wanted = Number(values.count);
const say = (line: string): void => void process.stdout.write(`${line}\n`);
let [differing, wrong, broken] = [0, 0, 0];
for (const mutant of choose(sites, Math.min(sites.length, wanted * 8), Number(values.seed))) {
  if (differing >= wanted) break;
  const engine = await engineWith(mutant).catch(() => undefined);
  if (engine === undefined) {
    broken++;
    continue;
  }
  try {
    for (const name of values.trace) {
      const trace = openTraceFile(join(REPOSITORY, 'traces/corpus', `${name}.trace`));
      try {
        const sides = [
          { name: 'engine', tier: 'auto' },
          { name: 'mutant', tier: 'auto', create: engine.create },
        ] as const;
        const options = { disassemble, lastTick: Math.min(WALK_LIMIT_TICKS, trace.coveredTo.tick) };
        // Most mutants do nothing here: that is soon seen.
        if (diffTrace(trace, sides, { ...options, everyTickLimit: 0 }) === undefined) continue;
        const found = diffTrace(trace, sides, { ...options, everyTickLimit: WALK_LIMIT_TICKS });
        if (found === undefined) continue;
        const expected = walk(trace, engine.create, found.tick);
        differing++;
        const unseen = expected === undefined && (!found.inOneStep || differsAfresh(trace, engine.create, found.commonTick));
        const agrees = expected === undefined ? unseen : found.inOneStep && expected === found.tick;
        if (!agrees) wrong++;
        const how = found.inOneStep ? '' : ' (in one go)';
        const what = `${found.instruction?.text ?? 'no instruction'}: ${found.fields
          .map(({ field }) => field)
          .slice(0, 3)
          .join(', ')}`;
        say(
          `[${differing}/${wanted}] ${agrees ? 'exact' : `WRONG, the walk says ${expected}`}  ${mutant.id}: ${name} tick ${found.tick}${how}: ${what}`,
        );
        break;
      } finally {
        trace.close();
      }
    }
  } catch (error) {
    // A mutant that throws has no state to compare.
    broken++;
    say(`broken  ${mutant.id}: ${String(error).split('\n')[0]}`);
  } finally {
    rmSync(engine.folder, { recursive: true });
  }
}
say(`${differing} differ, ${differing - wrong} of them found exactly; ${broken} do not run`);
process.exitCode = wrong > 0 || differing < wanted ? 1 : 0;
