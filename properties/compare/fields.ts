/**
 * The fields of a record by name, so that a difference can be said: registers as the mode calls them, flags one by one,
 * x87 registers as the stack has them, memory as window and offset.
 */
import type { CodeBits } from '../oracles/oracle.js';
import type { Window } from '../state/arena.js';
import { CPU_STATE, CPU_STATE_BYTES, CpuState, REGISTER_NAMES, SEGMENT_NAMES } from '../state/cpu-state.js';

export interface FieldValue {
  /** 'eax', 'flags.of', 'st(0)', 'data+0x10' */
  readonly field: string;
  /** What kind of thing it is: 'register', 'flags.of', 'x87 register', 'memory'... Differences of one cause agree in this. */
  readonly kind: string;
}

interface NumberField extends FieldValue {
  readonly offset: number;
  readonly bytes: 2 | 4 | 8;
  readonly shift: number;
  readonly bits: number;
}

export interface Difference extends FieldValue {
  readonly before: string;
  readonly left: string;
  readonly right: string;
}

const FLAG_BITS: readonly (readonly [name: string, bit: number])[] = [
  ...([
    ['cf', 0],
    ['pf', 2],
    ['af', 4],
    ['zf', 6],
    ['sf', 7],
    ['tf', 8],
    ['if', 9],
    ['df', 10],
    ['of', 11],
  ] as const),
  ...([
    ['nt', 14],
    ['rf', 16],
    ['vm', 17],
    ['ac', 18],
    ['vif', 19],
    ['vip', 20],
    ['id', 21],
  ] as const),
];
const X87_STATUS_BITS = ['ie', 'de', 'ze', 'oe', 'ue', 'pe', 'sf', 'es', 'c0', 'c1', 'c2'];
const MXCSR_BITS = ['ie', 'de', 'ze', 'oe', 'ue', 'pe', 'daz', 'im', 'dm', 'zm', 'om', 'um', 'pm'];

/** As the mode at hand calls a general register. */
function registerName(index: number, bits: CodeBits): string {
  const name = REGISTER_NAMES[index] as string;
  return bits === 64 || index > 7 ? name : `e${name.slice(1)}`;
}

const whole = (field: string, offset: number, bytes: 2 | 4 | 8, kind = field): NumberField => ({
  field,
  kind,
  offset,
  bytes,
  shift: 0,
  bits: bytes * 8,
});
const part = (field: string, offset: number, shift: number, bits: number, bytes: 2 | 4 = 4): NumberField => ({
  field,
  kind: field,
  offset,
  bytes,
  shift,
  bits,
});

function numberFields(codeBits: CodeBits): NumberField[] {
  const fields: NumberField[] = [];
  REGISTER_NAMES.forEach((_, i) =>
    fields.push(whole(registerName(i, codeBits), CPU_STATE.registers + i * 8, 8, i === 4 ? 'stack pointer' : 'register')),
  );
  fields.push(whole(codeBits === 64 ? 'rip' : 'eip', CPU_STATE.rip, 8, 'instruction pointer'));
  for (const [name, bit] of FLAG_BITS) fields.push(part(`flags.${name}`, CPU_STATE.flags, bit, 1));
  fields.push(part('flags.iopl', CPU_STATE.flags, 12, 2));
  SEGMENT_NAMES.forEach((name, i) => {
    const at = CPU_STATE.segments + i * 24;
    fields.push(whole(`${name}.base`, at, 8, 'segment base'), whole(`${name}.limit`, at + 8, 4, 'segment limit'));
    fields.push(whole(name, at + 12, 2, 'selector'), whole(`${name}.attributes`, at + 16, 4, 'segment attributes'));
  });
  fields.push(whole('gdtr.base', CPU_STATE.gdtrBase, 8), whole('gdtr.limit', CPU_STATE.gdtrLimit, 8));
  fields.push(whole('idtr.base', CPU_STATE.idtrBase, 8), whole('idtr.limit', CPU_STATE.idtrLimit, 8));
  for (const name of ['cr0', 'cr2', 'cr3', 'cr4', 'efer'] as const) fields.push(whole(name, CPU_STATE[name], 8));
  for (let i = 0; i < 8; i++) fields.push(whole(`dr${i}`, CPU_STATE.debug + i * 8, 8));
  fields.push(whole('cpl', CPU_STATE.cpl, 4), whole('halted', CPU_STATE.halted, 4));
  fields.push(whole('x87.control', CPU_STATE.x87Control, 2));
  X87_STATUS_BITS.forEach((name, bit) => fields.push(part(`x87.${name}`, CPU_STATE.x87Status, bit, 1, 2)));
  fields.push(part('x87.top', CPU_STATE.x87Status, 11, 3, 2), part('x87.c3', CPU_STATE.x87Status, 14, 1, 2));
  fields.push(part('x87.b', CPU_STATE.x87Status, 15, 1, 2));
  fields.push(whole('x87.empty', CPU_STATE.x87Empty, 2), whole('x87.opcode', CPU_STATE.x87Opcode, 2));
  fields.push(
    whole('x87.instruction', CPU_STATE.x87InstructionOffset, 8),
    whole('x87.instructionSelector', CPU_STATE.x87InstructionSelector, 2),
  );
  fields.push(whole('x87.operand', CPU_STATE.x87OperandOffset, 8), whole('x87.operandSelector', CPU_STATE.x87OperandSelector, 2));
  MXCSR_BITS.forEach((name, bit) => fields.push(part(`mxcsr.${name}`, CPU_STATE.mxcsr, bit, 1)));
  fields.push(part('mxcsr.rc', CPU_STATE.mxcsr, 13, 2), part('mxcsr.fz', CPU_STATE.mxcsr, 15, 1));
  fields.push(whole('interrupt shadow', CPU_STATE.interruptShadow, 4));
  fields.push(
    whole('sysenter.cs', CPU_STATE.sysenterCs, 8),
    whole('sysenter.esp', CPU_STATE.sysenterEsp, 8),
    whole('sysenter.eip', CPU_STATE.sysenterEip, 8),
  );
  for (let i = 0; i < 4; i++) fields.push(whole(`pdpte${i}`, CPU_STATE.pageDirectoryPointers + i * 8, 8));
  return fields;
}

const fieldsByBits = new Map<CodeBits, readonly NumberField[]>();
function fieldsOf(bits: CodeBits): readonly NumberField[] {
  let fields = fieldsByBits.get(bits);
  if (fields === undefined) {
    fields = numberFields(bits);
    fieldsByBits.set(bits, fields);
  }
  return fields;
}

export const hexadecimal = (value: bigint | number): string => `0x${value.toString(16)}`;

function numberAt(view: DataView, { offset, bytes, shift, bits }: NumberField): bigint {
  const value =
    bytes === 8 ? view.getBigUint64(offset, true) : BigInt(bytes === 4 ? view.getUint32(offset, true) : view.getUint16(offset, true));
  return (value >> BigInt(shift)) & ((1n << BigInt(bits)) - 1n);
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** 80 bits as sign and exponent, then significand; 128 bits high half first. */
function wide(view: DataView, at: number, bytes: 10 | 16): string {
  const low = view.getBigUint64(at, true).toString(16).padStart(16, '0');
  const high =
    bytes === 10
      ? view
          .getUint16(at + 8, true)
          .toString(16)
          .padStart(4, '0')
      : view
          .getBigUint64(at + 8, true)
          .toString(16)
          .padStart(16, '0');
  return `${high}:${low}`;
}

/** All fields in which two records differ, with what they were before. */
export function differingFields(
  bits: CodeBits,
  windows: readonly Window[],
  before: Uint8Array,
  left: Uint8Array,
  right: Uint8Array,
): Difference[] {
  const found: Difference[] = [];
  const [beforeView, leftView, rightView] = [viewOf(before), viewOf(left), viewOf(right)];
  for (const field of fieldsOf(bits)) {
    const [a, b] = [numberAt(leftView, field), numberAt(rightView, field)];
    if (a === b) continue;
    found.push({
      field: field.field,
      kind: field.kind,
      before: hexadecimal(numberAt(beforeView, field)),
      left: hexadecimal(a),
      right: hexadecimal(b),
    });
  }
  const top = (leftView.getUint16(CPU_STATE.x87Status, true) >> 11) & 7;
  const wideRegisters = (count: number, base: number, bytes: 10 | 16, name: (i: number) => string, kind: string): void => {
    for (let i = 0; i < count; i++) {
      const at = base + i * 16;
      const [a, b] = [wide(leftView, at, bytes), wide(rightView, at, bytes)];
      if (a !== b) found.push({ field: name(i), kind, before: wide(beforeView, at, bytes), left: a, right: b });
    }
  };
  wideRegisters(8, CPU_STATE.x87Registers, 10, (i) => `st(${(i - top) & 7})`, 'x87 register');
  wideRegisters(16, CPU_STATE.xmm, 16, (i) => `xmm${i}`, 'xmm register');
  let at = CPU_STATE_BYTES;
  for (const { name, bytes } of windows) {
    memoryRuns(found, name, before.subarray(at, at + bytes), left.subarray(at, at + bytes), right.subarray(at, at + bytes));
    at += bytes;
  }
  return found;
}

/** Bytes that differ, neighbours together. */
function memoryRuns(found: Difference[], name: string, before: Uint8Array, left: Uint8Array, right: Uint8Array): void {
  const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  for (let i = 0; i < left.length; i++) {
    if (left[i] === right[i]) continue;
    let end = i + 1;
    while (end < left.length && end - i < 16 && left[end] !== right[end]) end++;
    found.push({
      field: `${name}+${hexadecimal(i)}`,
      kind: 'memory',
      before: hex(before.subarray(i, end)),
      left: hex(left.subarray(i, end)),
      right: hex(right.subarray(i, end)),
    });
    i = end;
  }
}

const X87_FIELD = /^x87\.r([0-7])$/;
const XMM_FIELD = /^xmm(\d+)$/;

/** Every field of a state by name: numbers in hexadecimal, wide registers as high and low half. x87 registers are x87.r0 to x87.r7. */
export function stateFields(bits: CodeBits, record: Uint8Array): Map<string, string> {
  const view = viewOf(record);
  const values = new Map<string, string>();
  for (const field of fieldsOf(bits)) values.set(field.field, hexadecimal(numberAt(view, field)));
  for (let i = 0; i < 8; i++) values.set(`x87.r${i}`, wide(view, CPU_STATE.x87Registers + i * 16, 10));
  for (let i = 0; i < 16; i++) values.set(`xmm${i}`, wide(view, CPU_STATE.xmm + i * 16, 16));
  return values;
}

/** Sets what `stateFields` has shown. */
export function setField(bits: CodeBits, record: Uint8Array, name: string, value: string): void {
  const view = viewOf(record);
  const [x87, xmm] = [X87_FIELD.exec(name)?.[1], XMM_FIELD.exec(name)?.[1]];
  if (x87 !== undefined || xmm !== undefined) {
    const [high, low] = value.split(':').map((half) => BigInt(`0x${half}`)) as [bigint, bigint];
    const at = x87 !== undefined ? CPU_STATE.x87Registers + Number(x87) * 16 : CPU_STATE.xmm + Number(xmm) * 16;
    view.setBigUint64(at, low, true);
    view.setBigUint64(at + 8, high, true);
    return;
  }
  const field = fieldsOf(bits).find((candidate) => candidate.field === name);
  if (field === undefined) throw new Error(`no field of a state is named ${name}`);
  const { offset, bytes, shift, bits: width } = field;
  const mask = ((1n << BigInt(width)) - 1n) << BigInt(shift);
  const old = numberAt(view, { ...field, shift: 0, bits: bytes * 8 });
  const changed = (old & ~mask) | ((BigInt(value) << BigInt(shift)) & mask);
  if (bytes === 8) view.setBigUint64(offset, changed, true);
  else if (bytes === 4) view.setUint32(offset, Number(changed), true);
  else view.setUint16(offset, Number(changed), true);
}

/** The state of a record, without copying. */
export const stateOfRecord = (record: Uint8Array): CpuState => new CpuState(record.buffer as ArrayBuffer, record.byteOffset);
