/** FXSAVE and FXRSTOR (Intel SDM volume 1, section 10.5; volume 2 with the layout in tables 3-43 to 3-48). */
import { CPU_STATE } from '../../state/cpu-state.js';
import { type Cpu, VECTOR } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { Unit } from '../x87/unit.js';
import { loadMxcsr } from './control.js';
import { MXCSR_MASK } from './mxcsr.js';
import { onFault } from './policy.js';
import { checkSegment, checksAlignment, isMisaligned } from './registers.js';

const AREA_BYTES = 512;
const ALIGNMENT_BYTES = 16;
const AREA = {
  control: 0,
  status: 2,
  /** A bit for each physical register that is not empty; the byte behind it is reserved. */
  tags: 4,
  opcode: 6,
  instruction: 8,
  operand: 16,
  mxcsr: 24,
  mxcsrMask: 28,
  /** ST0 to ST7, 16 bytes each, of which ten count. */
  registers: 32,
  xmm: 160,
} as const;

const CR0_EM = 1 << 2;
const CR0_TS = 1 << 3;
const CR4_OSFXSR = 1 << 9;

const OPCODE_BITS = 0x7ff;

function area(cpu: Cpu, write: boolean): { readonly segment: number; readonly offset: bigint } {
  if ((cpu.state.u32(CPU_STATE.cr0) & (CR0_EM | CR0_TS)) !== 0) cpu.raise(VECTOR.nm);
  const place = cpu.address(0);
  onFault(cpu, 'operand.parts', () => checkSegment(cpu, place.segment, place.offset, AREA_BYTES, write));
  if (isMisaligned(cpu, place.segment, place.offset, ALIGNMENT_BYTES)) {
    if (checksAlignment(cpu)) cpu.undefine('fxsave.alignment');
    cpu.raise(VECTOR.gp, 0);
  }
  return place;
}

/** XMM registers and MXCSR take part only while CR4.OSFXSR is set. */
function hasSse(cpu: Cpu): boolean {
  const enabled = (cpu.state.u32(CPU_STATE.cr4) & CR4_OSFXSR) !== 0;
  if (!enabled) cpu.undefine('fxsave.osfxsr');
  return enabled;
}

const xmmCount = (cpu: Cpu): number => (cpu.codeBits === 64 ? 16 : 8);
/** 64-bit pointers without selectors. */
const hasWidePointers = (cpu: Cpu): boolean => cpu.codeBits === 64 && cpu.operandSize === 64;

const topOf = (cpu: Cpu): number => (cpu.state.u16(CPU_STATE.x87Status) >> 11) & 7;
const stackRegister = (top: number, i: number): number => CPU_STATE.x87Registers + 16 * ((top + i) & 7);

const save = (cpu: Cpu): void => {
  const { segment, offset } = area(cpu, true);
  const { state } = cpu;
  cpu.undefine('fxsave.image');
  onFault(cpu, 'fxsave.fault', () => {
    for (let at = 0; at < AREA_BYTES; at += 16) cpu.checkStore(segment, offset + BigInt(at), 16);
  });
  const put = (at: number, bytes: number, value: bigint | number): void => cpu.store(segment, offset + BigInt(at), bytes, BigInt(value));
  put(AREA.control, 2, state.u16(CPU_STATE.x87Control));
  put(AREA.status, 2, state.u16(CPU_STATE.x87Status));
  put(AREA.tags, 2, ~state.u16(CPU_STATE.x87Empty) & 0xff);
  put(AREA.opcode, 2, state.u16(CPU_STATE.x87Opcode));
  const pointers = [
    [AREA.instruction, CPU_STATE.x87InstructionOffset, CPU_STATE.x87InstructionSelector],
    [AREA.operand, CPU_STATE.x87OperandOffset, CPU_STATE.x87OperandSelector],
  ] as const;
  for (const [at, offsetField, selectorField] of pointers) {
    if (hasWidePointers(cpu)) put(at, 8, state.u64(offsetField));
    else put(at, 8, BigInt.asUintN(32, state.u64(offsetField)) | (BigInt(state.u16(selectorField)) << 32n));
  }
  const top = topOf(cpu);
  for (let i = 0; i < 8; i++) {
    put(AREA.registers + 16 * i, 8, state.u64(stackRegister(top, i)));
    put(AREA.registers + 16 * i + 8, 2, state.u16(stackRegister(top, i) + 8));
  }
  if (!hasSse(cpu)) return;
  put(AREA.mxcsr, 4, state.u32(CPU_STATE.mxcsr));
  put(AREA.mxcsrMask, 4, MXCSR_MASK);
  for (let i = 0; i < xmmCount(cpu); i++) put(AREA.xmm + 16 * i, 16, cpu.xmm(i));
};

const restore = (cpu: Cpu): void => {
  const { segment, offset } = area(cpu, false);
  const { state } = cpu;
  // All of it is read before anything changes.
  const words = onFault(cpu, 'fxsave.fault', () =>
    Array.from({ length: AREA_BYTES / 8 }, (_, i) => cpu.load(segment, offset + BigInt(8 * i), 8)),
  );
  const field = (at: number, bytes: number): bigint => BigInt.asUintN(8 * bytes, words[at >> 3]! >> BigInt(8 * (at & 7)));
  const word = (at: number): number => Number(field(at, 2));
  cpu.undefine('fxrstor.pointers');
  const withSse = hasSse(cpu);
  if (withSse) loadMxcsr(cpu, Number(field(AREA.mxcsr, 4)));
  const unit = new Unit(cpu);
  unit.control = word(AREA.control);
  unit.status = word(AREA.status);
  state.setU16(CPU_STATE.x87Empty, ~word(AREA.tags) & 0xff);
  state.setU16(CPU_STATE.x87Opcode, word(AREA.opcode) & OPCODE_BITS);
  const pointers = [
    [AREA.instruction, CPU_STATE.x87InstructionOffset, CPU_STATE.x87InstructionSelector],
    [AREA.operand, CPU_STATE.x87OperandOffset, CPU_STATE.x87OperandSelector],
  ] as const;
  for (const [at, offsetField, selectorField] of pointers) {
    const wide = hasWidePointers(cpu);
    state.setU64(offsetField, field(at, wide ? 8 : 4));
    state.setU16(selectorField, wide ? 0 : word(at + 4));
  }
  const top = topOf(cpu);
  for (let i = 0; i < 8; i++) {
    state.setU64(stackRegister(top, i), field(AREA.registers + 16 * i, 8));
    state.setU16(stackRegister(top, i) + 8, word(AREA.registers + 16 * i + 8));
  }
  if (!withSse) return;
  for (let i = 0; i < xmmCount(cpu); i++) {
    cpu.setXmm(i, field(AREA.xmm + 16 * i, 8) | (field(AREA.xmm + 16 * i + 8, 8) << 64n));
  }
};

export const FXSAVE: readonly Opcode[] = [opcode('NP 0F AE /0', 'FXSAVE', 'm', save), opcode('NP 0F AE /1', 'FXRSTOR', 'm', restore)];
