/**
 * The outside world of the weather station: sensors that send readings when they like. When that is comes from a seed, so
 * that a run which fails can be had again.
 */
import { createMachine, type ExitReason, type Machine, type MachineConfig } from '../../engine/index.js';
import { Recorder, type RunEnd, traceHeader } from '../../replay/index.js';
import { nodeCodec, TraceWriter } from '../../traces/index.js';

/** A processor of about 20 MHz. */
const nsPerTick = 50;
const bursts = 6;
const readingsPerBurst = 6;
const pauseNs = 3_000_000;
const sensors = 'abcdefgh';
/** Longer than the guest takes for what is left at the end. */
const restNs = 20_000_000;

function stationConfig(kernel: Uint8Array): MachineConfig {
  return { boot: { kind: 'multiboot', kernel, modules: [], commandLine: '' }, memoryBytes: 4 * 2 ** 20, nsPerTick };
}

/** Numbers from 0 to `limit - 1`, the same for the same seed (mulberry32). */
function generator(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

type Driven = Pick<Machine, 'run' | 'input'>;

/** Lets the guest run up to a moment of virtual time, whether it sleeps or works. */
function runTo(through: Driven, machine: Machine, ns: number): RunEnd | undefined {
  while (machine.nowNs < ns) {
    const reason: ExitReason = through.run({ ns, tick: machine.tick + Math.ceil((ns - machine.nowNs) / nsPerTick) });
    if (reason.kind !== 'limit' && reason.kind !== 'idle' && reason.kind !== 'stopped') return reason;
  }
  return undefined;
}

/** Readings in bursts, at times drawn from the seed. @returns how the guest ended, or that it still waits for more */
function feed(through: Driven, machine: Machine, seed: number): RunEnd {
  const random = generator(seed);
  const encoder = new TextEncoder();
  for (let burst = 0; burst < bursts; burst++) {
    const ended = runTo(through, machine, machine.nowNs + random(pauseNs));
    if (ended !== undefined) return ended;
    let text = '';
    for (let count = 1 + random(readingsPerBurst); count > 0; count--) text += `${sensors[random(sensors.length)]}${random(320)}\n`;
    through.input('serial0', encoder.encode(text));
  }
  return runTo(through, machine, machine.nowNs + restNs) ?? { kind: 'idle' };
}

export interface Attempt {
  readonly end: RunEnd;
  readonly tick: number;
  readonly digest: bigint;
  readonly serial: string;
  /** The trace of the run. */
  readonly trace: Uint8Array;
}

/** One run from power-on, recorded. */
export function attempt(kernel: Uint8Array, seed: number): Attempt {
  const config = stationConfig(kernel);
  const machine = createMachine(config);
  let serial = '';
  machine.onSerial = (_port, byte) => {
    serial += String.fromCharCode(byte);
  };
  const pieces: Uint8Array[] = [];
  const writer = new TraceWriter({ write: (bytes) => pieces.push(bytes.slice()) }, traceHeader(config), nodeCodec);
  const recorder = new Recorder(machine, writer);
  const end = feed(recorder, machine, seed);
  const last = recorder.finish(end);
  writer.end(last);
  return { end, tick: last.tick, digest: last.digest, serial, trace: Uint8Array.from(Buffer.concat(pieces)) };
}
