/**
 * A case of the user arena as a machine that boots into it: an image with the arena's memory, tables that give every segment
 * register what the case says, and code that loads the state and leaves for it by IRET. The first exception arrives at a HLT
 * of its own, in ring 0, with the state of the case on the stack and in the registers.
 *
 * What differs from the arena: the pages of tables, code and stack are present (for the supervisor only), GDTR, IDTR, LDTR and TR
 * name real tables, and ticks are counted from the start of the machine.
 */
import type { Case } from '../arbitraries/case.js';
import {
  type Assembler,
  al,
  assemble,
  ax,
  cr0,
  cr3,
  cr4,
  dr6,
  dr7,
  ds,
  eax,
  ebp,
  ebx,
  ecx,
  edi,
  edx,
  es,
  esi,
  esp,
  fs,
  gs,
  ptr,
} from '../assembler/index.js';
import { stateOfRecord } from '../compare/fields.js';
import { ARENA_BYTES, BACKGROUND_BYTE, fillUserMemory, USER_CR3 } from '../state/arena.js';
import { CPU_STATE, CPU_STATE_BYTES, type CpuState, CS, DS, ES, FS, GS, SS } from '../state/cpu-state.js';

export interface CaseMachine {
  readonly image: Uint8Array;
  readonly address: number;
  readonly entry: number;
  readonly mode: 'protected';
  readonly memoryBytes: number;
}

/** Supervisor pages behind the page tables. */
const GDT = 0x9_0000;
const LDT = 0x9_0400;
const IDT = 0x9_0800;
const TASK = 0x9_1000;
const STUB = 0x9_2000;
const HANDLERS = 0x9_3000;
const FLOATING_POINT = 0x9_4000;
const STACK_TOP = 0x9_6000;
const FIRST_PAGE = GDT;
const END = 0x9_6000;
const PAGE = 4096;

const SUPERVISOR_CODE = 0x08;
const SUPERVISOR_DATA = 0x10;
const TASK_SELECTOR = 0x60;
const LDT_SELECTOR = 0x68;
const GDT_BYTES = 0x70;
const LDT_BYTES = 64 * 8;
const SUPERVISOR_ENTRY = 0x63;
const EXECUTE_ONLY = 0x08;
const CODE_OR_READABLE = 0x0a;
const VECTORS = 32;
/** INT3 and INTO may be used at CPL 3. */
const USER_GATES = [3, 4];
const HANDLER_BYTES = 4;

/** undefined where there is no such machine: 64-bit code, cases of the system arena, segments that no instruction loads. */
export function caseMachine(one: Case): CaseMachine | undefined {
  const { record, windows, arena, bits } = one;
  if (arena !== 'user' || bits === 64) return undefined;
  const state = stateOfRecord(record);
  for (const index of [ES, DS, FS, GS]) {
    const attributes = state.segmentAttributes(index);
    if (attributes !== 0 && (attributes & CODE_OR_READABLE) === EXECUTE_ONLY) return undefined;
  }
  const memory = new Uint8Array(ARENA_BYTES);
  fillUserMemory(memory);
  let at = CPU_STATE_BYTES;
  for (const { address, bytes } of windows) {
    memory.set(record.subarray(at, at + bytes), address);
    at += bytes;
  }
  const view = new DataView(memory.buffer);
  memory.fill(0, FIRST_PAGE, END);
  for (let page = FIRST_PAGE; page < END; page += PAGE) {
    view.setUint32(USER_CR3 + PAGE + (page / PAGE) * 4, page | SUPERVISOR_ENTRY, true);
  }
  writeTables(view, state);
  writeFloatingPoint(memory, view, state);
  memory.set(stub(state), STUB);
  return { image: memory.slice(0, END), address: 0, entry: STUB, mode: 'protected', memoryBytes: ARENA_BYTES };
}

/** Of a segment register as it is in a state. */
function descriptor(base: number, limit: number, attributes: number): bigint {
  const granular = (attributes & 0x8000) !== 0;
  const units = BigInt(granular ? Math.floor(limit / PAGE) : limit);
  const at = BigInt(base >>> 0);
  const low = (units & 0xffffn) | ((at & 0xff_ffffn) << 16n) | (BigInt(attributes & 0xff) << 40n);
  return low | ((units >> 16n) << 48n) | (BigInt((attributes >> 12) & 0xf) << 52n) | ((at >> 24n) << 56n);
}

function writeTables(view: DataView, state: CpuState): void {
  const set = (table: number, selector: number, value: bigint): void => view.setBigUint64(table + (selector & ~7), value, true);
  set(GDT, SUPERVISOR_CODE, descriptor(0, 0xffff_ffff, 0xc09b));
  set(GDT, SUPERVISOR_DATA, descriptor(0, 0xffff_ffff, 0xc093));
  set(GDT, TASK_SELECTOR, descriptor(TASK, 0x67, 0x89));
  set(GDT, LDT_SELECTOR, descriptor(LDT, LDT_BYTES - 1, 0x82));
  for (const index of [ES, CS, SS, DS, FS, GS]) {
    const selector = state.segmentSelector(index);
    if ((selector & ~3) === 0) continue;
    const value = descriptor(Number(state.segmentBase(index)), state.segmentLimit(index), state.segmentAttributes(index));
    set(selector & 4 ? LDT : GDT, selector, value);
  }
  view.setUint32(TASK + 4, STACK_TOP, true);
  view.setUint16(TASK + 8, SUPERVISOR_DATA, true);
  view.setUint16(TASK + 0x66, 0x68, true);
  for (let vector = 0; vector < VECTORS; vector++) {
    const handler = HANDLERS + vector * HANDLER_BYTES;
    const gate = IDT + vector * 8;
    view.setUint16(gate, handler & 0xffff, true);
    view.setUint16(gate + 2, SUPERVISOR_CODE, true);
    view.setUint16(gate + 4, USER_GATES.includes(vector) ? 0xee00 : 0x8e00, true);
    view.setUint16(gate + 6, handler >>> 16, true);
    view.setUint8(handler, BACKGROUND_BYTE);
  }
  // For LGDT and LIDT, behind the IDT.
  view.setUint16(IDT + 0x200, GDT_BYTES - 1, true);
  view.setUint32(IDT + 0x202, GDT, true);
  view.setUint16(IDT + 0x208, VECTORS * 8 - 1, true);
  view.setUint32(IDT + 0x20a, IDT, true);
}

/** As FXRSTOR takes it (SDM volume 1, table 10-2). */
function writeFloatingPoint(memory: Uint8Array, view: DataView, state: CpuState): void {
  const status = state.u16(CPU_STATE.x87Status);
  view.setUint16(FLOATING_POINT, state.u16(CPU_STATE.x87Control), true);
  view.setUint16(FLOATING_POINT + 2, status, true);
  view.setUint8(FLOATING_POINT + 4, ~state.u16(CPU_STATE.x87Empty) & 0xff);
  view.setUint16(FLOATING_POINT + 6, state.u16(CPU_STATE.x87Opcode), true);
  view.setUint32(FLOATING_POINT + 8, state.u32(CPU_STATE.x87InstructionOffset), true);
  view.setUint16(FLOATING_POINT + 12, state.u16(CPU_STATE.x87InstructionSelector), true);
  view.setUint32(FLOATING_POINT + 16, state.u32(CPU_STATE.x87OperandOffset), true);
  view.setUint16(FLOATING_POINT + 20, state.u16(CPU_STATE.x87OperandSelector), true);
  view.setUint32(FLOATING_POINT + 24, state.u32(CPU_STATE.mxcsr), true);
  const top = (status >> 11) & 7;
  for (let i = 0; i < 8; i++) {
    const from = CPU_STATE.x87Registers + ((top + i) & 7) * 16;
    memory.set(state.bytes.subarray(from, from + 10), FLOATING_POINT + 32 + i * 16);
  }
  memory.set(state.bytes.subarray(CPU_STATE.xmm, CPU_STATE.xmm + 128), FLOATING_POINT + 160);
}

function stub(state: CpuState): Uint8Array {
  const general = (index: number): number => Number(BigInt.asUintN(32, state.registers[index] as bigint));
  const write = (a: Assembler): void => {
    // No interrupts from devices.
    a.mov(al, 0xff);
    a.out(0x21, al);
    a.out(0xa1, al);
    a.lgdt(ptr(IDT + 0x200));
    a.lidt(ptr(IDT + 0x208));
    a.mov(esp, STACK_TOP);
    a.mov(eax, USER_CR3);
    a.mov(cr3, eax);
    a.mov(eax, 0x600);
    a.mov(cr4, eax);
    a.mov(eax, 0x8000_0033);
    a.mov(cr0, eax);
    a.fxrstor(ptr(FLOATING_POINT));
    a.mov(eax, state.u32(CPU_STATE.cr4));
    a.mov(cr4, eax);
    a.mov(ax, TASK_SELECTOR);
    a.ltr(ax);
    a.mov(ax, LDT_SELECTOR);
    a.lldt(ax);
    a.mov(eax, state.u32(CPU_STATE.debug + 48));
    a.mov(dr6, eax);
    a.mov(eax, state.u32(CPU_STATE.debug + 56));
    a.mov(dr7, eax);
    // What IRET takes to CPL 3: SS, ESP, EFLAGS, CS, EIP.
    for (const value of [state.segmentSelector(SS), general(4), state.flags, state.segmentSelector(CS), Number(state.rip)]) {
      a.push(value | 0);
    }
    a.mov(eax, state.u32(CPU_STATE.cr0));
    a.mov(cr0, eax);
    a.mov(ecx, general(1));
    a.mov(edx, general(2));
    a.mov(ebx, general(3));
    a.mov(ebp, general(5));
    a.mov(esi, general(6));
    a.mov(edi, general(7));
    for (const [register, index] of [
      [es, ES],
      [fs, FS],
      [gs, GS],
      [ds, DS],
    ] as const) {
      a.mov(eax, state.segmentSelector(index));
      a.mov(register, ax);
    }
    a.mov(eax, general(0));
    a.iret();
  };
  return assemble({ bits: 32, origin: STUB }, write).bytes;
}
