/** SSE and SSE2 arithmetic and comparison (Intel SDM volume 2: ADDPS, SQRTSD, MINSS, CMPPD, UCOMISS...). */
import type { SseFunctions } from '../../float/library.js';
import type { Context } from '../../translate/context.js';
import type { I32, V128 } from '../../wasm/values.js';
import { type Definition, row, type Semantics } from '../definition.js';
import { type Bits, call, DOUBLE, type Lanes, laneNumbers, SINGLE, withExceptions, withLanes } from './float-lanes.js';
import { type NativeOperation, packedNative } from './native-float.js';
import { readPacked, requireSse, writeLow, writePacked } from './operands.js';

/** One element of a result; both operands are cheap to evaluate. */
type LaneOperation = (c: Context, lanes: Lanes, a: Bits, b: Bits, mxcsr: I32) => Bits;

const scalar =
  (lanes: Lanes, operation: LaneOperation): Semantics =>
  (c) => {
    requireSse(c);
    const b = lanes.readLow(c, 1);
    const a = lanes.readLow(c, 0);
    writeLow(
      c,
      0,
      withExceptions(c, (mxcsr) => operation(c, lanes, a, b, mxcsr)),
    );
  };

const packed =
  (lanes: Lanes, operation: LaneOperation, native: NativeOperation | undefined): Semantics =>
  (c) => {
    requireSse(c);
    const b = readPacked(c, 1, 'xmm');
    const a = readPacked(c, 0, 'xmm');
    const exact = (): V128 => {
      const results = withExceptions(c, (mxcsr) =>
        laneNumbers(lanes).map((lane) => operation(c, lanes, lanes.get(a, lane), lanes.get(b, lane), mxcsr)),
      );
      return withLanes(lanes, a, results);
    };
    writePacked(c, 0, 'xmm', native === undefined ? exact() : packedNative(c, lanes, native, a, b, exact));
  };

/** The four forms of an instruction. */
function allForms(
  opcode: string,
  mnemonic: string,
  operation: LaneOperation,
  native: NativeOperation | undefined,
  immediate = '',
): Definition[] {
  return [
    row(`NP 0F ${opcode} /r`, `${mnemonic}ps`, `Vx,Wx${immediate}`, packed(SINGLE, operation, native)),
    row(`66 0F ${opcode} /r`, `${mnemonic}pd`, `Vx,Wx${immediate}`, packed(DOUBLE, operation, native)),
    row(`F3 0F ${opcode} /r`, `${mnemonic}ss`, `Vx,Wd${immediate}`, scalar(SINGLE, operation)),
    row(`F2 0F ${opcode} /r`, `${mnemonic}sd`, `Vx,Wq${immediate}`, scalar(DOUBLE, operation)),
  ];
}

const two =
  (name: keyof SseFunctions): LaneOperation =>
  (c, lanes, a, b, mxcsr) =>
    call(c, lanes.functions(c)[name], a, b, mxcsr);
const squareRoot: LaneOperation = (c, lanes, _a, b, mxcsr) => call(c, lanes.functions(c).sqrt, b, mxcsr);

/** All ones where the predicate in the low three bits of the immediate holds, else zeros. */
const compareMask: LaneOperation = (c, lanes, a, b, mxcsr) => {
  const holds = call(c, lanes.functions(c).predicate, a, b, mxcsr, c.immediate.and(7)) as I32;
  return c.let<Bits>(lanes.bits === 64 ? holds.toI64U().neg() : holds.neg());
};

/** COMISS and kin: the library's code has CF, PF and ZF in their places; OF, SF and AF are cleared. */
const compareIntoFlags =
  (lanes: Lanes, name: 'compare' | 'compareQuiet'): Semantics =>
  (c) => {
    requireSse(c);
    const b = lanes.readLow(c, 1);
    const a = lanes.readLow(c, 0);
    const code = withExceptions(c, (mxcsr) => call(c, lanes.functions(c)[name], a, b, mxcsr)) as I32;
    const bit = (place: number): I32 => c.let(code.shrU(place).and(1));
    const zero = c.let(code.and(0));
    c.flags.setLow(bit(0), bit(2), zero, bit(6), zero, zero);
  };

export const FLOAT_ARITHMETIC: readonly Definition[] = [
  ...allForms('51', 'sqrt', squareRoot, 'sqrt'),
  ...allForms('58', 'add', two('add'), 'add'),
  ...allForms('59', 'mul', two('mul'), 'mul'),
  ...allForms('5C', 'sub', two('sub'), 'sub'),
  ...allForms('5D', 'min', two('min'), 'min'),
  ...allForms('5E', 'div', two('div'), 'div'),
  ...allForms('5F', 'max', two('max'), 'max'),
  ...allForms('C2', 'cmp', compareMask, undefined, ',Ib'),
  row('NP 0F 2E /r', 'ucomiss', 'Vx,Wd', compareIntoFlags(SINGLE, 'compareQuiet')),
  row('66 0F 2E /r', 'ucomisd', 'Vx,Wq', compareIntoFlags(DOUBLE, 'compareQuiet')),
  row('NP 0F 2F /r', 'comiss', 'Vx,Wd', compareIntoFlags(SINGLE, 'compare')),
  row('66 0F 2F /r', 'comisd', 'Vx,Wq', compareIntoFlags(DOUBLE, 'compare')),
];
