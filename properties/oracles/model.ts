/**
 * The reference model as an oracle (properties/model). User arena: a case is over with its first exception. System arena:
 * exceptions and interrupts are delivered through the IDT until the processor halts or shuts down.
 */
import { type Cpu, type Environment, ModelException, VECTOR } from '../model/cpu.js';
import { PhysicalMemory } from '../model/memory.js';
import { OPCODES } from '../model/opcodes.js';
import { type EventSink, Processor } from '../model/processor.js';
import {
  deliverDebugTrap,
  deliverException,
  deliverInterrupt,
  deliverSoftwareInterrupt,
  recordException,
} from '../model/system/deliver.js';
import { ARENA_BYTES, fillUserMemory, type Window, windowsBytes } from '../state/arena.js';
import { CPU_STATE, CPU_STATE_BYTES } from '../state/cpu-state.js';
import { fillSystemMemory } from '../state/system-arena.js';
import { type Arena, type CaseBatch, END, type OfferedInterrupt, type Oracle, type Outcomes } from './oracle.js';

/** There is no IDT in the user arena: breakpoint and overflow end a case behind their instruction, INT n cannot be used. */
const USER_EVENTS: EventSink = {
  softwareInterrupt(cpu: Cpu, vector: number, kind: 'int' | 'int3' | 'into' | 'int1'): void {
    if (kind === 'int') cpu.raise(VECTOR.gp, vector * 8 + 2);
    throw new ModelException(vector, undefined, 0n, 'trap');
  },
};

const SYSTEM_EVENTS: EventSink = { softwareInterrupt: deliverSoftwareInterrupt };

/** A case's surroundings: time is its ticks, a nanosecond each, and nobody claims a port. */
class CaseEnvironment implements Environment {
  readonly msrs = new Map<number, bigint>();
  tick = 0;

  timeNs(): bigint {
    return BigInt(this.tick);
  }
  readPort(_port: number, bytes: 1 | 2 | 4): number {
    return 2 ** (8 * bytes) - 1;
  }
  writePort(): void {}
}

/** A processor whose memory has room for one set of windows. */
interface Bench {
  readonly windows: readonly Window[];
  readonly environment: CaseEnvironment;
  readonly processor: Processor;
}

function createBench(arena: Arena, windows: readonly Window[]): Bench {
  const background = new Uint8Array(ARENA_BYTES);
  if (arena === 'user') fillUserMemory(background);
  else fillSystemMemory(background);
  const environment = new CaseEnvironment();
  const events = arena === 'user' ? USER_EVENTS : SYSTEM_EVENTS;
  return { windows, environment, processor: new Processor(new PhysicalMemory(background, windows), environment, events, OPCODES) };
}

const sameWindows = (one: readonly Window[], other: readonly Window[]): boolean =>
  one === other ||
  (one.length === other.length && one.every(({ address, bytes }, i) => other[i]?.address === address && other[i]?.bytes === bytes));

export class ModelOracle implements Oracle {
  readonly name = 'model';
  readonly countsTicks = true;
  readonly #benches = new Map<Arena, Bench>();

  refuses(): undefined {
    return undefined;
  }

  run(batch: CaseBatch, outcomes: Outcomes): void {
    const bench = this.#benchFor(batch);
    const { processor, environment } = bench;
    const { windows, records, tickLimit, interrupts = [] } = batch;
    const recordBytes = CPU_STATE_BYTES + windowsBytes(windows);
    outcomes.strayWrites.length = 0;
    for (let number = 0; number < batch.count; number++) {
      const at = number * recordBytes;
      enter(bench, records, at);
      let exception: ModelException | undefined;
      let end: number;
      if (batch.arena === 'user') {
        exception = runUser(bench, tickLimit);
        end = exception === undefined ? END.limit : END.exception;
      } else end = runSystem(bench, tickLimit, interrupts);
      leave(bench, number, at, outcomes);
      outcomes.ends[number] = end;
      outcomes.ticks[number] = environment.tick;
      outcomes.vectors[number] = exception?.vector ?? 0;
      outcomes.errorCodes[number] = exception?.errorCode ?? 0;
      outcomes.policies.set(processor.policies, number * processor.policies.length);
    }
  }

  close(): void {
    this.#benches.clear();
  }

  #benchFor({ arena, windows }: CaseBatch): Bench {
    const known = this.#benches.get(arena);
    if (known !== undefined && sameWindows(known.windows, windows)) return known;
    const bench = createBench(arena, windows);
    this.#benches.set(arena, bench);
    return bench;
  }
}

export const modelOracle = (): Oracle => new ModelOracle();

function enter({ processor, environment, windows }: Bench, records: Uint8Array, at: number): void {
  processor.state.bytes.set(records.subarray(at, at + CPU_STATE_BYTES));
  let from = at + CPU_STATE_BYTES;
  for (const { address, bytes } of windows) {
    processor.memory.bytes.set(records.subarray(from, from + bytes), address);
    from += bytes;
  }
  processor.policies.fill(0);
  environment.tick = 0;
  if (environment.msrs.size > 0) environment.msrs.clear();
}

function leave({ processor: { state, memory }, windows }: Bench, number: number, at: number, outcomes: Outcomes): void {
  outcomes.records.set(state.bytes, at);
  let to = at + CPU_STATE_BYTES;
  for (const { address, bytes } of windows) {
    outcomes.records.set(memory.bytes.subarray(address, address + bytes), to);
    to += bytes;
  }
  if (!memory.hasWrittenOutside) return;
  for (const address of memory.strayAddresses()) outcomes.strayWrites.push(number, address, memory.bytes[address]!);
  memory.restore();
}

/** @returns what ended the case; undefined at the tick limit */
function runUser({ processor, environment }: Bench, tickLimit: number): ModelException | undefined {
  while (environment.tick < tickLimit) {
    let exception = processor.executeOne();
    if (exception === undefined) {
      environment.tick++;
      if (processor.debugTrap === 0) continue;
      exception = new ModelException(VECTOR.db, undefined, BigInt(processor.debugTrap), 'trap');
    }
    recordException(processor.state, exception);
    return exception;
  }
  return undefined;
}

/** @returns END.* */
function runSystem({ processor, environment }: Bench, tickLimit: number, interrupts: readonly OfferedInterrupt[]): number {
  const { state } = processor;
  let offered = 0;
  for (;;) {
    const offer = interrupts[offered];
    let delivery: 'delivered' | 'shutdown' = 'delivered';
    if (offer !== undefined && offer.tick <= environment.tick && environment.tick < tickLimit && processor.acceptsInterrupts) {
      offered++;
      state.setU32(CPU_STATE.halted, 0);
      processor.beginDelivery();
      delivery = deliverInterrupt(processor, offer.vector);
    } else {
      if (state.u32(CPU_STATE.halted) !== 0) return END.halted;
      if (environment.tick >= tickLimit) return END.limit;
      const exception = processor.executeOne();
      if (exception === undefined) {
        environment.tick++;
        if (processor.debugTrap === 0) continue;
        processor.beginDelivery();
        delivery = deliverDebugTrap(processor, processor.debugTrap);
      } else {
        // A task switch is complete when the new task faults.
        if (exception.kind === 'newTask') environment.tick++;
        processor.beginDelivery();
        delivery = deliverException(processor, exception);
      }
    }
    environment.tick++;
    if (delivery === 'shutdown') return END.shutdown;
  }
}
