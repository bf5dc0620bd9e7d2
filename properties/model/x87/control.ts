/**
 * Control of the x87: words, stack pointer, tags, initialisation, WAIT (Intel SDM volume 2). Those whose names begin with
 * FN do not wait for pending exceptions; none but FNOP and those that touch the stack counts as the last instruction.
 */
import { CPU_STATE } from '../../state/cpu-state.js';
import type { Cpu } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { computing, Unit } from './unit.js';
import { CONTROL_INITIAL, EXCEPTIONS, STACK_FAULT } from './words.js';

const withoutWait =
  (operation: (unit: Unit) => void) =>
  (cpu: Cpu): void => {
    const unit = new Unit(cpu);
    unit.requireAvailable();
    operation(unit);
  };

export function initialise(unit: Unit): void {
  const { state } = unit.cpu;
  state.setU16(CPU_STATE.x87Control, CONTROL_INITIAL);
  state.setU16(CPU_STATE.x87Status, 0);
  state.setU16(CPU_STATE.x87Empty, 0xff);
  state.setU16(CPU_STATE.x87Opcode, 0);
  state.setU64(CPU_STATE.x87InstructionOffset, 0n);
  state.setU16(CPU_STATE.x87InstructionSelector, 0);
  state.setU64(CPU_STATE.x87OperandOffset, 0n);
  state.setU16(CPU_STATE.x87OperandSelector, 0);
}

/** Exceptions that the new control word unmasks are pending from now on. */
function loadControl(cpu: Cpu): void {
  const unit = new Unit(cpu);
  if (unit.begin()) unit.control = Number(cpu.read(0));
}

const storeStatus = withoutWait((unit) => unit.cpu.write(0, BigInt(unit.status)));

/** Only clear C1. */
const stackControl = (change: (unit: Unit) => void): ((cpu: Cpu) => void) =>
  computing((unit) => {
    unit.signal(0);
    change(unit);
  });
const ancient = withoutWait((unit) => unit.cpu.undefine('x87.undocumented'));

export const CONTROL: readonly Opcode[] = [
  opcode('9B', 'FWAIT', '', (cpu) => {
    new Unit(cpu).beginWait();
  }),
  opcode('D9 /5', 'FLDCW', 'm16', loadControl),
  opcode(
    'D9 /7',
    'FNSTCW',
    'm16',
    withoutWait((unit) => unit.cpu.write(0, BigInt(unit.control))),
  ),
  opcode('DD /7', 'FNSTSW', 'm16', storeStatus),
  opcode('DF E0', 'FNSTSW', 'ax', storeStatus),
  opcode(
    'DB E2',
    'FNCLEX',
    '',
    withoutWait((unit) => unit.setCodes(EXCEPTIONS | STACK_FAULT, 0)),
  ),
  opcode('DB E3', 'FNINIT', '', withoutWait(initialise)),
  opcode(
    'D9 D0',
    'FNOP',
    '',
    computing(() => undefined),
  ),
  opcode(
    'D9 F6',
    'FDECSTP',
    '',
    stackControl((unit) => {
      unit.top -= 1;
    }),
  ),
  opcode(
    'D9 F7',
    'FINCSTP',
    '',
    stackControl((unit) => {
      unit.top += 1;
    }),
  ),
  opcode(
    'DD C0+i',
    'FFREE',
    'st(i)',
    stackControl((unit) => unit.free(unit.cpu.registerNumber(0))),
  ),
  // Undocumented: FFREE and a pop.
  opcode(
    'DF C0+i',
    'FFREEP',
    'st(i)',
    stackControl((unit) => {
      unit.cpu.undefine('x87.undocumented');
      unit.free(unit.cpu.registerNumber(0));
      unit.pop();
    }),
  ),
  // FENI and FDISI of the 8087, FSETPM of the 80287.
  opcode('DB E0', 'FNENI', '', ancient),
  opcode('DB E1', 'FNDISI', '', ancient),
  opcode('DB E4', 'FNSETPM', '', ancient),
];
