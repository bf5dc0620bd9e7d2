/**
 * Records a run into a trace.
 */
import type { Machine, MachineConfig } from '../engine/index.js';
import { createTraceFile, nodeCodec, type TraceEnd, type TraceHeader, type TraceSink, TraceWriter } from '../traces/index.js';
import { buildMachine } from './build-machine.js';
import type { RunEnd } from './exit-status.js';
import { type InputScript, inputScript, type ScriptLine } from './input-script.js';
import { type ImagePaths, traceHeader } from './machine-setup.js';
import { Recorder } from './recorder.js';
import { type LiveInput, type Progress, runSession } from './session.js';

export interface RecordOptions {
  readonly config: MachineConfig;
  /** Where the trace goes: a file that is created or overwritten, or a sink that takes its bytes as they come. */
  readonly to: string | TraceSink;
  /** Where the images are, by role (kernel, initrd, module0, bios, raw, disk, cdrom). A replay looks for them there first. */
  readonly imagePaths?: ImagePaths;
  /** Input, line after line: see input-script.ts. */
  readonly inputs?: readonly ScriptLine[] | undefined;
  /** The same, already read from a file. */
  readonly script?: InputScript | undefined;
  /** Input that arrives while the guest runs. */
  readonly live?: LiveInput | undefined;
  /** The run ends when this tick is reached. */
  readonly maxTicks?: number | undefined;
  /** Ticks between two digests. Default 2^27. */
  readonly digestIntervalTicks?: number | undefined;
  /** Holds the guest back when its time is ahead of the host's; never changes what it does. */
  readonly realtime?: boolean | undefined;
  /** Ends the recording, as 'interrupted'. What was recorded is whole. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Host time between two looks at everything else. Default 50 ms. Never changes the trace but for its chunks. */
  readonly sliceMs?: number | undefined;
  /** Called with the machine before it starts, to set its callbacks. */
  readonly prepare?: ((machine: Machine) => void) | undefined;
}

export interface RecordResult extends TraceEnd {
  readonly end: RunEnd;
  readonly machine: Machine;
}

/** Where a recording goes, and how it is finished or given up. */
interface Target {
  readonly writer: TraceWriter;
  finish(end: TraceEnd): void;
  close(): void;
}

/**
 * Runs a machine from power-on until it ends, `maxTicks` is reached or `signal` is aborted, and writes the trace as it goes: if
 * the process is killed, what was written about a second before still replays.
 * @throws TraceError, BootError or ScriptError, each with one line of text for the user.
 */
export async function record(options: RecordOptions): Promise<RecordResult> {
  const { config } = options;
  const script = [...(options.script ?? []), ...inputScript(options.inputs ?? [])];
  const machine = buildMachine(config);
  options.prepare?.(machine);
  const target = openTarget(options.to, traceHeader(config, options.imagePaths));
  try {
    const recorder = new Recorder(machine, target.writer, options.digestIntervalTicks);
    const end = await runSession({ ...options, machine, through: recorder, script });
    const record = recorder.finish(end);
    target.finish(record);
    return { ...record, end, machine };
  } catch (error) {
    target.close();
    throw error;
  }
}

function openTarget(to: string | TraceSink, header: TraceHeader): Target {
  if (typeof to === 'string') return createTraceFile(to, header);
  const writer = new TraceWriter(to, header, nodeCodec);
  return { writer, finish: (end) => writer.end(end), close() {} };
}
