/**
 * Replays a trace: the same machine, the same images, the same inputs, everything checked.
 */
import { ConfigError, type Machine, type Tier } from '../engine/index.js';
import { type Trace, TraceError } from '../traces/index.js';
import { buildMachine } from './build-machine.js';
import { requireReplayable } from './compatibility.js';
import { TraceImages } from './images.js';
import { configOfTrace } from './machine-setup.js';
import { type ReplayerOptions, type ReplayResult, replayOn } from './replayer.js';

export interface ReplayOptions extends ReplayerOptions {
  /** Execution tier; any gives the same result. Default 'auto'. */
  readonly tier?: Tier | undefined;
  /** A folder where images are looked for first, by their file name or their sha256. */
  readonly imagesDirectory?: string | undefined;
  /** Called with the machine before it starts, to set its callbacks. `onInterrupt` belongs to the replay. */
  readonly prepare?: ((machine: Machine) => void) | undefined;
}

/**
 * Runs a trace again and checks every interrupt and every digest, up to its end, to `to`, or to the first difference. A
 * trace whose recorder was killed replays as far as it is covered.
 * @throws TraceError when an image is missing or has changed, or the trace is from a later version.
 */
export function replay(trace: Trace, options: ReplayOptions = {}): ReplayResult {
  const { fileName } = trace.source;
  const images = new TraceImages(trace, options.imagesDirectory);
  try {
    requireReplayable(trace.header.engineVersion);
    const machine = buildMachine(configOfTrace(trace.header, images, options.tier ?? 'auto'));
    options.prepare?.(machine);
    return replayOn(machine, trace, options);
  } catch (error) {
    if (error instanceof ConfigError) throw new TraceError(`the machine in the header: ${error.message}`, { fileName });
    if (error instanceof TraceError && error.location.fileName === undefined)
      throw new TraceError(error.problem, { ...error.location, fileName });
    throw error;
  } finally {
    images.close();
  }
}
