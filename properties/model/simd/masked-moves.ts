/** MASKMOVQ and MASKMOVDQU (Intel SDM volume 2). */
import { DS } from '../../state/cpu-state.js';
import type { Cpu } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { BYTES, begin, checkSegment, enterMmx, type RegisterFile, readRegister } from './registers.js';

const DESTINATION_INDEX = 7;

/** The bytes whose mask has its sign bit set go to DS:rDI; the segment may be overridden. */
const storeMasked = (file: RegisterFile) => (cpu: Cpu) => {
  if (!begin(cpu, file)) return;
  const segment = cpu.instruction.segmentOverride ?? DS;
  const base = cpu.register(DESTINATION_INDEX, cpu.addressSize);
  const data = readRegister(cpu, file, 0);
  const mask = readRegister(cpu, file, 1);
  const selected = Array.from({ length: BYTES[file] }, (_, i) => i).filter((i) => ((mask >> BigInt(8 * i + 7)) & 1n) === 1n);
  if (selected.length < BYTES[file]) cpu.undefine('maskmov.unselected');
  checkSegment(cpu, segment, base, BYTES[file], true);
  const offsetOf = (i: number): bigint => base + BigInt(i);
  for (const i of selected) cpu.checkStore(segment, offsetOf(i), 1);
  for (const i of selected) cpu.store(segment, offsetOf(i), 1, (data >> BigInt(8 * i)) & 0xffn);
  if (file === 'mmx') enterMmx(cpu);
};

export const MASKED_MOVES: readonly Opcode[] = [
  opcode('NP 0F F7 /r', 'MASKMOVQ', 'mm, rm:mm', storeMasked('mmx')),
  opcode('66 0F F7 /r', 'MASKMOVDQU', 'xmm, rm:xmm', storeMasked('xmm')),
];
