import { createRequire } from 'node:module';
import type * as Iced from 'iced-x86';
import { describe, expect, it } from 'vitest';
import { Random } from '../arbitraries/random.js';
import { SEGMENT_NAMES } from '../state/cpu-state.js';
import { ModelException } from './cpu.js';
import { type CodeBits, type DecodedInstruction, Decoder, type Operand, RIP_BASE } from './decode.js';
import { OpcodeTable } from './opcode-table.js';
import { OPCODES } from './opcodes.js';
import { KIND } from './operand-form.js';

const iced = createRequire(import.meta.url)('iced-x86') as typeof Iced;

const decoder = new Decoder(new OpcodeTable(OPCODES));

function decode(bytes: readonly number[], bits: CodeBits): DecodedInstruction {
  let at = 0;
  return decoder.decode({ nextByte: () => bytes[at++] ?? 0, undefine: () => {} }, bits);
}

const hex = (bytes: readonly number[]): string => bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
const parse = (text: string): number[] => text.split(' ').map((byte) => Number.parseInt(byte, 16));

const REGISTERS_64 = ['RAX', 'RCX', 'RDX', 'RBX', 'RSP', 'RBP', 'RSI', 'RDI', 'R8', 'R9', 'R10', 'R11', 'R12', 'R13', 'R14', 'R15'];
const REGISTERS_32 = REGISTERS_64.map((name, i) => (i < 8 ? name.replace('R', 'E') : `${name}D`));
const REGISTERS_16 = REGISTERS_64.slice(0, 8).map((name) => name.slice(1));

function ourAddress(instruction: DecodedInstruction, { segment, base, index, scale, displacement }: Operand): string {
  const { addressSize, codeBits, length } = instruction;
  const names = addressSize === 64 ? REGISTERS_64 : addressSize === 32 ? REGISTERS_32 : REGISTERS_16;
  const name = (number: number): string =>
    number < 0 ? 'None' : number === RIP_BASE ? (addressSize === 64 ? 'RIP' : 'EIP') : (names[number] as string);
  // iced gives the target of RIP-relative addresses.
  const offset = BigInt.asUintN(addressSize, base === RIP_BASE ? displacement + BigInt(length) : displacement);
  const segmentName = codeBits === 64 && segment < 4 ? 'flat' : (SEGMENT_NAMES[segment] as string).toUpperCase();
  return `${segmentName}:${name(base)}+${name(index)}*${index < 0 ? 1 : scale}+${offset}`;
}

function theirAddress(instruction: Iced.Instruction, { addressSize, codeBits }: DecodedInstruction): string {
  const name = (register: Iced.Register): string => iced.Register[register] as string;
  const { memorySegment, memoryBase, memoryIndex, memoryIndexScale, memoryDisplacement } = instruction;
  const flat = codeBits === 64 && memorySegment !== iced.Register.FS && memorySegment !== iced.Register.GS;
  const scale = memoryIndex === iced.Register.None ? 1 : memoryIndexScale;
  const offset = BigInt.asUintN(addressSize, memoryDisplacement);
  return `${flat ? 'flat' : name(memorySegment)}:${name(memoryBase)}+${name(memoryIndex)}*${scale}+${offset}`;
}

/** Whether iced's instruction has a ModRM-style or moffs memory operand, which rows of ours have as an operand too. */
function hasMemory(instruction: Iced.Instruction): boolean {
  for (let i = 0; i < instruction.opCount; i++) if (instruction.opKind(i) === iced.OpKind.Memory) return true;
  return false;
}

const PREFIXES = [0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e, 0x64, 0x3e, 0x36, 0x26, 0x65, 0x40, 0x41, 0x44, 0x48, 0x4f];
const CASES = 20_000;

/**
 * Differences that are none: UD0 has no ModRM for iced as AMD's, XLAT names its memory, and MOV to CS is a row whose
 * execution raises #UD.
 */
const isException = ({ opcode: { mnemonic }, opcodeByte, operands }: DecodedInstruction): boolean =>
  /^(UD0|XLAT)/.test(mnemonic.toUpperCase()) || (opcodeByte === 0x8e && operands[0]?.kind === KIND.segment && operands[0].number === 1);

function randomBytes(random: Random): number[] {
  const bytes = Array.from({ length: 24 }, () => random.below(256));
  const prefixes = random.below(4);
  for (let i = 0; i < prefixes; i++) bytes[i] = random.pick(PREFIXES);
  if (random.chance(50)) bytes[prefixes] = 0x0f;
  return bytes;
}

describe('Decoder', () => {
  it.each([16, 32, 64] as const)('agrees with iced-x86 about lengths and addresses of %i-bit code', (bits) => {
    const random = new Random(bits);
    const differences: string[] = [];
    let compared = 0;
    for (let i = 0; i < CASES; i++) {
      const bytes = randomBytes(random);
      let ours: DecodedInstruction;
      try {
        ours = decode(bytes, bits);
      } catch {
        continue;
      }
      const { mnemonic } = ours.opcode;
      if (mnemonic === '(undefined)' || isException(ours)) continue;
      const icedDecoder = new iced.Decoder(bits, Uint8Array.from(bytes), iced.DecoderOptions.AMD);
      const theirs = icedDecoder.decode();
      compared++;
      const memory = ours.operands.find(({ kind }) => kind === KIND.memory);
      let our = `${ours.length}`;
      let their = `${theirs.length}`;
      if (memory !== undefined) our += ` ${ourAddress(ours, memory)}`;
      if (hasMemory(theirs)) their += ` ${theirAddress(theirs, ours)}`;
      if (theirs.isInvalid) their = 'invalid';
      if (our !== their) differences.push(`${hex(bytes)}: ${mnemonic} ${our}, iced ${their}`);
      theirs.free();
      icedDecoder.free();
    }
    expect(differences).toEqual([]);
    expect(compared).toBeGreaterThan(CASES / 2);
  });

  it('knows no opcode that iced-x86 does not know, and no prefix to be free of meaning', () => {
    expect(decode(parse('f3 0f 54 c1'), 32).opcode.mnemonic).toBe('(undefined)');
    expect(decode(parse('66 f3 0f 6f c1'), 32).opcode.encoding).toBe('F3 0F 6F /r');
    expect(decode(parse('f2 f3 0f 58 c1'), 32).opcode.mnemonic).toBe('ADDSS');
    expect(decode(parse('f3 f2 0f 58 c1'), 32).opcode.mnemonic).toBe('ADDSD');
  });

  it('lets REX count only immediately before the opcode', () => {
    expect(decode(parse('48 01 c8'), 64).operandSize).toBe(64);
    expect(decode(parse('48 66 01 c8'), 64).operandSize).toBe(16);
    expect(decode(parse('66 48 01 c8'), 64).operandSize).toBe(64);
    expect(decode(parse('48 41 01 c8'), 64)).toMatchObject({ operandSize: 32, rexW: false });
  });

  it('takes the last segment prefix, of which 64-bit mode knows only FS and GS', () => {
    expect(decode(parse('26 64 8b 00'), 32).segmentOverride).toBe(4);
    expect(decode(parse('64 26 8b 00'), 32).segmentOverride).toBe(0);
    expect(decode(parse('64 26 8b 00'), 64).segmentOverride).toBe(4);
    expect(decode(parse('26 8b 00'), 64).segmentOverride).toBeUndefined();
  });

  it('finds LOCK legal only with a memory destination of an instruction that may be locked', () => {
    expect(decode(parse('f0 01 00'), 32).opcode.mnemonic).toBe('ADD');
    expect(decode(parse('f0 01 c0'), 32).opcode.mnemonic).toBe('(undefined)');
    expect(decode(parse('f0 8b 00'), 32).opcode.mnemonic).toBe('(undefined)');
  });

  it('raises #GP(0) behind fifteen bytes', () => {
    expect(decode([...new Array<number>(14).fill(0x66), 0x90], 32).length).toBe(15);
    expect(() => decode([...new Array<number>(15).fill(0x66), 0x90], 32)).toThrow(ModelException);
    let fetched = 0;
    try {
      decoder.decode({ nextByte: () => (fetched++, 0x66), undefine: () => {} }, 32);
      expect.unreachable();
    } catch (thrown) {
      expect(thrown).toMatchObject({ vector: 13, errorCode: 0 });
    }
    expect(fetched).toBe(15);
  });

  it('ignores ModRM.mod of moves to and from control registers', () => {
    expect(decode(parse('0f 20 04'), 32)).toMatchObject({ length: 3, operands: [{ number: 4 }, { number: 0 }] });
    expect(decode(parse('0f 20 c8'), 32).opcode.mnemonic).toBe('(undefined)');
  });

  it('takes XCHG with R8 for what it is behind F3', () => {
    expect(decode(parse('f3 90'), 64).operands.length).toBe(decode(parse('f3 90'), 32).operands.length);
    expect(decode(parse('f3 41 90'), 64).opcode.mnemonic).toBe('XCHG');
  });

  it('names AH without REX and SPL with one', () => {
    expect(decode(parse('88 e0'), 64).operands[1]).toMatchObject({ kind: KIND.highByte, number: 0, width: 8 });
    expect(decode(parse('40 88 e0'), 64).operands[1]).toMatchObject({ kind: KIND.general, number: 4, width: 8 });
  });

  it('extends immediates to the operand size', () => {
    expect(decode(parse('48 81 c0 ff ff ff ff'), 64).operands[1]).toMatchObject({ width: 64, value: 0xffff_ffff_ffff_ffffn });
    expect(decode(parse('83 c0 80'), 32).operands[1]).toMatchObject({ width: 32, value: 0xffff_ff80n });
    expect(decode(parse('48 b8 01 02 03 04 05 06 07 08'), 64).operands[1]).toMatchObject({ value: 0x0807_0605_0403_0201n });
  });
});

describe('OpcodeTable', () => {
  it('refuses rows that it cannot read', () => {
    const row = (encoding: string, operands: string) => ({ encoding, mnemonic: 'X', operands, execute: () => {}, options: {} });
    expect(() => new OpcodeTable([row('0F', '')])).not.toThrow();
    expect(() => new OpcodeTable([row('XY', '')])).toThrow('no opcode byte');
    expect(() => new OpcodeTable([row('00 /9', '')])).toThrow('ModRM');
    expect(() => new OpcodeTable([row('00 /r', 'r7')])).toThrow('unknown operand');
    expect(() => new OpcodeTable([row('00 /r 01', '')])).toThrow('too many parts');
  });
});
