/** Any encoding as the instruction of a system case: its bytes, and the registers that lead its operands into the system arena. */
import { CPU_STATE, type CpuState, ES } from '../state/cpu-state.js';
import { SYSTEM_AREA, SYSTEM_CODE } from '../state/system-arena.js';
import type { InstructionEncoding } from './encodings.js';
import { type BuiltInstruction, INSTRUCTION_POINTER, InstructionBuilder, type MemoryOperand, NO_REGISTER } from './instruction.js';
import type { Random } from './random.js';
import { drawSelector } from './system-selectors.js';
import { interesting32 } from './values.js';

/** Base of the segments of 16-bit cases. */
const BASE_16 = 0x8000;
const SELECTORS = 8;
const [RAX, RCX, RBX, RSP, RSI, RDI] = [0, 1, 3, 4, 6, 7];
const X87_BYTES = 8 * 16;
const XMM_BYTES = 8 * 16;
const CR4_SSE = 0x600; // OSFXSR, OSXMMEXCPT
const MXCSR_MASKED = 0x1f80;
const X87_MASKED = 0x37f;
const TOP_BITS = 7 << 11;
const MASK_32 = 0xffff_ffffn;

export function buildSystemInstruction(random: Random, bits: 16 | 32, encoding: InstructionEncoding): BuiltInstruction {
  const base = bits === 16 ? BASE_16 : 0;
  return new InstructionBuilder(random).build(encoding, {
    bits,
    at: SYSTEM_CODE - base,
    dataOffset: (_, bytes) => drawPlace(random, bytes) - base,
    selectors: Array.from({ length: SELECTORS }, () => drawSelector(random)),
  });
}

/** Linear address of an operand: in the data, sometimes across one of its ends. */
function drawPlace(random: Random, bytes: number): number {
  const { address, bytes: room } = SYSTEM_AREA.data;
  if (random.chance(10)) return address + random.pick([0, room]) - random.below(Math.max(2, bytes));
  const offset = random.below(Math.max(1, room - bytes));
  return address + (random.chance(60) ? offset & ~15 : offset);
}

/** Makes the state one in which the instruction, mostly, reaches its operands. */
export function prepareFor(random: Random, state: CpuState, built: BuiltInstruction): void {
  const { encoding, memory, addressBits, segment, repeated } = built;
  if (encoding.family !== 'integer') drawMedia(random, state);
  if (random.chance(50)) state.registers[RAX] = BigInt(interesting32(random) >>> 0);
  for (const implicit of encoding.implicit) {
    const register = implicit === 'sourceIndex' ? RSI : implicit === 'translate' ? RBX : RDI;
    const from = implicit === 'destinationIndex' ? ES : segment;
    const offset = BigInt(drawPlace(random, 16)) - state.segmentBase(from);
    state.registers[register] = BigInt.asUintN(addressBits, offset);
  }
  if (repeated && random.chance(80)) state.registers[RCX] = BigInt(random.below(6));
  if (memory !== undefined && random.chance(85)) aim(random, state, memory);
}

function aim(random: Random, state: CpuState, { segment, addressBits, base, index, scale, displacement, bytes }: MemoryOperand): void {
  // The stack pointer has a frame of its own to point to.
  const register = base !== NO_REGISTER && base !== RSP ? base : index;
  if (register === NO_REGISTER || register === INSTRUCTION_POINTER) return;
  const other = register === base ? index : base;
  const otherValue = other === NO_REGISTER ? 0n : (state.registers[other] as bigint) << (other === index ? BigInt(scale) : 0n);
  if (other === register) return;
  const offset = BigInt(drawPlace(random, bytes)) - state.segmentBase(segment) - BigInt(displacement) - otherValue;
  const wanted = register === index ? BigInt.asUintN(addressBits, offset) >> BigInt(scale) : offset;
  state.registers[register] = BigInt.asUintN(addressBits, wanted) & MASK_32;
}

/** Registers of the x87 and of SSE, as they come. */
function drawMedia(random: Random, state: CpuState): void {
  for (let at = 0; at < X87_BYTES; at += 16) {
    state.setU64(CPU_STATE.x87Registers + at, random.bigint(64) | (1n << 63n));
    state.setU16(CPU_STATE.x87Registers + at + 8, random.pick([0x3fff, 0x4001, 0xbffe, 0x403e, 0xffff, random.below(0x10000)]));
  }
  for (let at = 0; at < XMM_BYTES; at += 8) state.setU64(CPU_STATE.xmm + at, random.bigint(64));
  state.setU16(CPU_STATE.x87Empty, random.chance(70) ? 0 : random.below(256));
  state.setU16(CPU_STATE.x87Status, random.u32() & TOP_BITS);
  state.setU16(CPU_STATE.x87Control, random.chance(80) ? X87_MASKED : X87_MASKED & ~random.below(0x40));
  state.setU32(CPU_STATE.mxcsr, random.chance(80) ? MXCSR_MASKED : random.u32() & 0xffff);
  if (random.chance(80)) state.setU64(CPU_STATE.cr4, state.u64(CPU_STATE.cr4) | BigInt(CR4_SSE));
}
