/** One instruction or a few in an oracle, the model unless another is given, at CPL 3 in the user arena, for tests that know the outcome. */
import { policiesOf } from '../../compare/excuse.js';
import { modelOracle } from '../../oracles/model.js';
import { type CodeBits, createOutcomes, type Oracle } from '../../oracles/oracle.js';
import { BACKGROUND_BYTE, USER_CR3, USER_RECORD_BYTES, USER_WINDOWS } from '../../state/arena.js';
import { CPU_STATE, CPU_STATE_BYTES, CpuState, CS, REGISTER_NAMES } from '../../state/cpu-state.js';

export type RegisterName = (typeof REGISTER_NAMES)[number];
export type Registers = Partial<Record<RegisterName, bigint>>;

export interface Setup {
  readonly bits: CodeBits;
  /** Hexadecimal, spaces between instructions. */
  readonly code: string;
  readonly registers?: Registers;
  /** Names of the flags that are set, of FLAGS. */
  readonly flags?: string;
  /** From DATA on, hexadecimal. */
  readonly memory?: string;
  readonly set?: (state: CpuState) => void;
}

export interface Result {
  /** Of the exception; `undefined`: all of the code was executed. */
  readonly vector: number | undefined;
  readonly errorCode: number;
  readonly ticks: number;
  /** From the first instruction to where it went on. */
  readonly distance: number;
  readonly state: CpuState;
  readonly flags: string;
  /** Bytes from DATA plus an offset on. */
  memory(offset: number, bytes: number): string;
  readonly policies: readonly string[];
}

/** In the middle of the data window, at the border of two pages. In 16-bit code the offset is 1000h. */
export const DATA = 0x21000;
export const DATA_16 = 0x1000;
export const ABSENT = 0x30000;
/** The end of the last writable page. */
export const EDGE_END = 0x22000;
const DATA_AT = CPU_STATE_BYTES + 512 + 256;
const CODE_AT = CPU_STATE_BYTES + 0x40;
const CODE = 0x10f40;

const FLAGS = { cf: 1, pf: 4, af: 0x10, zf: 0x40, sf: 0x80, df: 0x400, of: 0x800 } as const;
const flagsOf = (names: string): number => {
  let word = 0x202;
  for (const name of names.split(' ').filter((each) => each !== '')) word |= FLAGS[name as keyof typeof FLAGS];
  return word;
};
const namesOf = (word: number): string =>
  Object.entries(FLAGS)
    .filter(([, bit]) => word & bit)
    .map(([name]) => name)
    .join(' ');

const model = modelOracle();

export function run({ bits, code, registers = {}, flags = '', memory = '', set }: Setup, oracle: Oracle = model): Result {
  const record = new Uint8Array(USER_RECORD_BYTES).fill(BACKGROUND_BYTE);
  record.fill(0, 0, CPU_STATE_BYTES);
  const state = new CpuState(record.buffer);
  const wide = bits === 16 ? 0 : 0xc000;
  for (let index = 0; index < 6; index++) {
    const isCode = index === CS;
    const base = bits === 16 ? (isCode ? 0x10000n : 0x20000n) : 0n;
    const attributes = (isCode ? 0xfb : 0xf3) | (isCode && bits === 64 ? 0xa000 : wide);
    state.setSegment(index, isCode ? 0x33 : 0x2b, base, bits === 16 ? 0xffff : 0xffff_ffff, attributes);
  }
  state.rip = BigInt(CODE - (bits === 16 ? 0x10000 : 0));
  state.setU32(CPU_STATE.cr0, 0x8000_0033);
  state.setU32(CPU_STATE.cr3, USER_CR3);
  state.setU32(CPU_STATE.cpl, 3);
  if (bits === 64) state.setU32(CPU_STATE.efer, 0x500);
  for (const [name, value] of Object.entries(registers)) state.registers[REGISTER_NAMES.indexOf(name as RegisterName)] = value;
  state.flags = flagsOf(flags);
  record.set(Buffer.from(memory.replaceAll(' ', ''), 'hex'), DATA_AT);
  const bytes = Buffer.from(code.replaceAll(' ', ''), 'hex');
  record.set(bytes, CODE_AT);
  set?.(state);
  const start = state.rip;

  const outcomes = createOutcomes(1, USER_RECORD_BYTES);
  oracle.run({ arena: 'user', bits, windows: USER_WINDOWS, count: 1, records: record, tickLimit: 1000 }, outcomes);
  const after = new CpuState(outcomes.records.buffer as ArrayBuffer);
  const distance = Number(BigInt.asIntN(64, after.rip - start));
  const atFiller = outcomes.vectors[0] === 13 && distance !== 0 && outcomes.errorCodes[0] === 0;
  return {
    vector: atFiller ? undefined : outcomes.vectors[0],
    errorCode: outcomes.errorCodes[0]!,
    ticks: outcomes.ticks[0]!,
    distance,
    state: after,
    flags: namesOf(after.flags),
    memory: (offset, length) => Buffer.from(outcomes.records.subarray(DATA_AT + offset, DATA_AT + offset + length)).toString('hex'),
    policies: policiesOf(outcomes, 0),
  };
}
