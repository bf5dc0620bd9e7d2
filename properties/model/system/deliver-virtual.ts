/** INT n in virtual-8086 mode with the mode extensions: to the monitor, or to the program itself (SDM volume 3, 20.3, table 20-2). */
import { CPU_STATE, CS, ES, TR } from '../../state/cpu-state.js';
import { type Cpu, VECTOR } from '../cpu.js';
import type { Event } from './deliver.js';
import { fault, linear, taskIs32 } from './descriptors.js';
import { loadParagraph } from './segments.js';
import { Frame, presentStack, setStackPointer, stackPointer } from './stack.js';

const CR4_VME = 1n;
const FLAG = { tf: 0x100, if: 0x200, iopl: 0x3000, rf: 0x1_0000, vif: 0x8_0000 } as const;
/** Where a 32-bit TSS has the offset of its I/O permission bit map; the redirection bit map is the 32 bytes before that. */
export const IO_MAP_BASE = 102;
const REDIRECTION_BYTES = 32;

/** Methods 5 and 6 of table 20-2 go to the program (true), method 1 and 4 to the IDT (false), 2 and 3 are #GP. */
export function redirectedToProgram(cpu: Cpu, vector: number): boolean {
  if ((cpu.state.u64(CPU_STATE.cr4) & CR4_VME) !== 0n && !redirectionBit(cpu, vector)) return true;
  if (cpu.iopl < 3) fault(VECTOR.gp, 0);
  return false;
}

/** A bit map outside the TSS is #GP(0), as is a 16-bit TSS (policy `vme.no-map`). */
function redirectionBit(cpu: Cpu, vector: number): boolean {
  const { state } = cpu;
  const base = state.segmentBase(TR);
  const limit = state.segmentLimit(TR);
  if (!taskIs32(cpu) || limit < IO_MAP_BASE + 1) {
    cpu.undefine('vme.no-map');
    fault(VECTOR.gp, 0);
  }
  const map = Number(cpu.loadSystem(linear(base + BigInt(IO_MAP_BASE)), 2));
  const at = map - REDIRECTION_BYTES + (vector >> 3);
  if (at < 0 || at > limit) {
    cpu.undefine('vme.no-map');
    fault(VECTOR.gp, 0);
  }
  return ((cpu.loadSystem(linear(base + BigInt(at)), 1) >> BigInt(vector & 7)) & 1n) === 1n;
}

/** Policy `vme.table`: an access of the program, as through a segment at 0. */
function tableEntry(cpu: Cpu, vector: number): number {
  const { state } = cpu;
  const kept = [state.segmentSelector(ES), state.segmentBase(ES), state.segmentLimit(ES), state.segmentAttributes(ES)] as const;
  loadParagraph(cpu, ES, 0);
  cpu.undefine('vme.table');
  const entry = cpu.load(ES, BigInt(vector * 4), 4);
  state.setSegment(ES, ...kept);
  return Number(entry);
}

/** Through the table at linear address 0, as in real mode; below IOPL 3, VIF plays the part of IF. */
export function deliverToProgram(cpu: Cpu, { vector, flags, ip }: Event): void {
  const { state } = cpu;
  const trusted = cpu.iopl === 3;
  const virtual = (flags & ~(FLAG.if | FLAG.iopl)) | FLAG.iopl | (flags & FLAG.vif ? FLAG.if : 0);
  const entry = tableEntry(cpu, vector);
  const frame = new Frame(cpu, presentStack(state), stackPointer(cpu), 0);
  frame.push(2, trusted ? flags : virtual);
  frame.push(2, state.segmentSelector(CS));
  frame.push(2, ip);
  frame.write();
  setStackPointer(cpu, frame.pointer);
  loadParagraph(cpu, CS, entry >>> 16);
  cpu.setIp(BigInt(entry & 0xffff));
  state.flags &= ~(FLAG.tf | FLAG.rf | (trusted ? FLAG.if : FLAG.vif));
}
