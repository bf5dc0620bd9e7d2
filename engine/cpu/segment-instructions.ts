/**
 * Loading and storing segment registers: MOV, PUSH, POP, LDS, LES, LFS, LGS, LSS (SDM volume 2; SDM volume 3, section
 * 6.8.3 for the instruction boundary that MOV SS and POP SS protect).
 *
 * A 32-bit PUSH of a segment register writes all 32 bits, the upper half zero.
 */
import { invalidOpcode } from './exceptions.js';
import { readFarPointer } from './far-transfer.js';
import type { Cpu, HostInstruction, HostSemantics } from './host-instruction.js';
import * as layout from './layout.js';
import { readOperand, writeRegister, writeWord } from './operands.js';
import { prepareSegment } from './segmentation.js';
import { currentStackReader, pushValue } from './stack.js';

/** ModRM.reg names ES, CS, SS, DS, FS, GS; 6 and 7 are undefined. */
function segmentOf(instruction: HostInstruction): number {
  if (instruction.reg > layout.GS) throw invalidOpcode();
  return instruction.reg;
}

function movToSegment(cpu: Cpu, instruction: HostInstruction): void {
  const index = segmentOf(instruction);
  if (index === layout.CS) throw invalidOpcode();
  const segment = prepareSegment(cpu, index, readOperand(cpu, instruction, 16));
  cpu.state.writeSegment(index, segment);
  if (index === layout.SS) cpu.inhibitInterrupts(true);
  cpu.modeChanged();
}

function pushSegment(cpu: Cpu, instruction: HostInstruction): void {
  pushValue(cpu, instruction.operandSize >>> 3, cpu.state.segmentSelector(segmentOf(instruction)));
}

function popSegment(cpu: Cpu, instruction: HostInstruction): void {
  const index = segmentOf(instruction);
  const reader = currentStackReader(cpu);
  const segment = prepareSegment(cpu, index, reader.pop(instruction.operandSize >>> 3) & 0xffff);
  reader.commit();
  cpu.state.writeSegment(index, segment);
  if (index === layout.SS) cpu.inhibitInterrupts(true);
  cpu.modeChanged();
}

const loadFarPointer =
  (index: number): HostSemantics =>
  (cpu, instruction) => {
    const { offset, offsetHigh, selector } = readFarPointer(cpu, instruction);
    const segment = prepareSegment(cpu, index, selector);
    cpu.state.writeSegment(index, segment);
    if (instruction.operandSize === 64) cpu.state.setReg64(instruction.reg, (BigInt(offsetHigh) << 32n) | BigInt(offset));
    else writeRegister(cpu.state, instruction.reg, instruction.operandSize, offset);
    cpu.modeChanged();
  };

export const segmentSemantics: Record<string, HostSemantics> = {
  movToSegment,
  movFromSegment: (cpu, instruction) => writeWord(cpu, instruction, cpu.state.segmentSelector(segmentOf(instruction))),
  pushSegment,
  popSegment,
  lds: loadFarPointer(layout.DS),
  les: loadFarPointer(layout.ES),
  lfs: loadFarPointer(layout.FS),
  lgs: loadFarPointer(layout.GS),
  lss: loadFarPointer(layout.SS),
};
