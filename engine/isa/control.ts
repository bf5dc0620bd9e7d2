/** Near control transfers, flag instructions and NOPs (Intel SDM volume 2). Far transfers are host semantics. */
import * as layout from '../cpu/layout.js';
import { EFLAG } from '../cpu/state.js';
import type { Context } from '../translate/context.js';
import { type Int, toI64 } from '../translate/int.js';
import { I32 } from '../wasm/values.js';
import { CONDITIONS } from './data-movement.js';
import { type Definition, row, type Semantics } from './definition.js';
import { ADDRESSING } from './record.js';

const ECX = 1;

const pushBits = (c: Context): 16 | 32 | 64 => (c.size === 8 ? 32 : c.size);

const jumpRelative: Semantics = (c) => c.jumpRelative();

const jumpIf =
  (code: number): Semantics =>
  (c) =>
    c.f.if(c.flags.condition(code), () => c.jumpRelative());

const callRelative: Semantics = (c) => {
  c.requireTarget(c.relativeTarget());
  c.push(c.maskedTarget(c.nextOffset()), pushBits(c));
  c.jumpRelative();
};

/** As wide as EIP. */
const branchTarget = (c: Context, value: Int): Int => c.let(c.form.long ? toI64(value) : value);

const jumpIndirect: Semantics = (c) => {
  const target = branchTarget(c, c.read(0));
  c.requireTarget(target);
  c.jump(target);
};
const callIndirect: Semantics = (c) => {
  const target = branchTarget(c, c.read(0));
  c.requireTarget(target);
  c.push(c.maskedTarget(c.nextOffset()), pushBits(c));
  c.jump(target);
};

/** RET: a target beyond the code segment faults with the stack as it was. */
const returnNear =
  (release: boolean): Semantics =>
  (c) => {
    const before = c.let(c.wide(layout.ESP));
    const target = branchTarget(c, c.pop(pushBits(c)));
    c.requireTarget(target, () => c.setWide(layout.ESP, before));
    if (release) c.releaseStack(c.immediate.and(0xffff));
    c.jump(target);
  };

/** LOOP and JCXZ count in CX, ECX or RCX by the address size. */
const counterIsNarrow = (c: Context): I32 => c.addressingFlags().and(ADDRESSING.narrow);

/** The counter one lower. */
function countDown(c: Context): Int {
  if (c.form.long) {
    const after = c.let(c.narrowed(c.wide(layout.ECX).sub(1)));
    c.setWide(layout.ECX, after);
    return after;
  }
  const after = c.newLocal();
  c.f.set(after, c.cell32(layout.ECX).sub(1));
  c.f.if(
    counterIsNarrow(c),
    () => {
      c.setRegister(ECX, 16, after.get());
      c.f.set(after, after.get().and(0xffff));
    },
    () => c.setCell32(layout.ECX, after.get()),
  );
  return after.get();
}

const loopWhile =
  (zero: boolean | undefined): Semantics =>
  (c) => {
    const before = c.let(c.wide(layout.ECX));
    const counted = countDown(c).ne(0);
    const holds = zero === undefined ? counted : counted.and(zero ? c.flags.zf() : c.flags.zf().xor(1));
    c.f.if(holds, () => c.jumpRelative(() => c.setWide(layout.ECX, before)));
  };
const jumpIfCounterZero: Semantics = (c) => {
  const counter = c.narrowed(c.wide(layout.ECX));
  c.f.if(counter.eqz(), () => c.jumpRelative());
};

const setSystemFlag =
  (flag: number, on: boolean): Semantics =>
  (c) => {
    const flags = c.cell32(layout.EFLAGS_SYSTEM);
    c.setCell32(layout.EFLAGS_SYSTEM, on ? flags.or(flag) : flags.and(~flag));
  };

const nothing: Semantics = () => {};

const hex = (byte: number): string => byte.toString(16).toUpperCase();

export const CONTROL_FLOW: readonly Definition[] = [
  ...CONDITIONS.flatMap((suffix, code) => [
    row(hex(0x70 + code), `j${suffix}`, 'Jb', jumpIf(code), { sized: true, hot: true, default64: true }),
    row(`0F ${hex(0x80 + code)}`, `j${suffix}`, 'Jz', jumpIf(code), { sized: true, hot: true, default64: true }),
  ]),
  row('EB', 'jmp', 'Jb', jumpRelative, { sized: true, hot: true, terminal: true, default64: true }),
  row('E9', 'jmp', 'Jz', jumpRelative, { sized: true, hot: true, terminal: true, default64: true }),
  row('E8', 'call', 'Jz', callRelative, { sized: true, hot: true, terminal: true, default64: true }),
  row('FF /4', 'jmp', 'Ev', jumpIndirect, { hot: true, terminal: true, default64: true }),
  row('FF /2', 'call', 'Ev', callIndirect, { hot: true, terminal: true, default64: true }),
  row('C3', 'ret', '', returnNear(false), { sized: true, hot: true, terminal: true, default64: true }),
  row('C2', 'ret', 'Iw', returnNear(true), { sized: true, hot: true, terminal: true, default64: true }),
  row('E0', 'loopne', 'Jb', loopWhile(false), { sized: true, default64: true }),
  row('E1', 'loope', 'Jb', loopWhile(true), { sized: true, default64: true }),
  row('E2', 'loop', 'Jb', loopWhile(undefined), { sized: true, hot: true, default64: true }),
  row('E3', 'jecxz', 'Jb', jumpIfCounterZero, { sized: true, default64: true }),
  row('F5', 'cmc', '', (c) => c.flags.setCarry(c.let(c.flags.cf().xor(1)))),
  row('F8', 'clc', '', (c) => c.flags.setCarry(I32.of(0)), { hot: true }),
  row('F9', 'stc', '', (c) => c.flags.setCarry(I32.of(1)), { hot: true }),
  row('FC', 'cld', '', setSystemFlag(EFLAG.df, false), { hot: true }),
  row('FD', 'std', '', setSystemFlag(EFLAG.df, true)),
  row('90', 'nop', '', nothing, { hot: true }),
  row('0F 1F /r', 'nop', 'Ev', nothing, { hot: true }),
  ...['18 /4', '18 /5', '18 /6', '18 /7', '19 /r', '1A /r', '1B /r', '1C /r', '1D /r', '1E /r'].map((code) =>
    row(`0F ${code}`, 'nop', 'Ev', nothing),
  ),
  ...[0, 1, 2, 3].map((digit) => row(`0F 18 /${digit}`, 'prefetch', 'Eb', nothing)),
  row('0F 0D /r', 'prefetchw', 'Eb', nothing),
];
