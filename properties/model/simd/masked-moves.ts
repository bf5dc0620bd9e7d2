/** MASKMOVQ and MASKMOVDQU (Intel SDM volume 2). */
import { DS } from '../../state/cpu-state.js';
import type { Cpu } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { onFault } from './policy.js';
import {
  BYTES,
  begin,
  checkSegment,
  checksAlignment,
  enterMmx,
  isMisaligned,
  linearOf,
  type RegisterFile,
  readRegister,
} from './registers.js';

const DESTINATION_INDEX = 7;
const PAGE_BYTES = 4096n;

/** Pages (by their number, from the first) of the bytes in `indexes`. */
function pagesOf(cpu: Cpu, segment: number, base: bigint, indexes: readonly number[]): Set<bigint> {
  const linear = linearOf(cpu, segment, base);
  return new Set(indexes.map((i) => (linear + BigInt(i)) / PAGE_BYTES));
}

/** The bytes whose mask has its sign bit set go to DS:rDI; the segment may be overridden. */
const storeMasked = (file: RegisterFile) => (cpu: Cpu) => {
  if (!begin(cpu, file)) return;
  const segment = cpu.instruction.segmentOverride ?? DS;
  const base = cpu.register(DESTINATION_INDEX, cpu.addressSize);
  const data = readRegister(cpu, file, 0);
  const mask = readRegister(cpu, file, 1);
  if (checksAlignment(cpu) && isMisaligned(cpu, segment, base, BYTES[file])) cpu.undefine('maskmov.alignment');
  onFault(cpu, 'operand.parts', () => checkSegment(cpu, segment, base, BYTES[file], true));
  const bytes = Array.from({ length: BYTES[file] }, (_, i) => i);
  const selected = bytes.filter((i) => ((mask >> BigInt(8 * i + 7)) & 1n) === 1n);
  if (pagesOf(cpu, segment, base, selected).size < pagesOf(cpu, segment, base, bytes).size) cpu.undefine('maskmov.unselected');
  onFault(cpu, 'maskmov.fault', () => {
    for (const i of selected) cpu.checkStore(segment, base + BigInt(i), 1);
  });
  for (const i of selected) cpu.store(segment, base + BigInt(i), 1, (data >> BigInt(8 * i)) & 0xffn);
  if (file === 'mmx') enterMmx(cpu);
};

export const MASKED_MOVES: readonly Opcode[] = [
  opcode('NP 0F F7 /r', 'MASKMOVQ', 'mm, rm:mm', storeMasked('mmx')),
  opcode('66 0F F7 /r', 'MASKMOVDQU', 'xmm, rm:xmm', storeMasked('xmm')),
];
