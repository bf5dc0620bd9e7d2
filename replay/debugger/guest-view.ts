/**
 * The guest where the timeline stands, as the debugger's commands look at it: registers by name, memory, code. Nothing here
 * changes anything.
 */
import type { Machine, RegisterName } from '../../engine/index.js';
import type { Names } from './expression.js';
import type { Symbols } from './symbols.js';
import { hex, littleEndian } from './text.js';

/** Bytes to lines of assembly (properties/assembler/disassemble.ts). */
export type Disassemble = (
  bytes: Uint8Array,
  options: { readonly bits: 16 | 32; readonly address: number; readonly count: number },
) => readonly { readonly address: number; readonly bytes: Uint8Array; readonly text: string }[];

export interface Instruction {
  readonly linear: number;
  /** Of the code segment. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** With the symbols that a branch leads to. */
  readonly text: string;
}

const WORD_REGISTERS = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'] as const;
const BYTE_LETTERS = ['a', 'c', 'd', 'b'] as const;
export const SEGMENTS = ['cs', 'ss', 'ds', 'es', 'fs', 'gs'] as const;
const OTHERS = ['eip', 'eflags', ...SEGMENTS, 'ldtr', 'tr', 'cr0', 'cr2', 'cr3', 'cr4'] as const;

/** EFLAGS by bit (Intel SDM volume 1, section 3.4.3). */
export const FLAGS: readonly (readonly [name: string, bit: number])[] = [
  ['cf', 0],
  ['pf', 2],
  ['af', 4],
  ['zf', 6],
  ['sf', 7],
  ['tf', 8],
  ['if', 9],
  ['df', 10],
  ['of', 11],
  ['nt', 14],
  ['rf', 16],
  ['vm', 17],
  ['ac', 18],
];

const INSTRUCTION_LIMIT_BYTES = 15;
/** Branches, whose target the formatter writes last. */
const BRANCH = /^(?:call|jmp|j[a-z]+|loop\w*) (?:short |near )?0x([0-9a-f]+)$/i;

type Reader = (machine: Machine) => number;

const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ...[...WORD_REGISTERS, ...OTHERS].map((name): [string, Reader] => [name, ({ registers }) => registers.get(name as RegisterName)]),
  ...WORD_REGISTERS.map((name): [string, Reader] => [name.slice(1), ({ registers }) => registers.get(name) & 0xffff]),
  ...BYTE_LETTERS.map((letter): [string, Reader] => [`${letter}l`, ({ registers }) => registers.get(`e${letter}x`) & 0xff]),
  ...BYTE_LETTERS.map((letter): [string, Reader] => [`${letter}h`, ({ registers }) => (registers.get(`e${letter}x`) >>> 8) & 0xff]),
  ...FLAGS.map(([name, bit]): [string, Reader] => [name, ({ registers }) => (registers.get('eflags') >>> bit) & 1]),
  ['pc', (machine) => linearPc(machine)],
  ['cpl', ({ registers }) => registers.privilege],
]);

export const REGISTER_WORDS: readonly string[] = [...READERS.keys()];

/** Linear address of the instruction that comes next. */
const linearPc = ({ registers }: Machine): number => (registers.segmentBase('cs') + registers.get('eip')) >>> 0;

export class GuestView implements Names {
  constructor(
    readonly machine: Machine,
    readonly symbols: Symbols,
    private readonly disassemble: Disassemble,
  ) {}

  get pc(): number {
    return linearPc(this.machine);
  }

  register(name: string): (() => number) | undefined {
    const read = READERS.get(name);
    return read === undefined ? undefined : () => read(this.machine);
  }

  segmentBase(name: string): (() => number) | undefined {
    const segment = SEGMENTS.find((candidate) => candidate === name);
    return segment === undefined ? undefined : () => this.machine.registers.segmentBase(segment);
  }

  symbol(name: string): number | undefined {
    return this.symbols.addressOf(name);
  }

  read(linear: number, bytes: number): number | undefined {
    const found = this.machine.peekLinear(linear, bytes);
    return found.length < bytes ? undefined : littleEndian(found);
  }

  /** As many of `count` instructions as there is memory for. */
  instructions(linear: number, count: number): Instruction[] {
    const { machine, symbols } = this;
    const base = machine.registers.segmentBase('cs');
    const bits = machine.registers.codeBits;
    const bytes = machine.peekLinear(linear, count * INSTRUCTION_LIMIT_BYTES);
    const offset = (linear - base) >>> 0;
    return this.disassemble(bytes, { bits, address: offset, count }).map((line) => {
      const target = BRANCH.exec(line.text)?.[1];
      const name = target === undefined ? undefined : symbols.textAt((base + Number.parseInt(target, 16)) >>> 0);
      return {
        linear: (base + line.address) >>> 0,
        offset: line.address,
        bytes: line.bytes,
        text: `${line.text}${name === undefined ? '' : ` <${name}>`}`,
      };
    });
  }

  /** An address with its symbol. */
  addressText(linear: number): string {
    const name = this.symbols.textAt(linear);
    return name === undefined ? hex(linear) : `${hex(linear)} <${name}>`;
  }

  /** The next instruction: selector and offset, symbol, assembly. */
  nextText(): string {
    const { machine, pc, symbols } = this;
    const digits = machine.registers.codeBits / 4;
    const place = `${machine.registers.get('cs').toString(16).padStart(4, '0')}:${machine.registers.get('eip').toString(16).padStart(digits, '0')}`;
    const name = symbols.textAt(pc);
    const text = this.instructions(pc, 1)[0]?.text ?? '(no memory)';
    return `${place}${name === undefined ? '' : ` <${name}>`}  ${text}`;
  }
}
