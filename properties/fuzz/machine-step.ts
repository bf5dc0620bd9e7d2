/**
 * One step of a machine, looked at from outside: the processor before and after, and what memory it has read and written. The
 * machine is left as it was before.
 */
import type { Machine } from '../../engine/index.js';
import { CPU_STATE, type CpuState, CS } from '../state/cpu-state.js';
import { cpuStateOf } from '../state/machine-state.js';

/** Guest-physical. */
export interface Touched {
  readonly address: number;
  readonly bytes: number;
}

export interface MachineStep {
  readonly before: CpuState;
  readonly after: CpuState;
  /** Data, tables and stacks; without the code, and without page tables. */
  readonly touched: readonly Touched[];
  /** Linear pages that a page fault was about. */
  readonly faultPages: readonly number[];
  /** More than one where a debug trap comes with its instruction. */
  readonly ticks: number;
  /** Linear. */
  readonly codeAddress: number;
}

const PAGE_FAULT = 14;
const PAGE_BYTES = 4096;

/** @returns a line that says why not, where the step is more than the processor's and its memory's */
export function stepOf(machine: Machine): MachineStep | string {
  if (machine.halted) return 'the processor is halted';
  const snapshot = machine.save();
  const before = cpuStateOf(snapshot.cpu);
  const touched: Touched[] = [];
  const faultPages: number[] = [];
  let reason: string | undefined;
  const callbacks = { ...pickCallbacks(machine) };
  machine.onAccess = ({ address, bytes, by }) => {
    if (by === 'instruction' || by === 'delivery') touched.push({ address, bytes });
  };
  machine.onException = ({ vector }) => {
    if (vector === PAGE_FAULT) faultPages.push(Math.floor(machine.registers.get('cr2') / PAGE_BYTES));
  };
  machine.onInterrupt = ({ vector }) => {
    reason = `interrupt 0x${vector.toString(16).padStart(2, '0')} is accepted`;
  };
  machine.onPort = ({ port }) => {
    reason ??= `port 0x${port.toString(16)} is accessed`;
  };
  machine.setWatches([{ address: 0, bytes: machine.frameCount * PAGE_BYTES, reads: true, writes: true }]);
  try {
    const { tick } = machine;
    const end = machine.runStepped({ tick: tick + 1 });
    const after = cpuStateOf(machine.saveWithoutMemory().cpu);
    if (reason !== undefined) return reason;
    const ticks = machine.tick - tick;
    if (ticks === 0) return `the machine ends (${end.kind})`;
    const codeAddress = Number(BigInt.asUintN(32, before.segmentBase(CS) + before.u64(CPU_STATE.rip)));
    return { before, after, touched, faultPages, ticks, codeAddress };
  } finally {
    machine.setWatches([]);
    Object.assign(machine, callbacks);
    machine.restore(snapshot);
  }
}

const pickCallbacks = ({ onAccess, onException, onInterrupt, onPort }: Machine): Partial<Machine> => ({
  onAccess,
  onException,
  onInterrupt,
  onPort,
});
