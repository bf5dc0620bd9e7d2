/**
 * The child process in which going back and forth is measured, with what `npm run build` has compiled. Takes a TravelOrder,
 * answers { figures } or { error }.
 */
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { MemoryAccess, Timeline } from '../../replay/index.js';

export interface Cost {
  /** User and system, of all threads. */
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
}

/** One after the other. */
export interface Travels {
  readonly opening: Cost;
  readonly seeks: readonly Cost[];
  readonly reverseSteps: readonly Cost[];
  readonly lastWrites: readonly Cost[];
  /** Queries that found a write. */
  readonly found: number;
}

export interface Exploration extends Cost {
  readonly ticks: number;
  readonly checkpoints: number;
  readonly checkpointBytes: number;
  /** Of the file beside the trace, and how long writing it took. */
  readonly fileBytes: number;
  readonly keepSeconds: number;
}

export interface BreakpointTimes {
  /** Back from the end to the last hit. */
  readonly last: Cost;
  /** Back from the end to the beginning: the condition is looked at with every hit, and never true. */
  readonly all: Cost;
  readonly hits: number;
}

export type TravelOrder =
  | { readonly job: 'replay' | 'explore'; readonly trace: string }
  | { readonly job: 'travel'; readonly trace: string; readonly points: number; readonly queries: number; readonly seed: number }
  | { readonly job: 'breakpoint'; readonly trace: string; readonly address: number };
export type TravelFigures = Cost | Exploration | Travels | BreakpointTimes;
export type TravelAnswer = { readonly figures: TravelFigures } | { readonly error: string };

const PAGE_BYTES = 4096;
const repository = new URL(import.meta.url.includes('/dist/') ? '../../../' : '../../', import.meta.url);
const load = async (): Promise<typeof import('../../replay/index.js')> =>
  import(fileURLToPath(new URL('dist/replay/index.js', repository)));

/** Numbers from 0 to `limit - 1`, the same for the same seed (mulberry32, twice, as ticks have more than 32 bits). */
function generator(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  const word = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return (limit) => Math.floor(((word() + word() / 2 ** 32) / 2 ** 32) * limit);
}

async function costOf(body: () => unknown): Promise<Cost> {
  const [cpu, startMs] = [process.cpuUsage(), performance.now()];
  await body();
  const { user, system } = process.cpuUsage(cpu);
  return { cpuSeconds: (user + system) / 1e6, wallSeconds: (performance.now() - startMs) / 1000 };
}

async function replayed(path: string): Promise<Cost> {
  const { openTraceFile, replay } = await load();
  const trace = openTraceFile(path);
  const cost = await costOf(() => {
    if (replay(trace).divergence !== undefined) throw new Error('the replay differs');
  });
  trace.close();
  return cost;
}

async function explored(path: string): Promise<Exploration> {
  const { openTraceFile, openTimeline, checkpointsBeside } = await load();
  const trace = openTraceFile(path);
  let timeline: Timeline | undefined;
  const cost = await costOf(async () => {
    timeline = openTimeline(trace, { checkpointsPath: checkpointsBeside(path) });
    await timeline.seek(timeline.endTick);
  });
  const made = timeline as unknown as Timeline;
  const { all, usedBytes } = made.history.checkpoints;
  const figures = { ...cost, ticks: made.endTick, checkpoints: all.length, checkpointBytes: usedBytes };
  const keeping = await costOf(() => made.keepCheckpoints());
  made.close();
  trace.close();
  return { ...figures, keepSeconds: keeping.wallSeconds, fileBytes: statSync(checkpointsBeside(path)).size };
}

async function travelled(order: Extract<TravelOrder, { job: 'travel' }>): Promise<Travels> {
  const { openTraceFile, openTimeline, checkpointsBeside, Queries } = await load();
  const { trace: path } = order;
  const random = generator(order.seed);
  const trace = openTraceFile(path);
  let opened: Timeline | undefined;
  const opening = await costOf(() => {
    opened = openTimeline(trace, { checkpointsPath: checkpointsBeside(path) });
  });
  const timeline = opened as unknown as Timeline;
  if (timeline.history.exploredTo < timeline.endTick) throw new Error('the checkpoints beside the trace were not taken');

  const [seeks, reverseSteps]: [Cost[], Cost[]] = [[], []];
  for (let point = 0; point < order.points; point++) {
    const tick = 1 + random(timeline.endTick - 1);
    seeks.push(await costOf(() => timeline.seek(tick)));
    reverseSteps.push(await costOf(() => timeline.reverseStep()));
  }

  await timeline.seek(timeline.endTick);
  const { machine } = timeline;
  const queries = new Queries(timeline, { path });
  const lastWrites: Cost[] = [];
  let found = 0;
  const memoryBytes = machine.frameCount * PAGE_BYTES;
  while (lastWrites.length < order.queries) {
    const physical = random(memoryBytes);
    // Of a page that nobody has written there is nothing to look for.
    const page = machine.peekPhysical(physical - (physical % PAGE_BYTES), PAGE_BYTES);
    if (page.every((byte) => byte === 0)) continue;
    let write: MemoryAccess | undefined;
    const cost = await costOf(async () => {
      write = await queries.lastWrite({ physical });
    });
    lastWrites.push(cost);
    if (write !== undefined) found++;
  }
  await queries.close();
  timeline.close();
  trace.close();
  return { opening, seeks, reverseSteps, lastWrites, found };
}

async function overBreakpoint({ trace: path, address }: Extract<TravelOrder, { job: 'breakpoint' }>): Promise<BreakpointTimes> {
  const { openTraceFile, openTimeline } = await load();
  const trace = openTraceFile(path);
  const timeline = openTimeline(trace);
  await timeline.seek(timeline.endTick);
  const last = await costOf(() => timeline.backward([{ kind: 'breakpoint', address }]));
  await timeline.seek(timeline.endTick);
  let hits = 0;
  const when = (): boolean => {
    hits++;
    return false;
  };
  const all = await costOf(() => timeline.backward([{ kind: 'breakpoint', address, when }]));
  timeline.close();
  trace.close();
  return { last, all, hits };
}

function measure(order: TravelOrder): Promise<TravelFigures> {
  switch (order.job) {
    case 'replay':
      return replayed(order.trace);
    case 'explore':
      return explored(order.trace);
    case 'travel':
      return travelled(order);
    case 'breakpoint':
      return overBreakpoint(order);
  }
}

process.once('message', async (order: TravelOrder) => {
  let answer: TravelAnswer;
  try {
    answer = { figures: await measure(order) };
  } catch (error) {
    answer = { error: error instanceof Error ? error.message : String(error) };
  }
  process.send?.(answer, () => process.exit());
});
