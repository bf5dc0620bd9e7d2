/** Bit instructions and decimal adjustment (Intel SDM volume 2: BT, BSF, AAA, DAA and kin). */
import { VECTOR } from '../cpu/exceptions.js';
import type { Context } from '../translate/context.js';
import { type Int, toI32, toI64 } from '../translate/int.js';
import { I32, I64, select } from '../wasm/values.js';
import { type Definition, row, type Semantics } from './definition.js';

const EAX = 0;

type BitChange = ((old: Int, mask: Int) => Int) | undefined;

/** Offset in a register, or immediate: within the operand. */
function bitWithin(c: Context, change: BitChange): void {
  const number = c.read(1);
  const position = c.let((c.size === 64 ? toI64(number) : number).and(c.size - 1));
  const setCarry = (old: Int): void => c.flags.setCarry(toI32(old.shrU(position)).and(1));
  if (change === undefined) setCarry(c.read(0));
  else {
    c.modify(0, (old) => {
      setCarry(old);
      return change(old, c.let(c.const(1).shl(position)));
    });
  }
}

/** A register offset with a memory operand reaches any bit relative to it: bytes beyond the operand size too. */
function bitInMemory(c: Context, change: BitChange): void {
  const offset = c.let(c.readSigned(1));
  const bytes = c.size / 8;
  const elements = offset.shrS(31 - Math.clz32(c.size)).mul(bytes);
  const displacement = c.form.long && !(offset instanceof I64) ? toI32(elements).toI64S() : elements;
  const linear = c.linearDisplaced(0, displacement, bytes, change !== undefined);
  const position = c.let(offset.and(c.size - 1));
  const setCarry = (old: Int): void => c.flags.setCarry(toI32(old.shrU(position)).and(1));
  if (change === undefined) {
    setCarry(c.load(linear, c.size));
    return;
  }
  c.modifyAt(linear, c.size, (old) => {
    setCarry(old);
    return change(old, c.let(c.const(1).shl(position)));
  });
}

const testBit =
  (change: BitChange): Semantics =>
  (c) => {
    if (c.isMemory(0)) bitInMemory(c, change);
    else bitWithin(c, change);
  };
const testBitImmediate =
  (change: BitChange): Semantics =>
  (c) =>
    bitWithin(c, change);

const CHANGES: readonly (readonly [string, BitChange])[] = [
  ['bt', undefined],
  ['bts', (old, mask) => old.or(mask)],
  ['btr', (old, mask) => old.and(mask.not())],
  ['btc', (old, mask) => old.xor(mask)],
];

/** BSF, BSR: a zero source sets ZF and leaves the destination (as AMD documents and Intel does). Other flags stay. */
const bitScan =
  (forward: boolean): Semantics =>
  (c) => {
    const source = c.let(c.read(1));
    c.flags.setZero(source.eqz());
    c.f.if(source.ne(0), () => {
      const top = c.size === 64 ? 63 : 31;
      c.write(0, forward ? source.ctz() : c.const(top).sub(source.clz()));
    });
  };

// --- decimal adjustment ---------------------------------------------------------------------------------------------

/** AAA (direction 1) and AAS (-1). PF, ZF, SF, OF are undefined: PF, ZF, SF follow AL, OF = 0 (policy). */
const asciiAdjust =
  (direction: 1 | -1): Semantics =>
  (c) => {
    const ax = c.let(toI32(c.register(EAX, 16)));
    const adjust = c.let(ax.and(15).gtU(9).or(c.flags.af()));
    const adjusted = select(adjust, direction === 1 ? ax.add(0x106) : ax.sub(0x106), ax);
    const result = c.let(adjusted.and(0xff0f));
    c.setRegister(EAX, 16, result);
    c.flags.explicit(result.and(0xff), 8, adjust, I32.of(0), adjust);
  };

/** DAA and DAS. OF is undefined: 0 (policy). */
const decimalAdjust =
  (direction: 1 | -1): Semantics =>
  (c) => {
    const al = c.let(toI32(c.register(EAX, 8)));
    const carry = c.let(c.flags.cf());
    const low = c.let(al.and(15).gtU(9).or(c.flags.af()));
    const high = c.let(al.gtU(0x99).or(carry));
    const amount = low.mul(6).add(high.mul(0x60));
    const result = c.let((direction === 1 ? al.add(amount) : al.sub(amount)).and(0xff));
    // DAS: a borrow out of the low correction sets CF as well.
    const borrowed = direction === 1 ? high : high.or(low.and(al.ltU(6)));
    c.setRegister(EAX, 8, result);
    c.flags.explicit(result, 8, borrowed, I32.of(0), low);
  };

/** AAM: #DE for base 0. */
const asciiAdjustMultiply: Semantics = (c) => {
  const base = c.let(c.read(0));
  c.f.if(base.eqz(), () => c.raise(VECTOR.divideError));
  const al = c.let(toI32(c.register(EAX, 8)));
  const low = c.let(al.remU(toI32(base)));
  c.setRegister(EAX, 16, low.or(al.divU(toI32(base)).shl(8)));
  c.flags.explicit(low, 8, I32.of(0), I32.of(0));
};
const asciiAdjustDivide: Semantics = (c) => {
  const ax = c.let(toI32(c.register(EAX, 16)));
  const low = c.let(ax.add(ax.shrU(8).mul(toI32(c.read(0)))).and(0xff));
  c.setRegister(EAX, 16, low);
  c.flags.explicit(low, 8, I32.of(0), I32.of(0));
};

/** SALC (undocumented, on every Intel processor since the 8086): AL = CF ? FF : 0. */
const setAlFromCarry: Semantics = (c) => c.setRegister(EAX, 8, c.flags.cf().neg());

export const BITS: readonly Definition[] = [
  ...CHANGES.flatMap(([mnemonic, change], n) => {
    const options = change === undefined ? ({ hot: true } as const) : ({ lock: true } as const);
    return [
      row(`0F ${(0xa3 + n * 8).toString(16).toUpperCase()} /r`, mnemonic, 'Ev,Gv', testBit(change), options),
      row(`0F BA /${4 + n}`, mnemonic, 'Ev,Ib', testBitImmediate(change), options),
    ];
  }),
  row('0F BC /r', 'bsf', 'Gv,Ev', bitScan(true)),
  row('0F BD /r', 'bsr', 'Gv,Ev', bitScan(false)),
  row('37', 'aaa', '', asciiAdjust(1), { not64: true }),
  row('3F', 'aas', '', asciiAdjust(-1), { not64: true }),
  row('27', 'daa', '', decimalAdjust(1), { not64: true }),
  row('2F', 'das', '', decimalAdjust(-1), { not64: true }),
  row('D4', 'aam', 'Ib', asciiAdjustMultiply, { not64: true }),
  row('D5', 'aad', 'Ib', asciiAdjustDivide, { not64: true }),
  row('D6', 'salc', '', setAlFromCarry, { not64: true }),
];
