/** The CPU's state as plain data: canonical (lazy flags materialised, caches left out), complete, restorable. */
import { type DeviceState, StateError, type StateValue } from '../devices/device.js';
import type { Core } from './core.js';
import * as layout from './layout.js';
import { CR0 } from './state.js';

/** Cells that are saved as they are: name, address, bytes. */
const CELLS: readonly (readonly [string, number, number])[] = [
  ['registers', layout.REGISTERS, 128],
  ['eip', layout.EIP, 8],
  ['cpl', layout.CPL, 4],
  ['gdtrBase', layout.GDTR_BASE, 8],
  ['gdtrLimit', layout.GDTR_LIMIT, 4],
  ['idtrBase', layout.IDTR_BASE, 8],
  ['idtrLimit', layout.IDTR_LIMIT, 4],
  ['control', layout.CONTROL, 40],
  ['debug', layout.DEBUG, 64],
  ['efer', layout.EFER, 8],
  ['pageDirectoryPointers', layout.PDPTE, 32],
  ['x87Registers', layout.X87_REGISTERS, 128],
  ['x87Control', layout.X87_CONTROL, 4],
  ['x87Status', layout.X87_STATUS, 4],
  ['x87Top', layout.X87_TOP, 4],
  ['x87Empty', layout.X87_EMPTY, 4],
  ['x87Opcode', layout.X87_OPCODE, 4],
  ['x87InstructionOffset', layout.X87_INSTRUCTION_OFFSET, 8],
  ['x87InstructionSelector', layout.X87_INSTRUCTION_SELECTOR, 4],
  ['x87OperandOffset', layout.X87_OPERAND_OFFSET, 8],
  ['x87OperandSelector', layout.X87_OPERAND_SELECTOR, 4],
  ['xmm', layout.XMM_REGISTERS, 256],
  ['mxcsr', layout.MXCSR, 4],
];

/** Segment registers without the bounds that are derived from them. */
const SEGMENT_CELL_BYTES = layout.SEGMENT.readBytes;

/** What translations depend on, besides memory; of CR0 only PG, WP and PE (TS changes with every task). */
function pagingRegisters({ state }: Core): string {
  const words = [layout.CR3, layout.CR4, layout.EFER, ...[0, 4, 8, 12, 16, 20, 24, 28].map((offset) => layout.PDPTE + offset)];
  return [state.cr0 & (CR0.pg | CR0.wp | CR0.pe), ...words.map((address) => state.get32(address))].join();
}

export function saveCpu(core: Core): DeviceState {
  const { state } = core;
  const cells: DeviceState = {};
  // One copy, and views of it: checkpoints take thousands of states.
  const copy = state.u8.slice(layout.REGISTERS, layout.CPU_STATE_END);
  for (const [name, address, bytes] of CELLS) cells[name] = copy.subarray(address - layout.REGISTERS, address - layout.REGISTERS + bytes);
  for (let index = 0; index < 8; index++) {
    const at = layout.segmentAddress(index) - layout.REGISTERS;
    cells[`segment${index}`] = copy.subarray(at, at + SEGMENT_CELL_BYTES);
  }
  const tick = core.tick;
  return {
    cells,
    eflags: state.eflags,
    tick,
    interruptsInhibited: state.f64[layout.SHADOW_TICK >>> 3] === tick,
    halted: core.halted,
    msr: [...core.msr].sort(([a], [b]) => a - b).map(([address, value]) => [address, value]),
  };
}

function fail(what: string): never {
  throw new StateError(`cpu: ${what}`);
}

/** Pairs of address and value: exactly the registers that there are. */
function readMsrs(saved: StateValue | undefined, present: ReadonlyMap<number, bigint>): ReadonlyMap<number, bigint> {
  if (!Array.isArray(saved)) fail('msr must be a list');
  const read = new Map<number, bigint>();
  for (const entry of saved as StateValue[]) {
    if (!Array.isArray(entry) || typeof entry[0] !== 'number' || typeof entry[1] !== 'bigint') fail('msr holds pairs of number and bigint');
    const [address, value] = entry;
    if (!present.has(address) || BigInt.asUintN(64, value) !== value) fail(`there is no model-specific register ${address} with ${value}`);
    read.set(address, value);
  }
  if (read.size !== present.size) fail('model-specific registers are missing');
  return read;
}

export function restoreCpu(core: Core, saved: DeviceState): void {
  const { state } = core;
  const cells = saved.cells as DeviceState | undefined;
  if (typeof cells !== 'object') fail('the state has no cells');
  const put = (name: string, address: number, bytes: number): void => {
    const value = cells[name];
    if (!(value instanceof Uint8Array) || value.length !== bytes) fail(`${name} must be ${bytes} bytes`);
    state.u8.set(value, address);
  };
  const { eflags, tick, interruptsInhibited, halted, msr } = saved;
  if (typeof eflags !== 'number' || !Number.isInteger(eflags) || eflags < 0 || eflags > 0xffff_ffff) fail('eflags must be a 32-bit number');
  if (typeof tick !== 'number' || !Number.isSafeInteger(tick) || tick < 0) fail('tick must be a whole number');
  if (typeof interruptsInhibited !== 'boolean' || typeof halted !== 'boolean') fail('interruptsInhibited and halted must be booleans');
  const registers = readMsrs(msr, core.msr);
  const paging = pagingRegisters(core);
  for (const [name, address, bytes] of CELLS) put(name, address, bytes);
  for (let index = 0; index < 8; index++) put(`segment${index}`, layout.segmentAddress(index), SEGMENT_CELL_BYTES);
  state.eflags = eflags;
  core.setTick(tick);
  state.f64[layout.SHADOW_TICK >>> 3] = interruptsInhibited ? tick : -1;
  core.halted = halted;
  for (const [address, value] of registers) core.msr.set(address, value);
  state.set32(layout.FAULT_VECTOR, layout.NO_FAULT);
  core.registersReplaced(paging !== pagingRegisters(core));
}
