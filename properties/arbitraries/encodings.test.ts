import { describe, expect, it } from 'vitest';
import { iced } from '../assembler/iced.js';
import type { CodeBits } from '../oracles/oracle.js';
import { allEncodings, encodingsFor, excludedEncodings, type InstructionEncoding } from './encodings.js';
import { InstructionBuilder } from './instruction.js';
import { Random } from './random.js';

describe('the list of encodings', () => {
  it('is complete: what is not in it is excluded with a reason', () => {
    expect([16, 32, 64].map((bits) => encodingsFor(bits as CodeBits).length)).toEqual([1107, 1107, 1197]);
    expect(new Set(allEncodings().map(({ name }) => name)).size).toBe(allEncodings().length);
    const { Code, CodeExt } = iced();
    const legacy = Object.entries(Code).filter(([, code]) => {
      if (typeof code !== 'number') return false;
      const info = CodeExt.opCode(code);
      const counts = info.encoding === 0 && info.isInstruction;
      info.free();
      return counts;
    });
    const listed = [...allEncodings(), ...excludedEncodings()].map(({ code }) => code);
    expect(listed.sort()).toEqual(legacy.map(([name]) => name).sort());
  });

  it('names encodings as the manual does', () => {
    const named = (code: string): string | undefined => allEncodings().find((encoding) => encoding.code === code)?.name;
    expect(named('Add_rm32_r32')).toBe('ADD r/m32, r32 [o32 01 /r]');
    expect(named('Fadd_st0_sti')).toBe('FADD ST(0), ST(i) [D8 C0+i]');
  });

  it('says why others are left out', () => {
    const reason = (code: string): string | undefined => excludedEncodings().find((encoding) => encoding.code === code)?.reason;
    expect(reason('Fstcw_m2byte')).toBe('two instructions: WAIT, and the form without it');
    expect(reason('Popcnt_r32_rm32')).toBe('needs POPCNT, which the machine does not announce');
    expect(reason('Ud0')).toBe('decodes so on AMD processors only');
  });
});

/** Codes that are others with some operands: NOP is XCHG of the accumulator with itself, hints are reserved NOPs; CR1 is none. */
const ALSO: readonly (readonly [code: RegExp, decoded: RegExp])[] = [
  [/^Xchg_r(16_AX|32_EAX|64_RAX)$/, /^Nop[wdq]$/],
  [/^Nop[wdq]$/, /^Xchg_r(16_AX|32_EAX|64_RAX)$/],
  [/^Reservednop/, /^(Prefetch|Nop_|Cldemote|Endbr|Rdssp)/],
  [/^Mov_(Sreg|cr|dr|r32_cr|r64_cr|r32_dr|r64_dr)/, /./],
];

/** What iced makes of the bytes. */
function decodedAs(bytes: Uint8Array, bits: CodeBits): string {
  const { Code, Decoder, DecoderOptions } = iced();
  const decoder = new Decoder(bits, bytes, DecoderOptions.None);
  const instruction = decoder.decode();
  const name = instruction.length === bytes.length ? (Code[instruction.code] as string) : `${Code[instruction.code]} of other length`;
  instruction.free();
  decoder.free();
  return name;
}

describe.each([16, 32, 64] as const)('instructions of %i-bit code', (bits) => {
  it('are what they are meant to be', () => {
    const builder = new InstructionBuilder(new Random(bits));
    const wrong: string[] = [];
    const fits = (encoding: InstructionEncoding, name: string): boolean =>
      name === encoding.code || ALSO.some(([code, decoded]) => code.test(encoding.code) && decoded.test(name));
    for (const encoding of encodingsFor(bits)) {
      for (let i = 0; i < 8; i++) {
        const { bytes } = builder.build(encoding, { bits, at: 0x1000, calm: true });
        const name = decodedAs(bytes, bits);
        if (!fits(encoding, name)) wrong.push(`${encoding.code}: ${Buffer.from(bytes).toString('hex')} is ${name}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('have prefixes, legal and illegal', () => {
    const builder = new InstructionBuilder(new Random(bits + 1));
    const seen = new Set<number>();
    for (const encoding of encodingsFor(bits)) {
      for (let i = 0; i < 4; i++) for (const byte of builder.build(encoding, { bits, at: 0 }).bytes.subarray(0, 2)) seen.add(byte);
    }
    for (const prefix of [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]) expect(seen).toContain(prefix);
  });
});
