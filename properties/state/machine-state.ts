/**
 * The processor's part of a machine's snapshot (engine/cpu/cpu-snapshot.ts has its cells) as the state of a case.
 */
import type { StateValue } from '../../engine/index.js';
import { CPU_STATE, CpuState, SEGMENT_STATE, SEGMENT_STATE_BYTES } from './cpu-state.js';

type Tree = { readonly [name: string]: StateValue };

/** Cells that are the same in both: name, where in the cell, where in the state, bytes. */
const CELLS: readonly (readonly [name: string, from: number, to: number, bytes: number])[] = [
  ['registers', 0, CPU_STATE.registers, 128],
  ['eip', 0, CPU_STATE.rip, 8],
  ['cpl', 0, CPU_STATE.cpl, 4],
  ['gdtrBase', 0, CPU_STATE.gdtrBase, 8],
  ['gdtrLimit', 0, CPU_STATE.gdtrLimit, 4],
  ['idtrBase', 0, CPU_STATE.idtrBase, 8],
  ['idtrLimit', 0, CPU_STATE.idtrLimit, 4],
  ['control', 0, CPU_STATE.cr0, 8],
  ['control', 16, CPU_STATE.cr2, 24],
  ['debug', 0, CPU_STATE.debug, 64],
  ['efer', 0, CPU_STATE.efer, 8],
  ['pageDirectoryPointers', 0, CPU_STATE.pageDirectoryPointers, 32],
  ['x87Registers', 0, CPU_STATE.x87Registers, 128],
  ['x87Control', 0, CPU_STATE.x87Control, 2],
  ['x87Status', 0, CPU_STATE.x87Status, 2],
  ['x87Empty', 0, CPU_STATE.x87Empty, 2],
  ['x87Opcode', 0, CPU_STATE.x87Opcode, 2],
  ['x87InstructionOffset', 0, CPU_STATE.x87InstructionOffset, 8],
  ['x87InstructionSelector', 0, CPU_STATE.x87InstructionSelector, 2],
  ['x87OperandOffset', 0, CPU_STATE.x87OperandOffset, 8],
  ['x87OperandSelector', 0, CPU_STATE.x87OperandSelector, 2],
  ['xmm', 0, CPU_STATE.xmm, 256],
  ['mxcsr', 0, CPU_STATE.mxcsr, 4],
];
/** Of a segment register: where, bytes; the same offsets in both. */
const SEGMENT_CELLS: readonly (readonly [offset: number, bytes: number])[] = [
  [SEGMENT_STATE.base, 8],
  [SEGMENT_STATE.limit, 4],
  [SEGMENT_STATE.selector, 2],
  [SEGMENT_STATE.attributes, 4],
];
const SEGMENTS = 8;
const X87_REGISTERS = 8;
const X87_REGISTER_BYTES = 10;
const TOP_SHIFT = 11;
const TOP_MASK = 7 << TOP_SHIFT;
/** Model-specific registers that are part of a case. */
const SYSENTER: readonly (readonly [number: number, to: number])[] = [
  [0x174, CPU_STATE.sysenterCs],
  [0x175, CPU_STATE.sysenterEsp],
  [0x176, CPU_STATE.sysenterEip],
];

/** @param saved `cpu` of what `saveWithoutMemory` gives */
export function cpuStateOf(saved: StateValue | undefined): CpuState {
  const { cells, eflags, halted, interruptsInhibited, msr } = saved as Tree;
  const state = new CpuState();
  const cell = (name: string): Uint8Array => (cells as Tree)[name] as Uint8Array;
  for (const [name, from, to, bytes] of CELLS) state.bytes.set(cell(name).subarray(from, from + bytes), to);
  for (let index = 0; index < SEGMENTS; index++) {
    const to = CPU_STATE.segments + index * SEGMENT_STATE_BYTES;
    for (const [offset, bytes] of SEGMENT_CELLS) state.bytes.set(cell(`segment${index}`).subarray(offset, offset + bytes), to + offset);
  }
  for (let i = 0; i < X87_REGISTERS; i++) {
    const at = CPU_STATE.x87Registers + i * 16;
    state.bytes.fill(0, at + X87_REGISTER_BYTES, at + 16);
  }
  const top = (cell('x87Top')[0] as number) << TOP_SHIFT;
  state.view.setUint16(CPU_STATE.x87Status, (state.u16(CPU_STATE.x87Status) & ~TOP_MASK) | top, true);
  state.flags = eflags as number;
  state.setU32(CPU_STATE.halted, halted === true ? 1 : 0);
  state.setU32(CPU_STATE.interruptShadow, interruptsInhibited === true ? 1 : 0);
  const registers = new Map(msr as unknown as readonly (readonly [number, bigint])[]);
  for (const [number, to] of SYSENTER) state.setU64(to, registers.get(number) as bigint);
  return state;
}
