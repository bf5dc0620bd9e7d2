/** Near control transfers, BOUND, UD and NOP (Intel SDM volume 2: JMP, Jcc, CALL, RET, LOOPcc, JCXZ, BOUND, UD, NOP). */
import { type Cpu, VECTOR } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { CONDITIONS, type Condition } from './conditions.js';
import { hexByte } from './notation.js';
import { openWhereFaulting } from './open-order.js';
import { integerWidth, RCX, RSP, signed, unsigned } from './values.js';

/** Intel processors ignore the operand-size prefix of near branches in 64-bit mode; the manual calls it undefined. */
function sizeBranch(cpu: Cpu): void {
  if (cpu.codeBits === 64 && cpu.operandSize === 16) cpu.undefine('branch.operandSize');
}

const relativeTarget = (cpu: Cpu): bigint => cpu.nextIp + signed(cpu.read(0), integerWidth(cpu, 0));
const jumpRelative = (cpu: Cpu): void => cpu.jumpNear(relativeTarget(cpu));

const jump = (cpu: Cpu): void => {
  sizeBranch(cpu);
  jumpRelative(cpu);
};
const jumpIf =
  ({ holds }: Condition) =>
  (cpu: Cpu) => {
    sizeBranch(cpu);
    if (holds(cpu)) jumpRelative(cpu);
  };
const jumpIndirect = (cpu: Cpu): void => {
  sizeBranch(cpu);
  cpu.jumpNear(cpu.read(0));
};

/** The target is checked before the stack. */
function call(cpu: Cpu, target: bigint): void {
  sizeBranch(cpu);
  const returnAddress = cpu.nextIp;
  openWhereFaulting(cpu, 'call.order', () => cpu.jumpNear(target));
  cpu.push(unsigned(returnAddress, cpu.operandSize));
}
const callRelative = (cpu: Cpu): void => call(cpu, relativeTarget(cpu));
const callIndirect = (cpu: Cpu): void => call(cpu, cpu.read(0));

function returnNear(cpu: Cpu): void {
  sizeBranch(cpu);
  cpu.jumpNear(cpu.pop());
}
function returnNearAndRelease(cpu: Cpu): void {
  returnNear(cpu);
  cpu.setRegister(RSP, cpu.stackBits, unsigned(cpu.register(RSP, cpu.stackBits) + cpu.read(0), cpu.stackBits));
}

/** The counter is CX, ECX or RCX by the address size. */
const loop = (goesOn: (cpu: Cpu) => boolean) => (cpu: Cpu) => {
  sizeBranch(cpu);
  const count = unsigned(cpu.register(RCX, cpu.addressSize) - 1n, cpu.addressSize);
  cpu.setRegister(RCX, cpu.addressSize, count);
  if (count !== 0n && goesOn(cpu)) jumpRelative(cpu);
};
const loopWhile = (zero: boolean): ((cpu: Cpu) => void) => {
  const contrary = zero ? 0xf2 : 0xf3;
  return loop((cpu) => {
    if (cpu.instruction.repeat === contrary) cpu.undefine('loop.repeat');
    return cpu.flag('zf') === zero;
  });
};
function jumpIfCounterZero(cpu: Cpu): void {
  sizeBranch(cpu);
  if (cpu.register(RCX, cpu.addressSize) === 0n) jumpRelative(cpu);
}

/** The offset of the upper bound does not wrap at 16 bits: there it is beyond the limit. */
function bound(cpu: Cpu): void {
  const size = cpu.operandSize;
  const { segment, offset } = cpu.address(1);
  // Two words or doublewords, each aligned by its own size.
  const lower = signed(cpu.load(segment, offset, size / 8), size);
  const behind = offset + BigInt(size / 8);
  const upper = signed(cpu.load(segment, cpu.addressSize === 16 ? behind : unsigned(behind, cpu.addressSize), size / 8), size);
  const index = signed(cpu.read(0), size);
  if (index < lower || index > upper) cpu.raise(VECTOR.br);
}

const undefinedInstruction = (cpu: Cpu): never => cpu.raise(VECTOR.ud);

/** A memory operand is not accessed. */
const nothing = (): void => {};

const near = { default64: true } as const;

export const CONTROL_FLOW: readonly Opcode[] = [
  ...CONDITIONS.flatMap((condition, code) => [
    opcode(hexByte(0x70 + code), `J${condition.suffix}`, 'rel8', jumpIf(condition), near),
    opcode(`0F ${hexByte(0x80 + code)}`, `J${condition.suffix}`, 'relz', jumpIf(condition), near),
  ]),
  opcode('EB', 'JMP', 'rel8', jump, near),
  opcode('E9', 'JMP', 'relz', jump, near),
  opcode('FF /4', 'JMP', 'r/mv', jumpIndirect, near),
  opcode('E8', 'CALL', 'relz', callRelative, near),
  opcode('FF /2', 'CALL', 'r/mv', callIndirect, near),
  opcode('C3', 'RET', '', returnNear, near),
  opcode('C2', 'RET', 'imm16', returnNearAndRelease, near),
  opcode('E0', 'LOOPNE', 'rel8', loopWhile(false), near),
  opcode('E1', 'LOOPE', 'rel8', loopWhile(true), near),
  opcode(
    'E2',
    'LOOP',
    'rel8',
    loop(() => true),
    near,
  ),
  opcode('E3', 'JCXZ', 'rel8', jumpIfCounterZero, near),
  opcode('62 /r', 'BOUND', 'rv,m', bound, { not64: true }),
  opcode('0F 0B', 'UD2', '', undefinedInstruction),
  opcode('0F B9 /r', 'UD1', 'rv,r/mv', undefinedInstruction),
  opcode('0F FF /r', 'UD0', 'rv,r/mv', undefinedInstruction),
  ...[4, 5, 6, 7].map((digit) => opcode(`0F 18 /${digit}`, 'NOP', 'r/mv', nothing)),
  ...[0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f].map((byte) => opcode(`0F ${hexByte(byte)} /r`, 'NOP', 'r/mv', nothing)),
];
