/** MOV to and from segment registers, POP of them, LDS, LES, LSS, LFS, LGS (SDM volume 2). */
import { CS, DS, ES, FS, GS, SS } from '../../state/cpu-state.js';
import { type Cpu, VECTOR } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { fault } from './descriptors.js';
import { farPointer } from './far-pointer.js';
import { loadSegmentRegister } from './segments.js';

function segmentNumber(cpu: Cpu, operand: number): number {
  const number = cpu.registerNumber(operand);
  if (number > GS) fault(VECTOR.ud);
  return number;
}

const movFromSegment = (cpu: Cpu): void => cpu.write(0, BigInt(cpu.state.segmentSelector(segmentNumber(cpu, 1))));

function movToSegment(cpu: Cpu): void {
  const number = segmentNumber(cpu, 0);
  if (number === CS) fault(VECTOR.ud);
  loadSegmentRegister(cpu, number, Number(cpu.read(1)));
  if (number === SS) cpu.inhibitInterrupts(true);
}

function popSegment(cpu: Cpu): void {
  const number = cpu.registerNumber(0);
  loadSegmentRegister(cpu, number, Number(cpu.pop() & 0xffffn));
  if (number === SS) cpu.inhibitInterrupts(true);
}

const pushSegment = (cpu: Cpu): void => cpu.push(BigInt(cpu.state.segmentSelector(cpu.registerNumber(0))));

const loadFarPointer =
  (segment: number) =>
  (cpu: Cpu): void => {
    const memory = cpu.address(1);
    const { selector, offset } = farPointer(cpu, memory.segment, memory.offset);
    loadSegmentRegister(cpu, segment, selector);
    cpu.write(0, offset);
  };

export const SEGMENT_INSTRUCTIONS: readonly Opcode[] = [
  opcode('8C /r', 'MOV', 'rv/m16,Sreg', movFromSegment),
  opcode('8E /r', 'MOV', 'Sreg,r/m16', movToSegment),
  opcode('07', 'POP', 'es', popSegment, { not64: true }),
  opcode('17', 'POP', 'ss', popSegment, { not64: true }),
  opcode('1F', 'POP', 'ds', popSegment, { not64: true }),
  opcode('0F A1', 'POP', 'fs', popSegment, { default64: true }),
  opcode('0F A9', 'POP', 'gs', popSegment, { default64: true }),
  opcode('06', 'PUSH', 'es', pushSegment, { not64: true }),
  opcode('0E', 'PUSH', 'cs', pushSegment, { not64: true }),
  opcode('16', 'PUSH', 'ss', pushSegment, { not64: true }),
  opcode('1E', 'PUSH', 'ds', pushSegment, { not64: true }),
  opcode('0F A0', 'PUSH', 'fs', pushSegment, { default64: true }),
  opcode('0F A8', 'PUSH', 'gs', pushSegment, { default64: true }),
  opcode('C5 /r', 'LDS', 'rv,m', loadFarPointer(DS), { not64: true }),
  opcode('C4 /r', 'LES', 'rv,m', loadFarPointer(ES), { not64: true }),
  opcode('0F B2 /r', 'LSS', 'rv,m', loadFarPointer(SS)),
  opcode('0F B4 /r', 'LFS', 'rv,m', loadFarPointer(FS)),
  opcode('0F B5 /r', 'LGS', 'rv,m', loadFarPointer(GS)),
];
