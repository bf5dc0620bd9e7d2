/**
 * The host processor as the judge: every integer instruction in all operand sizes, on random registers, flags and
 * memory, through the host (host-integer.c, built here with gcc) and through the semantics, alone in a block and stepped.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { HostJudge } from '../../properties/testing/host-judge.js';
import { ARITHMETIC_FLAGS, EFLAG } from '../cpu/state.js';
import { OperandSource } from '../float/test-float-bench.js';
import { createMachine } from '../machine.js';
import { ARITHMETIC } from './arithmetic.js';
import { BITS } from './bits.js';
import { DATA_MOVEMENT } from './data-movement.js';
import { type Definition, parseOperands } from './definition.js';
import { SHIFTS } from './shifts.js';
import { STRINGS } from './strings.js';

const CASES = Number(process.env.INTEGER_CASES ?? 40);
/** Where the judge has its memory; the guest has its own at the same address. */
const CODE = 0x10000;
const MEMORY = 0x12000;
const MEMORY_BYTES = 256;
const IN_BYTES = 36 + MEMORY_BYTES + 16;
const OUT_BYTES = 40 + MEMORY_BYTES;
const REGISTERS = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'] as const;
const COMPARED_FLAGS = ARITHMETIC_FLAGS | EFLAG.df;
const { cf, pf, af, zf, sf, of } = EFLAG;

interface Case {
  readonly code: readonly number[];
  readonly size: 8 | 16 | 32;
  readonly registers: readonly number[];
  readonly flags: number;
  readonly memory: Uint8Array;
}

interface Outcome {
  readonly trapped: boolean;
  readonly registers: readonly number[];
  readonly flags: number;
  readonly memory: string;
}

/** The count of a shift or rotate: 1, CL or the immediate, which comes last. */
function countOf({ operands }: Definition, { code, registers }: Case): number {
  if (operands.endsWith(',1')) return 1;
  return (operands.endsWith('CL') ? (registers[1] as number) : (code.at(-1) as number)) & 31;
}

/** Flags that the manual leaves undefined. */
function undefinedFlags(definition: Definition, each: Case, trapped: boolean): number {
  const { size } = each;
  switch (definition.mnemonic) {
    case 'and':
    case 'or':
    case 'xor':
    case 'test':
      return af;
    case 'shl':
    case 'sal':
    case 'shr':
    case 'sar': {
      const count = countOf(definition, each);
      if (count === 0) return 0;
      return af | (count > 1 ? of : 0) | (count >= size && definition.mnemonic !== 'sar' ? cf : 0);
    }
    case 'rol':
    case 'ror':
    case 'rcl':
    case 'rcr':
      return countOf(definition, each) > 1 ? of : 0;
    case 'shld':
    case 'shrd': {
      const count = countOf(definition, each);
      if (count > size) return ARITHMETIC_FLAGS;
      return count === 0 ? 0 : af | (count > 1 ? of : 0);
    }
    case 'mul':
    case 'imul':
      return sf | zf | af | pf;
    case 'div':
    case 'idiv':
      return trapped ? 0 : ARITHMETIC_FLAGS;
    case 'bsf':
    case 'bsr':
      return cf | of | sf | af | pf;
    case 'bt':
    case 'bts':
    case 'btr':
    case 'btc':
      return of | sf | af | pf;
    case 'aaa':
    case 'aas':
      return of | sf | zf | pf;
    case 'daa':
    case 'das':
      return of;
    case 'aam':
    case 'aad':
      return of | af | cf;
    default:
      return 0;
  }
}

/** The manual leaves the result open: 16 bits swapped or shifted by more than they have. */
function isUndefined(definition: Definition, each: Case): boolean {
  if (definition.mnemonic === 'bswap') return each.size === 16;
  return (definition.mnemonic === 'shld' || definition.mnemonic === 'shrd') && countOf(definition, each) > each.size;
}

/** The instruction at a size; a memory operand is at EDI plus a displacement. */
function encode(definition: Definition, source: OperandSource, size: 8 | 16 | 32): number[] {
  const operands = parseOperands(definition.operands);
  const code: number[] = [];
  if (definition.options.repeat !== undefined && source.below(2) === 0) code.push(source.below(2) === 0 ? 0xf2 : 0xf3);
  if (size === 16) code.push(0x66);
  let modRm = -1;
  for (const word of definition.encoding.split(' ')) {
    if (word === '/r') modRm = source.below(8) << 3;
    else if (word.startsWith('/')) modRm = Number(word.slice(1)) << 3;
    else if (word.endsWith('+r')) code.push(Number.parseInt(word, 16) + source.below(8));
    else code.push(Number.parseInt(word, 16));
  }
  if (modRm >= 0) {
    const kinds = operands.map(({ kind }) => kind);
    if (kinds.includes('M') || (kinds.includes('E') && source.below(2) === 0)) code.push(modRm | 0x47, source.below(64));
    else code.push(modRm | 0xc0 | source.below(8));
  }
  for (const operand of operands) {
    const bytes = operand.kind === 'O' ? 4 : operand.kind !== 'I' ? 0 : 'bs'.includes(operand.size) ? 1 : size / 8;
    if (operand.kind === 'O') code.push(source.below(MEMORY_BYTES - 4), (MEMORY >>> 8) & 0xff, MEMORY >>> 16, 0);
    else for (let i = 0; i < bytes; i++) code.push(source.below(4) === 0 ? 0 : source.below(256));
  }
  return code;
}

function value(source: OperandSource): number {
  switch (source.below(4)) {
    case 0:
      return source.below(40);
    case 1:
      return ((1 << source.below(32)) - source.below(3)) >>> 0;
    case 2:
      return -source.below(300) >>> 0;
    default:
      return source.u32();
  }
}

function draw(definition: Definition, source: OperandSource): Case {
  const { operands, options } = definition;
  const bytes = /(^|,)(Eb|Gb|AL|Zb)/.test(operands) && !/v|z/.test(operands);
  const sized = options.sized === true || /v|z|eAX/.test(operands);
  const size = bytes && !sized ? 8 : sized && source.below(2) === 0 ? 16 : 32;
  const code = encode(definition, source, size);
  const inside = (room: number): number => MEMORY + 64 + source.below(room);
  const registers = [value(source), value(source), value(source), value(source), inside(64), inside(64), inside(64), inside(64)];
  if (options.repeat !== undefined) registers[1] = source.below(8);
  if (definition.mnemonic === 'xlat') registers[3] = MEMORY - (((registers[0] as number) & 0xff) - source.below(MEMORY_BYTES));
  if (/^bt.?$/.test(definition.mnemonic)) {
    // A bit offset reaches far; as a register it stays small, and pointers are multiples of nothing.
    const modRm = code.at(-2) as number;
    const register = (modRm >> 3) & 7;
    if (operands === 'Ev,Gv' && modRm >>> 6 === 1) {
      if (register >= 4) return draw(definition, source);
      registers[register] = source.below(400) - 200;
    }
  }
  const memory = Uint8Array.from({ length: MEMORY_BYTES }, () => source.below(source.below(4) === 0 ? 3 : 256));
  return { code, size, registers, flags: (source.u32() & COMPARED_FLAGS) | 2, memory };
}

const host = new HostJudge(new URL('host-integer.c', import.meta.url));
afterAll(() => host.close());

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function ask(cases: readonly Case[]): Outcome[] {
  const input = Buffer.alloc(cases.length * IN_BYTES);
  cases.forEach(({ code, registers, flags, memory }, i) => {
    const at = i * IN_BYTES;
    registers.forEach((register, n) => input.writeInt32LE(register | 0, at + 4 * n));
    // IF, as an application has it.
    input.writeUInt32LE(flags | 0x200, at + 32);
    input.set(memory, at + 36);
    input.set(code, at + 36 + MEMORY_BYTES);
    input[at + IN_BYTES - 1] = code.length;
  });
  const answers = host.ask(input);
  return cases.map((_, i) => {
    const at = i * OUT_BYTES;
    return {
      trapped: answers.readInt32LE(at + 36) >= 0,
      registers: REGISTERS.map((_, n) => answers.readUInt32LE(at + 4 * n)),
      flags: answers.readUInt32LE(at + 32) & COMPARED_FLAGS,
      memory: hex(answers.subarray(at + 40, at + OUT_BYTES)),
    };
  });
}

function guest(tier: 'auto' | 'step'): (each: Case) => Outcome {
  const machine = createMachine({
    boot: { kind: 'raw', image: Uint8Array.of(0xf4), address: CODE, entry: CODE, mode: 'protected' },
    memoryBytes: 1 << 20,
    tier,
  });
  return ({ code, registers, flags, memory }) => {
    // OUT F4, AL ends the run behind the instruction.
    machine.memory.writeBytes(CODE, Uint8Array.from([...code, 0xe6, 0xf4]));
    machine.memory.writeBytes(MEMORY, memory);
    REGISTERS.forEach((name, n) => machine.registers.set(name, registers[n] as number));
    machine.registers.set('eip', CODE);
    machine.registers.set('eflags', flags);
    const reason = machine.run({ tick: machine.tick + 100 });
    // There is no interrupt table: an exception is a triple fault.
    if (reason.kind !== 'debugExit' && reason.kind !== 'tripleFault') throw new Error(`the run ended with ${reason.kind}`);
    const after = new Uint8Array(MEMORY_BYTES);
    machine.memory.readBytes(MEMORY, after);
    return {
      trapped: reason.kind === 'tripleFault',
      registers: REGISTERS.map((name) => machine.registers.get(name)),
      flags: machine.registers.get('eflags') & COMPARED_FLAGS,
      memory: hex(after),
    };
  };
}

const rows = [...ARITHMETIC, ...DATA_MOVEMENT, ...SHIFTS, ...BITS, ...STRINGS].filter(
  ({ semantics, operands }) => typeof semantics !== 'string' && !operands.includes('S'),
);
const title = ({ mnemonic, encoding, operands }: Definition): string => `${mnemonic} ${operands} (${encoding})`;

describe('integer instructions as the host has them', () => {
  const cases = rows.flatMap((definition, index) => {
    const source = new OperandSource(index + 1);
    const drawn: Case[] = [];
    while (drawn.length < CASES) {
      const each = draw(definition, source);
      if (!isUndefined(definition, each)) drawn.push(each);
    }
    return drawn;
  });
  let verdicts: Outcome[] | undefined;
  const tiers = { auto: guest('auto'), step: guest('step') };

  test.each(rows.map((definition, index) => [title(definition), definition, index] as const))('%s', (_title, definition, index) => {
    // One process for all: starting one costs more than what it computes.
    verdicts ??= ask(cases);
    for (let i = index * CASES; i < (index + 1) * CASES; i++) {
      const each = cases[i] as Case;
      const verdict = verdicts[i] as Outcome;
      const free = undefinedFlags(definition, each, verdict.trapped);
      const show = (outcome: Outcome): unknown => ({
        code: hex(Uint8Array.from(each.code)),
        before: [...each.registers, each.flags].map((word) => (word >>> 0).toString(16)).join(' '),
        memoryBefore: hex(each.memory),
        ...outcome,
        registers: outcome.registers.map((word) => word.toString(16)).join(' '),
        flags: (outcome.flags & ~free).toString(16),
      });
      for (const run of Object.values(tiers)) expect(show(run(each))).toEqual(show(verdict));
    }
  });
});
