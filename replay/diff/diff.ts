/**
 * A trace on two machines: tiers of this engine, or this engine and another build of it. Says where they first differ.
 */
import type { Tier } from '../../engine/index.js';
import type { Trace } from '../../traces/index.js';
import { buildMachine } from '../build-machine.js';
import { requireReplayable } from '../compatibility.js';
import { TraceImages } from '../images.js';
import { configOfTrace } from '../machine-setup.js';
import type { CreateMachine } from './engine-build.js';
import { type Difference, type Disassemble, explain } from './explain.js';
import { Pair } from './pair.js';
import { findFirstDifference, type SearchOptions } from './search.js';
import { type DiffMachine, Side } from './side.js';

/** How the machine of one side is made. */
export interface SideChoice {
  readonly name: string;
  readonly tier: Tier;
  /** Default: this engine. */
  readonly create?: CreateMachine | undefined;
}

export interface DiffOptions extends SearchOptions {
  /** A folder where images are looked for first, by their file name or their sha256. */
  readonly imagesDirectory?: string | undefined;
  readonly disassemble: Disassemble;
  /** Called when a difference is found, with the left machine as it stands at `commonTick`; it is to be left so. */
  readonly atCommonTick?: ((machine: DiffMachine) => void) | undefined;
  /** Nothing behind it is compared. Default: one tick more than the trace has, to see whether the guest ends there. */
  readonly lastTick?: number | undefined;
}

/**
 * @returns undefined when they do the same all along
 * @throws TraceError when an image is missing or has changed, or the trace is from a later version; the reason of `signal`
 */
export async function diffTrace(
  trace: Trace,
  [left, right]: readonly [SideChoice, SideChoice],
  { imagesDirectory, disassemble, atCommonTick, lastTick = trace.coveredTo.tick + 1, ...search }: DiffOptions,
): Promise<Difference | undefined> {
  requireReplayable(trace.header.engineVersion);
  const images = new TraceImages(trace, imagesDirectory);
  try {
    const side = ({ name, tier, create = buildMachine }: SideChoice): Side =>
      new Side(name, create(configOfTrace(trace.header, images, tier)), trace);
    const open = (goesBackBy?: 'reopening'): Pair =>
      new Pair(
        () => side(left),
        () => side(right),
        goesBackBy,
      );
    // Tiers differ in blocks only: in single steps they are the same machine.
    const steps = left.create === right.create ? { everyTickLimit: 0 } : {};
    const found = await findFirstDifference(open, lastTick, { ...steps, ...search });
    return found === undefined ? undefined : explain(found, disassemble, atCommonTick);
  } finally {
    images.close();
  }
}
