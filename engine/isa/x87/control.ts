/** Control of the FPU that generated code does itself: words, stack pointer, initialisation, WAIT (Intel SDM volume 2). */
import * as layout from '../../cpu/layout.js';
import { CR0 } from '../../cpu/state.js';
import type { Context } from '../../translate/context.js';
import { toI32 } from '../../translate/int.js';
import { I32, I64, select } from '../../wasm/values.js';
import { type Definition, row, type Semantics } from '../definition.js';
import { Fpu } from './fpu.js';
import { CONTROL_INITIAL, CONTROL_ONES, CONTROL_WRITABLE, ERROR_PENDING, STATUS } from './status.js';

const EAX = 0;
const EMPTY_ALL = 0xff;

/** The status word as programs see it. */
const statusWord = (c: Context): I32 => c.cell32(layout.X87_STATUS).and(0xffff).or(c.cell32(layout.X87_TOP).shl(STATUS.topShift));

/** A new control word may unmask a pending exception or mask it. */
const loadControl: Semantics = (c) => {
  const fpu = new Fpu(c);
  fpu.begin();
  const value = c.let(toI32(c.load(c.linear(0, false), 16)));
  c.setCell32(layout.X87_CONTROL, value.and(CONTROL_WRITABLE).or(CONTROL_ONES));
  const pending = c.let(fpu.status.and(value.not()).and(STATUS.exceptions));
  const settled = fpu.status.and(~(ERROR_PENDING | STATUS.ignoreError));
  fpu.setStatus(settled.or(select(pending, I32.of(ERROR_PENDING), I32.of(0))));
  c.f.if(pending, () => {
    c.f.if(c.cell32(layout.CR0).and(CR0.ne).eqz(), () => c.leave(c.nextEip()));
  });
};

const storeWord =
  (word: (c: Context) => I32): Semantics =>
  (c) => {
    new Fpu(c).requireAvailable();
    c.store(c.linear(0, true), 16, word(c));
  };

const storeStatusInAx: Semantics = (c) => {
  new Fpu(c).requireAvailable();
  c.setRegister(EAX, 16, statusWord(c));
};

const clearExceptions: Semantics = (c) => {
  const fpu = new Fpu(c);
  fpu.requireAvailable();
  fpu.setStatus(fpu.status.and(~(STATUS.exceptions | STATUS.stackFault | ERROR_PENDING | STATUS.ignoreError)));
};

const initialise: Semantics = (c) => {
  new Fpu(c).requireAvailable();
  c.setCell32(layout.X87_CONTROL, CONTROL_INITIAL);
  for (const cell of INITIALLY_ZERO) c.setCell32(cell, 0);
  for (const cell of POINTERS) c.setWide(cell, c.form.long ? I64.of(0) : I32.of(0));
  c.setCell32(layout.X87_EMPTY, EMPTY_ALL);
};
const INITIALLY_ZERO = [layout.X87_STATUS, layout.X87_TOP, layout.X87_OPCODE, layout.X87_INSTRUCTION_SELECTOR, layout.X87_OPERAND_SELECTOR];
const POINTERS = [layout.X87_INSTRUCTION_OFFSET, layout.X87_OPERAND_OFFSET];

/** WAIT is watched by CR0.TS only if CR0.MP says so, and does not care for CR0.EM. */
const wait: Semantics = (c) => {
  const watched = CR0.mp | CR0.ts;
  new Fpu(c).begin(() => c.cell32(layout.CR0).and(watched).eq(watched));
};

const noOperation: Semantics = (c) => {
  const fpu = new Fpu(c);
  fpu.begin();
  fpu.note();
};
/** FNENI, FNDISI, FNSETPM: meant something to the 8087 and 80287. */
const ancient: Semantics = (c) => new Fpu(c).requireAvailable();

const onStack =
  (change: (fpu: Fpu) => void): Semantics =>
  (c) => {
    const fpu = new Fpu(c);
    fpu.begin();
    fpu.note();
    fpu.commit(I32.of(0));
    change(fpu);
  };
const free = (fpu: Fpu): void => fpu.free(fpu.c.registerField('rm'));

export const X87_CONTROL_ROWS: readonly Definition[] = [
  row('9B', 'wait', '', wait),
  row('D9 /5', 'fldcw', 'Mw', loadControl),
  row(
    'D9 /7',
    'fnstcw',
    'Mw',
    storeWord((c) => c.cell32(layout.X87_CONTROL)),
  ),
  row('DD /7', 'fnstsw', 'Mw', storeWord(statusWord)),
  row('DF =E0', 'fnstsw', 'AX', storeStatusInAx),
  row('DB =E0', 'fneni', '', ancient),
  row('DB =E1', 'fndisi', '', ancient),
  row('DB =E2', 'fnclex', '', clearExceptions),
  row('DB =E3', 'fninit', '', initialise),
  row('DB =E4', 'fnsetpm', '', ancient),
  row('D9 =D0', 'fnop', '', noOperation),
  row(
    'D9 =F6',
    'fdecstp',
    '',
    onStack((fpu) => fpu.moveTop(-1)),
  ),
  row(
    'D9 =F7',
    'fincstp',
    '',
    onStack((fpu) => fpu.moveTop(1)),
  ),
  row('DD /0', 'ffree', 'R', onStack(free)),
  // Undocumented.
  row(
    'DF /0',
    'ffreep',
    'R',
    onStack((fpu) => {
      free(fpu);
      fpu.pop();
    }),
  ),
];
