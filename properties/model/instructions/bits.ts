/** Bit instructions (Intel SDM volume 2: BT, BTS, BTR, BTC, BSF, BSR). */
import type { Cpu } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { hexByte } from './notation.js';
import { bit, type IntegerWidth, integerWidth, signed, unsigned } from './values.js';

/** What becomes of an operand, given the mask of the bit; nothing for BT. */
type Change = ((old: bigint, mask: bigint, all: bigint) => bigint) | undefined;

/** Within the operand, also of a negative offset. */
const bitPosition = (offset: bigint, width: IntegerWidth): number => Number(offset & BigInt(width - 1));

function finish(cpu: Cpu, selected: boolean): void {
  cpu.setFlag('cf', selected);
  cpu.undefine('bt.flags');
}

/** The offset counts within the operand. */
function testWithin(cpu: Cpu, change: Change): void {
  const width = integerWidth(cpu, 0);
  if (change !== undefined) cpu.checkWrite(0);
  const position = bitPosition(cpu.read(1), width);
  const old = cpu.read(0);
  finish(cpu, bit(old, position));
  if (change !== undefined) cpu.write(0, change(old, 1n << BigInt(position), unsigned(-1n, width)));
}

/** A bit string in memory: the offset, a signed number, selects a unit of the operand size before or behind the address. */
function testBitString(cpu: Cpu, change: Change): void {
  const width = integerWidth(cpu, 0);
  const bytes = width / 8;
  const bitOffset = signed(cpu.read(1), width);
  const position = bitPosition(bitOffset, width);
  const { segment, offset } = cpu.address(0);
  // Rounds toward minus infinity: the position within the unit is never negative.
  const unit = bitOffset >> BigInt(Math.log2(width));
  const at = unsigned(offset + unit * BigInt(bytes), cpu.addressSize);
  if (change !== undefined) cpu.checkStore(segment, at, bytes);
  const old = cpu.load(segment, at, bytes);
  finish(cpu, bit(old, position));
  if (change !== undefined) cpu.store(segment, at, bytes, change(old, 1n << BigInt(position), unsigned(-1n, width)));
}

const withRegister = (change: Change) => (cpu: Cpu) => {
  if (cpu.isMemory(0)) testBitString(cpu, change);
  else testWithin(cpu, change);
};
const withImmediate = (change: Change) => (cpu: Cpu) => testWithin(cpu, change);

const CHANGES: readonly (readonly [string, Change])[] = [
  ['BT', undefined],
  ['BTS', (old, mask) => old | mask],
  ['BTR', (old, mask, all) => old & (all ^ mask)],
  ['BTC', (old, mask) => old ^ mask],
];

/** A source of zero sets ZF and leaves the destination alone. */
const scan = (forward: boolean) => (cpu: Cpu) => {
  const source = cpu.read(1);
  cpu.setFlag('zf', source === 0n);
  cpu.undefine('bsf.flags');
  if (source === 0n) {
    cpu.undefine('bsf.zero');
    return;
  }
  const digits = source.toString(2);
  cpu.write(0, BigInt(digits.length - 1 - (forward ? digits.lastIndexOf('1') : 0)));
};

export const BITS: readonly Opcode[] = [
  ...CHANGES.flatMap(([mnemonic, change], n) => {
    const lock = change === undefined ? {} : ({ lock: true } as const);
    return [
      opcode(`0F ${hexByte(0xa3 + 8 * n)} /r`, mnemonic, 'r/mv,rv', withRegister(change), lock),
      opcode(`0F BA /${4 + n}`, mnemonic, 'r/mv,imm8', withImmediate(change), lock),
    ];
  }),
  opcode('0F BC /r', 'BSF', 'rv,r/mv', scan(true)),
  opcode('0F BD /r', 'BSR', 'rv,r/mv', scan(false)),
];
