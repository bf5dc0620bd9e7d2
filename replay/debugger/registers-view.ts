/**
 * The registers as text, with what has changed since the timeline last stood still marked.
 */
import type { Machine } from '../../engine/index.js';
import { CpuView } from '../gdb/registers.js';
import { FLAGS, SEGMENTS } from './guest-view.js';

/** Values by name, hexadecimal. */
export type RegisterTexts = ReadonlyMap<string, string>;

const ROWS: readonly (readonly string[])[] = [
  ['eax', 'ebx', 'ecx', 'edx'],
  ['esi', 'edi', 'ebp', 'esp'],
  ['eip', 'eflags', 'cpl', 'code'],
  ['cs', 'ss', 'ds'],
  ['es', 'fs', 'gs'],
  ['ldtr', 'tr'],
  ['gdtr', 'idtr'],
  ['cr0', 'cr2', 'cr3', 'cr4'],
  ['dr0', 'dr1', 'dr2', 'dr3'],
  ['dr6', 'dr7', 'efer'],
];

const VECTOR_ROWS: readonly (readonly string[])[] = [
  ['fctrl', 'fstat', 'ftag', 'mxcsr'],
  ...Array.from({ length: 4 }, (_, row) => [`st${row * 2}`, `st${row * 2 + 1}`]),
  ...Array.from({ length: 8 }, (_, index) => [`xmm${index}`]),
];

const GENERAL = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi', 'eip', 'cr0', 'cr2', 'cr3', 'cr4'] as const;

const digitsOf = (value: bigint | number, digits: number): string => value.toString(16).padStart(digits, '0');

export function registerTexts(machine: Machine): RegisterTexts {
  const { registers } = machine;
  const cpu = new CpuView(machine);
  const texts = new Map<string, string>();
  for (const name of GENERAL) texts.set(name, digitsOf(registers.get(name), 8));
  texts.set('eflags', flagsText(registers.get('eflags')));
  texts.set('cpl', String(registers.privilege));
  texts.set('code', `${registers.codeBits} bits`);
  for (const name of [...SEGMENTS, 'ldtr', 'tr'] as const) {
    const place = `base ${digitsOf(cpu.segmentBase(name), 8)} limit ${digitsOf(cpu.segmentLimit(name), 8)}`;
    texts.set(name, `${digitsOf(cpu.selector(name), 4)} ${place}`);
  }
  for (const name of ['gdtr', 'idtr'] as const)
    texts.set(name, `base ${digitsOf(cpu.cell(`${name}Base`, 0, 4), 8)} limit ${digitsOf(cpu.cell(`${name}Limit`, 0, 4), 4)}`);
  for (const index of [0, 1, 2, 3, 6, 7]) texts.set(`dr${index}`, digitsOf(cpu.cell('debug', index * 8, 4), 8));
  texts.set('efer', digitsOf(cpu.cell('efer', 0, 8), 8));
  texts.set('fctrl', digitsOf(cpu.cell('x87Control', 0, 2), 4));
  texts.set('fstat', digitsOf(cpu.x87Status, 4));
  texts.set('ftag', digitsOf(cpu.x87Tags, 4));
  texts.set('mxcsr', digitsOf(cpu.cell('mxcsr', 0, 4), 8));
  for (let index = 0; index < 8; index++) {
    texts.set(`st${index}`, digitsOf(cpu.stack(index), 20));
    texts.set(`xmm${index}`, digitsOf(cpu.cell('xmm', index * 16, 16), 32));
  }
  return texts;
}

function flagsText(eflags: number): string {
  const set = FLAGS.filter(([, bit]) => (eflags >>> bit) & 1).map(([name]) => name);
  return `${digitsOf(eflags, 8)} [${[`iopl ${(eflags >>> 12) & 3}`, ...set].join(' ')}]`;
}

/** @param mark how to show what differs from `before` */
export function registersText(now: RegisterTexts, before: RegisterTexts, vectors: boolean, mark: (text: string) => string): string[] {
  const cell = (name: string): string => {
    const value = now.get(name) ?? '';
    return value === before.get(name) ? `${name} ${value} ` : `${name} ${mark(value)}`;
  };
  return [...ROWS, ...(vectors ? VECTOR_ROWS : [])].map((row) => row.map(cell).join(' ').trimEnd());
}
