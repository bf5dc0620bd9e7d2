/**
 * 64-bit user code on the processor alone, in both tiers: what the manual says of operand sizes, addresses, the stack and
 * branches there (Intel SDM volume 1, chapter 3; volume 2, sections 2.2 and 3).
 */
import { describe, expect, it } from 'vitest';
import * as layout from './cpu/layout.js';
import { EFER_LMA } from './cpu/msr.js';
import { CR0, EFLAG } from './cpu/state.js';
import { Processor } from './processor.js';

const CODE = 0x1000;
const DATA = 0x3000;
const TABLES = 0x8000;
const HLT = 0xf4;
const ABSENT_PAGE = 0x5000;
const [RAX, RCX, RBX, RSP, RSI, RDI, R9, R13] = [0, 1, 3, 4, 6, 7, 9, 13];
const GP = 13;
const SS = 12;
const PF = 14;
const UD = 6;
const ALL = (1n << 64n) - 1n;

const bytesOf = (text: string): number[] => text.split(' ').map((byte) => Number.parseInt(byte, 16));

describe.each(['auto', 'step'] as const)('64-bit code, tier %s', (tier) => {
  const processor = new Processor({ memoryBytes: 1 << 16, tier, long: true });
  const { core, ram } = processor;
  const { state } = core;
  const memory = new DataView(ram.buffer, ram.byteOffset, ram.byteLength);
  processor.interceptsExceptions = true;

  function prepare(code: string): void {
    core.reset();
    ram.fill(HLT);
    ram.set(bytesOf(code), CODE);
    memory.setUint32(TABLES, (TABLES + 0x1000) | 0x67, true);
    for (let page = 0; page < 16; page++) {
      const address = page * 4096;
      memory.setUint32(TABLES + 0x1000 + page * 4, address === ABSENT_PAGE ? 0 : address | 0x67, true);
    }
    for (let segment = 0; segment < 6; segment++) {
      const attributes = segment === layout.CS ? 0x20fb : 0xc0f3;
      state.writeSegment(segment, { selector: 0x2b, base: segment === layout.DS ? 0x777 : 0, limit: 0, attributes });
    }
    state.set32(layout.CPL, 3);
    state.set32(layout.CR0, (CR0.pe | CR0.pg | CR0.ne) >>> 0);
    state.set32(layout.CR3, TABLES);
    state.set32(layout.CR4, 0x600);
    state.set32(layout.EFER, EFER_LMA);
    state.i64[layout.EIP >>> 3] = BigInt(CODE);
    state.eflags = 2;
    state.setReg64(RBX, BigInt(DATA));
    state.setReg64(RSP, BigInt(DATA + 0x800));
    core.setTick(0);
    core.flushTlb('all');
    core.modeChanged();
  }

  const registers = (values: Readonly<Record<number, bigint>>): void => {
    for (const [index, value] of Object.entries(values)) state.setReg64(Number(index), value);
  };
  const register = (index: number): bigint => BigInt.asUintN(64, state.reg64(index));
  const rip = (): bigint => BigInt.asUintN(64, state.i64[layout.EIP >>> 3] as bigint);
  const cr2 = (): bigint => BigInt.asUintN(64, state.i64[layout.CR2 >>> 3] as bigint);

  /** Runs until the HLT behind the code. */
  function run(code: string, before: Readonly<Record<number, bigint>> = {}, adjust?: () => void): void {
    prepare(code);
    registers(before);
    adjust?.();
    expect(processor.run(1000)).toBe('exception');
    expect([processor.exception?.vector, ram[Number(rip())]]).toEqual([GP, HLT]);
  }
  function fault(
    code: string,
    before: Readonly<Record<number, bigint>> = {},
    adjust?: () => void,
  ): [number | undefined, number | undefined] {
    prepare(code);
    registers(before);
    adjust?.();
    expect(processor.run(1000)).toBe('exception');
    return [processor.exception?.vector, processor.exception?.errorCode];
  }

  it.each([
    { name: 'ADD RAX, RBX', code: '48 01 d8', before: { [RAX]: ALL, [RBX]: 3n }, index: RAX, expected: 2n },
    { name: 'ADD EAX, EBX clears the upper half', code: '01 d8', before: { [RAX]: ALL, [RBX]: 3n }, index: RAX, expected: 2n },
    { name: 'ADD AX, BX leaves it', code: '66 01 d8', before: { [RAX]: ALL, [RBX]: 3n }, index: RAX, expected: ALL - 0xfffdn },
    { name: 'MOV SPL, 7', code: '40 b4 07', before: { [RAX]: 0n, [RSP]: 0n }, index: RSP, expected: 7n },
    { name: 'MOV AH, 7', code: 'b4 07', before: { [RAX]: 0n }, index: RAX, expected: 0x700n },
    { name: 'MOV R9, imm64', code: '49 b9 88 77 66 55 44 33 22 11', before: {}, index: R9, expected: 0x1122_3344_5566_7788n },
    { name: 'MOV RAX, imm32 sign-extended', code: '48 c7 c0 ff ff ff ff', before: {}, index: RAX, expected: ALL },
    { name: 'MOVSXD RAX, EBX', code: '48 63 c3', before: { [RBX]: 0x8000_0000n }, index: RAX, expected: 0xffff_ffff_8000_0000n },
    { name: 'NOP leaves the upper half of RAX', code: '90', before: { [RAX]: ALL }, index: RAX, expected: ALL },
    { name: 'XCHG R8D, EAX is not NOP', code: '41 90', before: { [RAX]: ALL, 8: 5n }, index: RAX, expected: 5n },
    { name: 'REX before a prefix means nothing', code: '48 66 01 d8', before: { [RAX]: 1n, [RBX]: 0x1_0002n }, index: RAX, expected: 3n },
    { name: 'IMUL RAX, RBX', code: '48 0f af c3', before: { [RAX]: 1n << 40n, [RBX]: 5n }, index: RAX, expected: 5n << 40n },
    { name: 'MUL RBX', code: '48 f7 e3', before: { [RAX]: ALL, [RBX]: ALL }, index: 2, expected: ALL - 1n },
    { name: 'DIV RBX', code: '48 f7 f3', before: { 2: 1n, [RAX]: 0n, [RBX]: 2n }, index: RAX, expected: 1n << 63n },
    { name: 'SHL RAX, 63', code: '48 c1 e0 3f', before: { [RAX]: 3n }, index: RAX, expected: 1n << 63n },
    { name: 'BSWAP RAX', code: '48 0f c8', before: { [RAX]: 0x1122_3344_5566_7788n }, index: RAX, expected: 0x8877_6655_4433_2211n },
    { name: 'BTS RAX, 40', code: '48 0f ba e8 28', before: { [RAX]: 0n }, index: RAX, expected: 1n << 40n },
    { name: 'CQO', code: '48 99', before: { [RAX]: 1n << 63n }, index: 2, expected: ALL },
    { name: 'LEA RAX, [RIP + 5]', code: '48 8d 05 05 00 00 00', before: {}, index: RAX, expected: BigInt(CODE + 12) },
    { name: 'LEA RAX, [RIP + 7FFFFFFF]', code: '48 8d 05 ff ff ff 7f', before: {}, index: RAX, expected: BigInt(CODE) + 0x8000_0006n },
    { name: 'LEA EAX, [RBX + R9*8]', code: '42 8d 04 cb', before: { [RBX]: ALL, [R9]: 1n }, index: RAX, expected: 7n },
    { name: 'LEA RAX, [EBX - 1]', code: '67 48 8d 43 ff', before: { [RBX]: 0n }, index: RAX, expected: 0xffff_ffffn },
    {
      name: 'MOVQ RAX, XMM0 of CVTSI2SD RBX',
      code: 'f2 48 0f 2a c3 66 48 0f 7e c0',
      before: { [RBX]: 3n },
      index: RAX,
      expected: 0x4008_0000_0000_0000n,
    },
    { name: 'CVTTSD2SI RAX', code: 'f2 48 0f 2a c3 f2 48 0f 2c c0', before: { [RBX]: 1n << 50n }, index: RAX, expected: 1n << 50n },
    { name: 'LOOP counts in RCX', code: 'e2 fe', before: { [RCX]: 3n }, index: RCX, expected: 0n },
    { name: 'JECXZ looks at ECX', code: '67 e3 03 48 ff c0', before: { [RAX]: 0n, [RCX]: 1n << 32n }, index: RAX, expected: 0n },
    { name: 'JRCXZ looks at RCX', code: 'e3 03 48 ff c0', before: { [RAX]: 0n, [RCX]: 1n << 32n }, index: RAX, expected: 1n },
  ])('$name', ({ code, before, index, expected }) => {
    run(code, before as Readonly<Record<number, bigint>>);
    expect(register(index)).toBe(expected);
  });

  it('ignores limits and bases, but for those of FS and GS', () => {
    run('48 89 03 65 48 89 43 10', { [RAX]: 0x55n }, () => {
      state.i64[(layout.segmentAddress(layout.GS) + layout.SEGMENT.base) >>> 3] = 0x100n;
      core.modeChanged();
    });
    expect([memory.getUint32(DATA, true), memory.getUint32(DATA + 0x110, true)]).toEqual([0x55, 0x55]);
  });

  it('reads an address of 64 bits in the instruction', () => {
    run('48 a1 10 30 00 00 00 00 00 00', {}, () => memory.setBigUint64(DATA + 0x10, 0x1234_5678_9abc_def0n, true));
    expect(register(RAX)).toBe(0x1234_5678_9abc_def0n);
    expect(fault('48 a1 10 30 00 00 01 00 00 00')).toEqual([PF, 4]);
    expect(cr2()).toBe(0x1_0000_3010n);
  });

  it('pushes, calls and returns in 64 bits', () => {
    // push -1; call +1; hlt; pop rax (the return address); pop rcx
    run('6a ff e8 01 00 00 00 f4 58 59');
    expect([register(RAX), register(RCX), register(RSP)]).toEqual([BigInt(CODE + 7), ALL, BigInt(DATA + 0x800)]);
  });

  it('pushes 16 bits with an operand-size prefix, never 32', () => {
    run('66 50 50', { [RAX]: 0x1122_3344_5566_7788n });
    expect(register(RSP)).toBe(BigInt(DATA + 0x800 - 10));
    expect(memory.getBigUint64(DATA + 0x800 - 10, true)).toBe(0x1122_3344_5566_7788n);
  });

  it('makes frames with ENTER and LEAVE', () => {
    run('c8 10 00 00 48 89 e8 c9', { 5: 0x123n });
    expect([register(RAX), register(RSP), register(5)]).toEqual([BigInt(DATA + 0x7f8), BigInt(DATA + 0x800), 0x123n]);
  });

  it('repeats string instructions by RCX, RSI, RDI', () => {
    run('f3 48 ab', { [RAX]: 0x0102_0304_0506_0708n, [RCX]: 40n, [RDI]: BigInt(DATA) });
    expect([register(RCX), register(RDI)]).toEqual([0n, BigInt(DATA + 320)]);
    expect(memory.getBigUint64(DATA + 312, true)).toBe(0x0102_0304_0506_0708n);
    expect(core.tick).toBe(40);
  });

  it('takes the low halves with an address-size prefix', () => {
    run('67 f3 a4', { [RCX]: (5n << 32n) | 4n, [RSI]: (7n << 32n) | BigInt(DATA), [RDI]: (9n << 32n) | BigInt(DATA + 16) });
    expect([register(RCX), register(RSI), register(RDI)]).toEqual([0n, BigInt(DATA + 4), BigInt(DATA + 20)]);
  });

  it.each([
    { name: 'a page that is not present', code: '48 8b 03', address: BigInt(ABSENT_PAGE), expected: [PF, 4], at: BigInt(ABSENT_PAGE) },
    { name: 'an address beyond 4 GiB', code: '48 89 03', address: 0x1_0000_0000n, expected: [PF, 6], at: 0x1_0000_0000n },
    { name: 'the upper half', code: '48 8b 03', address: 0xffff_8000_0000_0000n, expected: [PF, 4], at: 0xffff_8000_0000_0000n },
    { name: 'an operand that wraps around', code: '66 8b 03', address: ALL, expected: [PF, 4], at: ALL },
  ])('raises #PF for $name', ({ code, address, expected, at }) => {
    expect(fault(code, { [RBX]: address })).toEqual(expected);
    expect([cr2(), rip()]).toEqual([at, BigInt(CODE)]);
  });

  it.each([
    { name: 'DS', code: '48 8b 03', vector: GP },
    { name: 'the last byte', code: '48 8b 43 f9', vector: GP, address: 0x8000_0000_0000n },
    { name: 'RSP', code: '48 8b 04 24', vector: SS },
    { name: 'R12, which is no stack', code: '49 8b 04 24', vector: GP },
    { name: 'a push', code: '50', vector: SS },
    { name: 'an override that means nothing', code: '36 48 8b 03', vector: GP },
  ])('raises what a non-canonical address deserves: $name', ({ code, vector, address = 1n << 47n }) => {
    expect(fault(code, { [RBX]: address, [RSP]: address + 64n, 12: address })).toEqual([vector, 0]);
    expect(register(RSP)).toBe(address + 64n);
  });

  it('looks at alignment before it looks whether there is a page', () => {
    expect(fault('0f 28 03', { [RBX]: 0x1_0000_0008n })).toEqual([GP, 0]);
    expect(fault('0f 28 03', { [RBX]: 0x1_0000_0010n })).toEqual([PF, 4]);
  });

  it('lets a masked move go on behind 4 GiB, where nothing is present', () => {
    // movq mm0, rbx; maskmovq mm0, mm0 at EDI
    const before = { [RBX]: 0x80n << 24n, [RDI]: 0xffff_ffffn };
    expect(fault('48 0f 6e c3 67 0f f7 c0', before)).toEqual([PF, 6]);
    expect(cr2()).toBe(0x1_0000_0002n);
  });

  it('checks offset and selector of a far pointer for alignment one by one', () => {
    const aligned = (address: number): [number | undefined, number | undefined] =>
      fault('48 0f b2 03', { [RBX]: BigInt(address) }, () => {
        state.set32(layout.CR0, (CR0.pe | CR0.pg | CR0.ne | CR0.am) >>> 0);
        state.eflags = 2 | EFLAG.ac;
        core.modeChanged();
      });
    expect([aligned(DATA + 4), aligned(DATA + 8)]).toEqual([
      [17, 0],
      [GP, HLT * 0x101],
    ]);
  });

  it('jumps to any canonical address, and fetches there', () => {
    expect(fault('ff e0', { [RAX]: 0x7fff_ffff_f000n })).toEqual([PF, 4]);
    expect([rip(), cr2(), core.tick]).toEqual([0x7fff_ffff_f000n, 0x7fff_ffff_f000n, 1]);
    expect(fault('ff e0', { [RAX]: 1n << 47n })).toEqual([GP, 0]);
    expect([rip(), core.tick]).toEqual([BigInt(CODE), 0]);
    expect(fault('e9 00 00 00 80')).toEqual([PF, 4]);
    expect(rip()).toBe(BigInt.asUintN(64, BigInt(CODE + 5) - 0x8000_0000n));
  });

  it('leaves the stack alone when a return goes nowhere', () => {
    const top = BigInt(DATA + 0x800);
    expect(fault('c3', {}, () => memory.setBigUint64(DATA + 0x800, 1n << 63n, true))).toEqual([GP, 0]);
    expect([register(RSP), rip()]).toEqual([top, BigInt(CODE)]);
  });

  it.each([
    '06',
    '1e',
    '27',
    '37',
    '60',
    '62 c0',
    '9a 00 00 00 00 00 00',
    'c4 03',
    'c5 03',
    'ce',
    'd4 0a',
    'd6',
    'ea 00 00 00 00 00 00',
    '82 c0 01',
  ])('does not know %s', (code) => expect(fault(code)).toEqual([UD, 0]));
  it.each(['fa', 'fb', '0f 20 c0', '44 0f 20 c0', '0f 01 f8', '0f 30', 'e4 60', '0f 34', '0f 09', 'cd 80'])('guards %s', (code) =>
    expect(fault(code)[0]).toBe(GP),
  );
  it('has no SYSCALL and no CMPXCHG16B, as CPUID says', () => {
    expect(fault('0f 05')).toEqual([UD, 0]);
    expect(fault('48 0f c7 0b')).toEqual([UD, 0]);
    run('b8 01 00 00 80 0f a2');
    expect(register(2) & ((1n << 29n) | (1n << 11n))).toBe(0n);
  });

  it('has sixteen XMM registers', () => {
    // movq xmm13, rbx; movaps xmm1, xmm13; movq rax, xmm1
    run('66 4c 0f 6e eb 41 0f 28 cd 66 48 0f 7e c8', { [RBX]: 0x1122_3344_5566_7788n });
    expect(register(RAX)).toBe(0x1122_3344_5566_7788n);
  });

  it('addresses with R13 as base need a displacement', () => {
    run('49 89 45 08', { [RAX]: 9n, [R13]: BigInt(DATA) });
    expect(memory.getUint32(DATA + 8, true)).toBe(9);
  });
});
