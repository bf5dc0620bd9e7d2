/** Shifts and rotates (Intel SDM volume 2: SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR, SHLD, SHRD). */
import type { Cpu } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { bit, type IntegerWidth, modify, mostSignificantBit, signed, unsigned } from './values.js';

/** What a shift by at least 1 makes of a value, and CF and OF with it. */
interface Shifted {
  readonly result: bigint;
  readonly carry: boolean;
  readonly overflow: boolean;
}
type Shift = (value: bigint, count: number, width: IntegerWidth, carry: boolean) => Shifted;

const maskedCount = (cpu: Cpu, operand: number, width: IntegerWidth): number => Number(cpu.read(operand)) & (width === 64 ? 63 : 31);

/** OF of a single left shift or rotate, and ours for all of them: the sign has changed, as seen from CF. */
const leftOverflow = (result: bigint, carry: boolean, width: IntegerWidth): boolean => carry !== mostSignificantBit(result, width);
/** OF of a single right rotate, and ours for all of them: the two upper bits differ. */
const rightOverflow = (result: bigint, width: IntegerWidth): boolean => bit(result, width - 1) !== bit(result, width - 2);

const shiftLeft: Shift = (value, count, width) => {
  const exact = value << BigInt(count);
  const result = unsigned(exact, width);
  const carry = bit(exact, width);
  return { result, carry, overflow: leftOverflow(result, carry, width) };
};
const shiftRight: Shift = (value, count, width) => ({
  result: value >> BigInt(count),
  carry: bit(value, count - 1),
  overflow: count === 1 && mostSignificantBit(value, width),
});
const shiftRightArithmetic: Shift = (value, count, width) => {
  const exact = signed(value, width);
  return { result: unsigned(exact >> BigInt(count), width), carry: bit(exact, count - 1), overflow: false };
};

/** Turns the low `width` bits of a value to the left. */
function rotated(value: bigint, count: number, width: number): bigint {
  const turn = BigInt(count % width);
  return unsigned(value << turn, width) | (value >> (BigInt(width) - turn));
}

const rotateLeft: Shift = (value, count, width) => {
  const result = rotated(value, count, width);
  const carry = bit(result, 0);
  return { result, carry, overflow: leftOverflow(result, carry, width) };
};
const rotateRight: Shift = (value, count, width) => {
  const result = rotated(value, width - (count % width), width);
  return { result, carry: mostSignificantBit(result, width), overflow: rightOverflow(result, width) };
};
/** CF is one more bit, above the operand. */
const rotateLeftThroughCarry: Shift = (value, count, width, oldCarry) => {
  const turned = rotated(value | (oldCarry ? 1n << BigInt(width) : 0n), count, width + 1);
  const result = unsigned(turned, width);
  const carry = bit(turned, width);
  return { result, carry, overflow: leftOverflow(result, carry, width) };
};
const rotateRightThroughCarry: Shift = (value, count, width, oldCarry) => {
  const around = width + 1;
  const turned = rotated(value | (oldCarry ? 1n << BigInt(width) : 0n), around - (count % around), around);
  const result = unsigned(turned, width);
  return { result, carry: bit(turned, width), overflow: rightOverflow(result, width) };
};

/** With a count of zero neither the operand nor a flag changes; memory is written nevertheless. */
const shifting = (shift: Shift) => (cpu: Cpu) => {
  modify(cpu, (old, width) => {
    const count = maskedCount(cpu, 1, width);
    if (count === 0) return old;
    const { result, carry, overflow } = shift(old, count, width, cpu.flag('cf'));
    cpu.setFlag('cf', carry);
    cpu.setFlag('of', overflow);
    cpu.setFlag('af', false);
    cpu.setResultFlags(result, width);
    cpu.undefine('shift.af');
    // SAR fills with the sign, so that its CF is defined for every count.
    if (count >= width && shift !== shiftRightArithmetic) cpu.undefine('shift.cf');
    if (count > 1) cpu.undefine('shift.of');
    return result;
  });
};

/** Of the flags only CF and OF change. */
const rotating = (rotate: Shift) => (cpu: Cpu) => {
  modify(cpu, (old, width) => {
    const count = maskedCount(cpu, 1, width);
    if (count === 0) return old;
    const { result, carry, overflow } = rotate(old, count, width, cpu.flag('cf'));
    cpu.setFlag('cf', carry);
    cpu.setFlag('of', overflow);
    if (count > 1) cpu.undefine('rotate.of');
    return result;
  });
};

/** ModRM.reg = 0 to 7. /6 is an alias of SHL that AMD documents. */
const GROUP_2: readonly (readonly [string, (cpu: Cpu) => void])[] = [
  ['ROL', rotating(rotateLeft)],
  ['ROR', rotating(rotateRight)],
  ['RCL', rotating(rotateLeftThroughCarry)],
  ['RCR', rotating(rotateRightThroughCarry)],
  ['SHL', shifting(shiftLeft)],
  ['SHR', shifting(shiftRight)],
  ['SHL', shifting(shiftLeft)],
  ['SAR', shifting(shiftRightArithmetic)],
];

/**
 * Bits of the second operand enter the first. Where 16 bits are shifted by more than 16, which the manual leaves
 * undefined, the second operand enters again behind itself.
 */
const doubleShift = (left: boolean) => (cpu: Cpu) => {
  modify(cpu, (old, width) => {
    const count = maskedCount(cpu, 2, width);
    if (count === 0) return old;
    const source = cpu.read(1);
    const size = BigInt(width);
    const [upper, lower] = left ? [old, source] : [source, old];
    const wide = (upper << (2n * size)) | (source << size) | lower;
    const result = unsigned(left ? wide >> (2n * size - BigInt(count)) : wide >> BigInt(count), width);
    cpu.setFlag('cf', bit(wide, left ? 3 * width - count : count - 1));
    cpu.setFlag('of', mostSignificantBit(old, width) !== mostSignificantBit(result, width));
    cpu.setFlag('af', false);
    cpu.setResultFlags(result, width);
    if (count > width) cpu.undefine('shld.count');
    else {
      cpu.undefine('shld.af');
      if (count > 1) cpu.undefine('shld.of');
    }
    return result;
  });
};

export const SHIFTS: readonly Opcode[] = [
  ...GROUP_2.flatMap(([mnemonic, execute], n) => [
    opcode(`C0 /${n}`, mnemonic, 'r/m8,imm8', execute),
    opcode(`C1 /${n}`, mnemonic, 'r/mv,imm8', execute),
    opcode(`D0 /${n}`, mnemonic, 'r/m8,1', execute),
    opcode(`D1 /${n}`, mnemonic, 'r/mv,1', execute),
    opcode(`D2 /${n}`, mnemonic, 'r/m8,cl', execute),
    opcode(`D3 /${n}`, mnemonic, 'r/mv,cl', execute),
  ]),
  opcode('0F A4 /r', 'SHLD', 'r/mv,rv,imm8', doubleShift(true)),
  opcode('0F A5 /r', 'SHLD', 'r/mv,rv,cl', doubleShift(true)),
  opcode('0F AC /r', 'SHRD', 'r/mv,rv,imm8', doubleShift(false)),
  opcode('0F AD /r', 'SHRD', 'r/mv,rv,cl', doubleShift(false)),
];
