/**
 * The reference model as an oracle (properties/model). User arena: a case is over with its first exception. System arena:
 * exceptions and interrupts are delivered through the IDT until the processor halts or shuts down.
 */
import type { Cpu, Environment } from '../model/cpu.js';
import { ModelException, VECTOR } from '../model/cpu.js';
import { PhysicalMemory } from '../model/memory.js';
import { OPCODES } from '../model/opcodes.js';
import { type EventSink, Processor } from '../model/processor.js';
import { ARENA_BYTES, fillUserMemory, USER_WINDOWS, type Window, windowsBytes } from '../state/arena.js';
import { CPU_STATE_BYTES } from '../state/cpu-state.js';
import { type CaseBatch, END, type Oracle, type Outcomes } from './oracle.js';

/** User arena: the IDT is not there but for breakpoints and overflow; those end the case behind the instruction. */
const userSink: EventSink = {
  softwareInterrupt(cpu: Cpu, vector: number, kind: 'int' | 'int3' | 'into' | 'int1'): void {
    if (kind === 'int') cpu.raise(VECTOR.gp, vector * 8 + 2);
    throw new ModelException(vector, undefined, 0n, 'trap');
  },
};

class UserEnvironment implements Environment {
  readonly msrs = new Map<number, bigint>();
  timeNs(): bigint {
    return 0n;
  }
  readPort(_port: number, bytes: 1 | 2 | 4): number {
    return bytes === 4 ? 0xffff_ffff : (1 << (8 * bytes)) - 1;
  }
  writePort(): void {}
}

function userProcessor(): Processor {
  const background = new Uint8Array(ARENA_BYTES);
  fillUserMemory(background);
  return new Processor(new PhysicalMemory(background, USER_WINDOWS), new UserEnvironment(), userSink, OPCODES);
}

export class ModelOracle implements Oracle {
  readonly name = 'model';
  readonly countsTicks = true;
  #user: Processor | undefined;

  refuses(batch: CaseBatch): string | undefined {
    return batch.arena === 'user' ? undefined : 'the system arena is not there yet';
  }

  run(batch: CaseBatch, outcomes: Outcomes): void {
    outcomes.strayWrites.length = 0;
    this.#user ??= userProcessor();
    const processor = this.#user;
    const recordBytes = CPU_STATE_BYTES + windowsBytes(batch.windows);
    for (let number = 0; number < batch.count; number++) {
      const at = number * recordBytes;
      enter(processor, batch.windows, batch.records, at);
      runUser(processor, batch.tickLimit, number, outcomes);
      leave(processor, batch.windows, number, at, outcomes);
    }
  }

  close(): void {}
}

export const createModelOracle = (): Oracle => new ModelOracle();

function enter({ state, memory, policies }: Processor, windows: readonly Window[], records: Uint8Array, at: number): void {
  state.bytes.set(records.subarray(at, at + CPU_STATE_BYTES));
  let from = at + CPU_STATE_BYTES;
  for (const { address, bytes } of windows) {
    memory.bytes.set(records.subarray(from, from + bytes), address);
    from += bytes;
  }
  policies.fill(0);
}

function leave({ state, memory, policies }: Processor, windows: readonly Window[], number: number, at: number, outcomes: Outcomes): void {
  outcomes.records.set(state.bytes, at);
  let to = at + CPU_STATE_BYTES;
  for (const { address, bytes } of windows) {
    outcomes.records.set(memory.bytes.subarray(address, address + bytes), to);
    to += bytes;
  }
  outcomes.policies.set(policies, number * 4);
  if (memory.hasWrittenOutside) {
    for (const address of memory.strayAddresses()) outcomes.strayWrites.push(number, address, memory.bytes[address]!);
    memory.restore();
  }
}

function runUser(processor: Processor, tickLimit: number, number: number, outcomes: Outcomes): void {
  let ticks = 0;
  let end: number = END.limit;
  let exception: ModelException | undefined;
  while (ticks < tickLimit) {
    exception = processor.executeOne();
    if (exception === undefined) {
      ticks++;
      if (processor.debugTrap !== 0) exception = new ModelException(VECTOR.db, undefined, BigInt(processor.debugTrap), 'trap');
    }
    if (exception !== undefined) {
      end = END.exception;
      break;
    }
  }
  outcomes.ends[number] = end;
  outcomes.ticks[number] = ticks;
  outcomes.vectors[number] = exception?.vector ?? 0;
  outcomes.errorCodes[number] = exception?.errorCode ?? 0;
}
