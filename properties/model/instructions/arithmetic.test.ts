/** Arithmetic, shifts, bits and decimal adjustment of the model: outcomes as the manuals state them. */
import { describe, expect, it } from 'vitest';
import type { CodeBits } from '../../oracles/oracle.js';
import { REGISTER_NAMES } from '../../state/cpu-state.js';
import { DATA, type RegisterName, type Registers, run } from './test-run.js';

type Row = readonly [
  name: string,
  bits: CodeBits,
  code: string,
  registers: Registers,
  flagsBefore: string,
  result: Registers,
  flags: string,
  policies?: string,
];

const ROWS: readonly Row[] = [
  ['ADD carries out of a byte', 32, '00d8', { rax: 0x12fen, rbx: 2n }, '', { rax: 0x1200n }, 'cf pf af zf'],
  ['ADD overflows 64 bits', 64, '4801d8', { rax: (1n << 63n) - 1n, rbx: 1n }, 'cf', { rax: 1n << 63n }, 'pf af sf of'],
  ['ADD of 32 bits clears the upper half', 64, '01d8', { rax: -1n & ((1n << 64n) - 1n), rbx: 2n }, '', { rax: 1n }, 'cf af'],
  ['ADC adds all ones and a carry', 32, '83d0ff', { rax: 5n }, 'cf', { rax: 5n }, 'cf pf af'],
  ['SBB of equal values is the borrow', 32, '19d8', { rax: 7n, rbx: 7n }, 'cf', { rax: 0xffff_ffffn }, 'cf pf af sf'],
  ['CMP changes no register', 16, '39d8', { rax: 0x8000n, rbx: 1n }, '', { rax: 0x8000n }, 'pf af of'],
  ['NEG of the smallest value', 32, 'f6d8', { rax: 0x80n }, '', { rax: 0x80n }, 'cf sf of'],
  ['NEG of zero', 32, 'f7d8', { rax: 0n }, 'cf', { rax: 0n }, 'pf zf'],
  ['INC leaves CF', 32, '40', { rax: 0x7fff_ffffn }, 'cf', { rax: 0x8000_0000n }, 'cf pf af sf of'],
  ['DEC of zero', 64, '48ffc8', { rax: 0n }, '', { rax: (1n << 64n) - 1n }, 'pf af sf'],
  ['AND clears CF and OF', 32, '21d8', { rax: 0xf0n, rbx: 0x0fn }, 'cf of', { rax: 0n }, 'pf zf', 'logic.af'],
  ['NOT changes no flag', 32, 'f7d0', { rax: 1n }, 'cf zf', { rax: 0xffff_fffen }, 'cf zf'],
  ['high byte registers', 32, '00fc', { rax: 0x7f00n, rbx: 0x0100n }, '', { rax: 0x8000n }, 'af sf of'],
  ['with REX they are SPL to DIL', 64, '4000fc', { rsp: 0x20n, rdi: 0x11n }, '', { rsp: 0x31n }, ''],
  ['MUL of 64 bits', 64, '48f7e3', { rax: 1n << 63n, rbx: 6n }, '', { rax: 0n, rdx: 3n }, 'cf of', 'mul.flags'],
  ['MUL of bytes into AX', 32, 'f6e3', { rax: 0xffffn, rbx: 0xffn }, '', { rax: 0xfe01n }, 'cf of', 'mul.flags'],
  ['IMUL that fits', 32, 'f7eb', { rax: 0xffff_fffen, rbx: 3n }, 'cf of', { rax: 0xffff_fffan, rdx: 0xffff_ffffn }, '', 'mul.flags'],
  ['IMUL of three operands', 16, '6bc3fe', { rbx: 0x4000n }, '', { rax: 0x8000n }, '', 'mul.flags'],
  ['IMUL of three operands that does not fit', 16, '6bc3fd', { rbx: 0x4000n }, '', { rax: 0x4000n }, 'cf of', 'mul.flags'],
  ['DIV', 32, 'f7f3', { rax: 7n, rdx: 1n, rbx: 16n }, 'cf', { rax: 0x1000_0000n, rdx: 7n }, 'cf', 'div.flags'],
  ['IDIV truncates toward zero', 32, 'f6fb', { rax: 0xfff9n, rbx: 2n }, '', { rax: 0xfffdn }, '', 'div.flags'],
  ['IDIV of 128 bits', 64, '48f7fb', { rax: 0n, rdx: (1n << 64n) - 1n, rbx: 4n }, '', { rax: 3n << 62n, rdx: 0n }, '', 'div.flags'],
  ['CBW', 32, '6698', { rax: 0x1234_0080n }, '', { rax: 0x1234_ff80n }, ''],
  ['CWDE', 32, '98', { rax: 0x1234_8000n }, '', { rax: 0xffff_8000n }, ''],
  ['CQO', 64, '4899', { rax: 1n << 63n, rdx: 5n }, '', { rdx: (1n << 64n) - 1n }, ''],
  ['CDQ', 64, '99', { rax: 0x7fff_ffffn, rdx: (1n << 64n) - 1n }, '', { rdx: 0n }, ''],

  ['SHL by 0 changes nothing', 32, 'd3e0', { rax: 3n, rcx: 32n }, 'cf of zf', { rax: 3n }, 'cf zf of'],
  ['SHL by 1', 32, 'd1e0', { rax: 0x4000_0000n }, 'cf', { rax: 0x8000_0000n }, 'pf sf of', 'shift.af'],
  ['SHL, the alias /6', 32, 'd0f0', { rax: 0xc0n }, '', { rax: 0x80n }, 'cf sf', 'shift.af'],
  ['SHL of a byte by 8', 32, 'c0e008', { rax: 0x101n }, '', { rax: 0x100n }, 'cf pf zf of', 'shift.af shift.of shift.cf'],
  ['SHR by 1', 32, 'd0e8', { rax: 0x81n }, '', { rax: 0x40n }, 'cf of', 'shift.af'],
  ['SAR by more than the width', 16, 'c1f81f', { rax: 0x8000n }, '', { rax: 0xffffn }, 'cf pf sf', 'shift.af shift.of'],
  ['SAR of 64 bits masks the count with 63', 64, '48c1f841', { rax: 1n << 63n }, '', { rax: 3n << 62n }, 'pf sf', 'shift.af'],
  ['ROL by the width', 32, 'c0c008', { rax: 0x81n }, 'zf', { rax: 0x81n }, 'cf zf', 'rotate.of'],
  ['ROR by 1', 32, 'd0c8', { rax: 1n }, '', { rax: 0x80n }, 'cf of'],
  ['RCL by 9 turns all the way', 32, 'c0d009', { rax: 0x55n }, 'cf', { rax: 0x55n }, 'cf of', 'rotate.of'],
  ['RCL by 1', 16, 'd1d0', { rax: 0x8000n }, 'cf', { rax: 1n }, 'cf of'],
  ['RCR of 64 bits', 64, '48d1d8', { rax: 1n }, 'cf', { rax: 1n << 63n }, 'cf of'],
  ['SHLD', 32, '0fa4d804', { rax: 0x1234_5678n, rbx: 0xf000_0000n }, '', { rax: 0x2345_678fn }, 'cf', 'shld.af shld.of'],
  ['SHRD', 16, '0facd804', { rax: 0x1238n, rbx: 0xan }, '', { rax: 0xa123n }, 'cf sf of', 'shld.af shld.of'],
  ['SHLD of 16 bits by 20', 16, '0fa4d814', { rax: 0x1234n, rbx: 0x5678n }, '', { rax: 0x6785n }, 'cf', 'shld.count'],

  ['BT counts within a register', 32, '0fa3d8', { rax: 2n, rbx: 33n }, '', { rax: 2n }, 'cf', 'bt.flags'],
  ['BTC', 32, '0fbaf81f', { rax: 0n }, 'cf', { rax: 0x8000_0000n }, '', 'bt.flags'],
  ['BTR of 64 bits', 64, '480fb3d8', { rax: (1n << 64n) - 1n, rbx: 127n }, '', { rax: (1n << 63n) - 1n }, 'cf', 'bt.flags'],
  ['BSF', 64, '480fbcc3', { rbx: 1n << 40n }, 'zf', { rax: 40n }, '', 'bsf.flags'],
  ['BSR', 32, '0fbdc3', { rbx: 0x8001_0000n }, '', { rax: 31n }, '', 'bsf.flags'],
  ['BSF of zero', 64, '0fbcc3', { rax: 1n << 40n, rbx: 1n << 32n }, '', { rax: 1n << 40n }, 'zf', 'bsf.flags bsf.zero'],

  ['DAA', 32, '27', { rax: 0x9an }, '', { rax: 0n }, 'cf pf af zf', 'daa.of'],
  ['DAS borrows', 32, '2f', { rax: 5n }, 'af', { rax: 0xffn }, 'cf pf af sf', 'daa.of'],
  ['AAA carries out of AL', 32, '37', { rax: 0x00fbn }, '', { rax: 0x0201n }, 'cf af', 'aaa.flags'],
  ['AAS', 32, '3f', { rax: 0x0205n }, 'af', { rax: 0x000fn }, 'cf pf af', 'aaa.flags'],
  ['AAM', 32, 'd40a', { rax: 0x63n }, '', { rax: 0x0909n }, 'pf', 'aam.flags'],
  ['AAD', 32, 'd50a', { rax: 0x0909n }, '', { rax: 0x63n }, 'pf', 'aam.flags'],
  ['SALC', 16, 'd6', { rax: 0x1200n }, 'cf', { rax: 0x12ffn }, 'cf'],
];

describe('arithmetic of the model', () => {
  it.each(ROWS.map((row) => [row[0], row] as const))('%s', (_name, row) => {
    const [, bits, code, registers, flagsBefore, result, flags, policies = ''] = row;
    const after = run({ bits, code, registers, flags: flagsBefore });
    expect(after.vector).toBeUndefined();
    const found = Object.fromEntries(
      Object.keys(result).map((name) => [name, after.state.registers[REGISTER_NAMES.indexOf(name as RegisterName)]]),
    );
    expect({ ...found, flags: after.flags, policies: [...after.policies].sort() }).toEqual({
      ...result,
      flags,
      policies: policies
        .split(' ')
        .filter((id) => id !== '')
        .sort(),
    });
  });

  it.each([
    ['DIV by zero', 32, 'f7f3', {}],
    ['DIV whose quotient does not fit', 32, 'f6f3', { rax: 0x100n, rbx: 1n }],
    ['IDIV of the smallest value by -1', 64, '48f7fb', { rax: 1n << 63n, rdx: (1n << 64n) - 1n, rbx: (1n << 64n) - 1n }],
    ['AAM 0', 32, 'd400', {}],
  ] as const)('%s is #DE, and changes nothing', (_name, bits, code, registers) => {
    const after = run({ bits, code, registers: { ...registers }, flags: 'cf zf' });
    expect([after.vector, after.distance, after.ticks, after.flags]).toEqual([0, 0, 0, 'cf zf']);
  });

  it.each(['27', '2f', '37', '3f', 'd40a', 'd50a', 'd6', '82c001', '60', '61', '6203', '06'])(
    '%s does not exist in 64-bit mode',
    (code) => {
      expect(run({ bits: 64, code, registers: { rbx: BigInt(DATA), rsp: BigInt(DATA) } }).vector).toBe(6);
    },
  );

  it.each([
    ['BTS behind the operand', 32, '0fab03', 77n, 9, '20'],
    ['BTS before the operand', 32, '0fab03', -77n & 0xffff_ffffn, -10, '08'],
    ['BTS of 64 bits before the operand', 64, '480fab03', -887n & ((1n << 64n) - 1n), -111, '02'],
    ['BTS of 16 bits', 32, '660fab03', 0xff_f7ffn, -257, '80'],
  ] as const)('%s reaches the byte that holds the bit', (_name, bits, code, offset, byte, expected) => {
    const registers = { rax: offset, rbx: BigInt(DATA) };
    const after = run({ bits, code, registers, memory: '00'.repeat(16) });
    const was = byte < 0 ? 0xf4 : 0;
    expect(after.vector).toBeUndefined();
    expect(Number.parseInt(after.memory(byte, 1), 16)).toBe(was | Number.parseInt(expected, 16));
  });
});
