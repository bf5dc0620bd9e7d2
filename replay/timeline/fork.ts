/**
 * A diversion: a machine that leaves a recorded run at some tick and goes on alive, with changes made to it. Changes come in
 * through the one door, as an input (engine/changes.ts). So a recorded diversion is a trace like any other: what the
 * recording had up to there, the changes, what happened then; it replays from tick 0 and needs no snapshot.
 */
import {
  CHANGES_DEVICE,
  type Changes,
  type ExitReason,
  encodeChanges,
  type Machine,
  type MachineConfig,
  type RunUntil,
} from '../../engine/index.js';
import { createTraceFile, nodeCodec, type Trace, type TraceEnd, type TraceSink, TraceWriter } from '../../traces/index.js';
import { buildMachine } from '../build-machine.js';
import type { RunEnd } from '../exit-status.js';
import { Recorder } from '../recorder.js';
import { firstAtOrAfter } from '../sorted.js';

export interface Fork {
  readonly machine: Machine;
  readonly startTick: number;
  /** Where input and `run` go: what records the machine, or the machine itself. */
  readonly through: Pick<Machine, 'run' | 'input'>;
  /** More changes, at the present tick. @throws InputError */
  change(changes: Changes): void;
  run(until: RunUntil): ExitReason;
  /** Ends the recording, if there is one. */
  finish(end: RunEnd): void;
  /** Leaves the recording, if there is one, as it is: incomplete. */
  abandon(): void;
}

interface Target {
  readonly writer: TraceWriter;
  finish(end: TraceEnd): void;
  close(): void;
}

function openTarget(to: string | TraceSink, trace: Trace): Target {
  if (typeof to === 'string') return createTraceFile(to, trace.header);
  const writer = new TraceWriter(to, trace.header, nodeCodec);
  return { writer, finish: (end) => writer.end(end), close() {} };
}

/** The recorded machine stands at the first moment of a tick. */
export function forkMachine(trace: Trace, recorded: Machine, config: MachineConfig, changes: Changes, to?: string | TraceSink): Fork {
  const machine = buildMachine(config);
  machine.restore(recorded.save());
  const startTick = machine.tick;
  const target = to === undefined ? undefined : openTarget(to, trace);
  try {
    if (target !== undefined) {
      for (const [sha256, image] of trace.images) target.writer.image(sha256, image);
      copyEvents(trace, target.writer, machine);
    }
    const recorder = target && new Recorder(machine, target.writer);
    const through = recorder ?? machine;
    const change = (more: Changes): void => {
      const payload = encodeChanges(more);
      if (payload.length > 0) through.input(CHANGES_DEVICE, payload);
    };
    change(changes);
    return {
      machine,
      startTick,
      through,
      change,
      run: (until) => through.run(until),
      finish(end) {
        if (recorder !== undefined) target?.finish(recorder.finish(end));
      },
      abandon: () => target?.close(),
    };
  } catch (error) {
    target?.close();
    throw error;
  }
}

/** Everything before the present tick of the machine. */
function copyEvents({ interrupts, inputs, digests, flushes }: Trace, writer: TraceWriter, { tick, nowNs: ns }: Machine): void {
  let [interruptAt, inputAt, digestAt] = [0, 0, 0];
  const upTo = (endTick: number): void => {
    for (const end = firstAtOrAfter(interrupts.ticks, endTick); interruptAt < end; interruptAt++) {
      writer.interrupt({ tick: interrupts.ticks[interruptAt] as number, vector: interrupts.vectors[interruptAt] as number });
    }
    for (let input = inputs[inputAt]; input !== undefined && input.tick < endTick; input = inputs[++inputAt]) writer.input(input);
    for (const end = firstAtOrAfter(digests.ticks, endTick); digestAt < end; digestAt++) {
      writer.digest(digests.ticks[digestAt] as number, digests.values[digestAt] as bigint);
    }
  };
  // As often as the recording was flushed: a segment has its limits.
  for (const { to } of flushes) {
    if (to.tick >= tick) break;
    upTo(to.tick);
    writer.flush(to);
  }
  upTo(tick);
  writer.flush({ tick, ns });
}
