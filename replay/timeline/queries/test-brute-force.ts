/**
 * Everything that happens in the first ticks of a run, found by taking one step after the other and looking: what queries are
 * judged by. Of the engine it uses the step tier and one watch over all of memory, which stays in place.
 */
import type { Machine, Tier } from '../../../engine/index.js';
import type { Trace } from '../../../traces/index.js';
import { buildMachine } from '../../build-machine.js';
import { TraceImages } from '../../images.js';
import { configOfTrace } from '../../machine-setup.js';
import { Playback, type TimelineEvents } from '../playback.js';

export interface SeenAccess {
  /** The step: it began at `tick` and ended at `endTick`. */
  readonly tick: number;
  readonly endTick: number;
  readonly ip: number;
  readonly physical: number;
  readonly write: boolean;
  /** What lay there before the step, and behind it. */
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

export interface SeenExecution {
  readonly tick: number;
  readonly ip: number;
  readonly esp: number;
  readonly eax: number;
  readonly privilege: number;
  /** The instruction. */
  readonly bytes: Uint8Array;
  /** Four bytes. */
  readonly stackTop: Uint8Array;
  readonly codeBits: 16 | 32;
  readonly codeBase: number;
}

export interface BruteForce {
  readonly endTick: number;
  readonly accesses: readonly SeenAccess[];
  readonly executions: readonly SeenExecution[];
}

export function machineOf(trace: Trace, tier: Tier): Machine {
  const images = new TraceImages(trace, undefined);
  try {
    return buildMachine(configOfTrace(trace.header, images, tier));
  } finally {
    images.close();
  }
}

const ipOf = ({ registers }: Machine): number => (registers.segmentBase('cs') + registers.get('eip')) >>> 0;

function executionOf(machine: Machine, tick: number, ip: number, bytes: Uint8Array): SeenExecution {
  const { registers } = machine;
  const esp = registers.get('esp');
  const sp = registers.stackBits === 32 ? esp : esp & 0xffff;
  const stackTop = machine.peekLinear((registers.segmentBase('ss') + sp) >>> 0, 4).slice();
  const { codeBits, privilege } = registers;
  return { tick, ip, esp, eax: registers.get('eax'), privilege, bytes, stackTop, codeBits, codeBase: registers.segmentBase('cs') };
}

/** @param machine fresh, of the step tier @throws when memory has changed where no write was heard of */
export function bruteForce(machine: Machine, events: TimelineEvents, limitTicks: number): BruteForce {
  const playback = new Playback(machine, events);
  const ramBytes = machine.frameCount * 4096;
  const endTick = Math.min(limitTicks, events.coveredTo.tick);
  const interrupts = new Set(events.interrupts.ticks);
  const accesses: SeenAccess[] = [];
  const executions: SeenExecution[] = [];
  let heard: { address: number; bytes: number; write: boolean }[] = [];
  machine.setWatches([{ address: 0, bytes: ramBytes, reads: true, writes: true }]);
  machine.onAccess = (access) => heard.push(access);
  const tracker = machine.trackFrames();
  const memory = new Uint8Array(ramBytes);
  const refresh = (frame: number): void => memory.set(machine.frameBytes(frame), frame * 4096);
  for (const frame of tracker.take()) refresh(frame);
  let repeatedIp = -1;
  while (machine.tick < endTick) {
    const { tick } = machine;
    const ip = ipOf(machine);
    const executes = !interrupts.has(tick);
    const bytes = machine.peekLinear(ip, 15).slice();
    if (executes && ip !== repeatedIp) executions.push(executionOf(machine, tick, ip, bytes));
    const repeats = executes && isRepeat(bytes);
    heard = [];
    playback.advanceTo(tick + 1);
    repeatedIp = repeats && ipOf(machine) === ip && machine.tick === tick + 1 ? ip : -1;
    const step = { tick, endTick: machine.tick, ip };
    const known = new Set<number>();
    for (const { address, bytes, write } of heard) {
      for (let at = address; at < address + bytes; at++) if (write) known.add(at);
      accesses.push({
        ...step,
        physical: address,
        write,
        before: memory.slice(address, address + bytes),
        after: machine.peekPhysical(address, bytes).slice(),
      });
    }
    for (const frame of tracker.take()) {
      const now = machine.frameBytes(frame);
      for (let offset = 0; offset < 4096; offset++) {
        const at = frame * 4096 + offset;
        if (now[offset] !== memory[at] && !known.has(at)) throw new Error(`tick ${tick}: nobody has written ${at.toString(16)}`);
      }
      refresh(frame);
    }
  }
  return { endTick, accesses, executions };
}

const PREFIXES = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);
/** INS, OUTS, MOVS, CMPS, STOS, LODS, SCAS. */
const isString = (opcode: number): boolean =>
  (opcode >= 0x6c && opcode <= 0x6f) || (opcode >= 0xa4 && opcode <= 0xa7) || (opcode >= 0xaa && opcode <= 0xaf);

function isRepeat(bytes: Uint8Array): boolean {
  let at = 0;
  while (PREFIXES.has(bytes[at] ?? 0)) at++;
  const prefixes = bytes.subarray(0, at);
  return (prefixes.includes(0xf2) || prefixes.includes(0xf3)) && isString(bytes[at] ?? 0);
}
