/**
 * The slow paths of generated code (translate/runtime.ts) that are accesses to memory: what is to be done, without the
 * bookkeeping of who called. Each raises GuestException for a fault.
 */
import type { Mmu } from '../mmu/linear-memory.js';
import type { Cpu } from './host-instruction.js';
import * as layout from './layout.js';
import { checkedLinear, longLinear } from './segmentation.js';
import { currentStackWriter, StackReader } from './stack.js';

const ESP = 4;

/** What the slow paths need of the CPU. */
export interface SlowPathCpu extends Cpu {
  readonly mmu: Mmu;
}

/** Runs the body for the instruction at `record`; a guest exception becomes FAULT_VECTOR. */
export type Guard = (record: number, body: () => void) => undefined;

type Import = (...args: never[]) => number | undefined;

export function memorySlowPaths(
  cpu: SlowPathCpu,
  guarded: Guard,
): Record<'slowLoad' | 'slowStore' | 'slowProbeWrite' | 'slowPush' | 'slowPop' | 'checkSegment', Import> {
  const { mmu, state } = cpu;
  const isUser = (): boolean => state.cpl === 3;
  return {
    slowLoad: (linear: number, bytes: number, record: number) =>
      guarded(record, () => mmu.readInto(linear >>> 0, bytes, isUser(), state.u8, layout.SCRATCH)),
    slowStore: (linear: number, bytes: number, record: number) =>
      guarded(record, () => mmu.writeFrom(linear >>> 0, bytes, isUser(), state.u8, layout.SCRATCH)),
    slowProbeWrite: (linear: number, bytes: number, record: number) => guarded(record, () => mmu.probeWrite(linear >>> 0, bytes, isUser())),
    slowPush: (value: number, bytes: number, record: number) =>
      guarded(record, () => {
        const stack = currentStackWriter(cpu);
        stack.push(bytes, value >>> 0);
        stack.commit();
        state.setReg32(ESP, stack.pointer);
      }),
    slowPop: (bytes: number, record: number) =>
      guarded(record, () => {
        const reader = new StackReader(cpu);
        state.set32(layout.SCRATCH, reader.pop(bytes));
        reader.commit();
      }),
    checkSegment: (offset: number, segment: number, bytes: number, write: number, record: number) => {
      let linear = 0;
      guarded(record, () => {
        linear = state.longCode
          ? longLinear(cpu, segment, state.i64[layout.SCRATCH >>> 3] as bigint, bytes, (write & 1) !== 0, write >>> 1)
          : checkedLinear(cpu, segment, offset >>> 0, bytes, write !== 0);
      });
      return linear;
    },
  };
}
