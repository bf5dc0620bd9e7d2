import { describe, expect, it } from 'vitest';
import * as layout from './layout.js';
import { EFLAG } from './state.js';
import { ACCESS, DPL3, LDT, ProtectedModeCpu, SELECTOR, TSS } from './test-protected-mode.js';

const GP = 13;
const NP = 11;
const UD: [number, number] = [6, 0];
const { free } = SELECTOR;
const OPERAND = { memory: true, offset: 0x8000 } as const;

describe('GDTR and IDTR', () => {
  it.each([
    ['lgdt', 'sgdt', layout.GDTR_BASE, layout.GDTR_LIMIT],
    ['lidt', 'sidt', layout.IDTR_BASE, layout.IDTR_LIMIT],
  ])('%s and %s', (load, store, base, limit) => {
    const cpu = new ProtectedModeCpu();
    cpu.put16(0x8000, 0x1234, 0x5678, 0x9abc);
    cpu.run(load, OPERAND);
    expect([cpu.state.get32(limit), cpu.state.get32(base)]).toEqual([0x1234, 0x9abc_5678]);
    cpu.run(store, { ...OPERAND, offset: 0x8010, operandSize: 16 });
    expect(cpu.words(0x8010, 4, 2)).toEqual([0x1234, 0x5678, 0x9abc, 0]);
    cpu.run(load, { ...OPERAND, operandSize: 16 });
    expect(cpu.state.get32(base)).toBe(0x00bc_5678);

    expect(cpu.faultOf(() => cpu.run(load))).toEqual(UD);
    expect(cpu.faultOf(() => cpu.run(store))).toEqual(UD);
    cpu.guest.readOnly.add(9);
    expect(cpu.faultOf(() => cpu.run(store, { ...OPERAND, offset: 0x8ffc }))).toEqual([14, 3]);
    cpu.enterRing(3);
    expect(cpu.faultOf(() => cpu.run(load, OPERAND))).toEqual([GP, 0]);
    cpu.run(store, OPERAND);
  });
});

describe('LLDT and LTR', () => {
  it.each([
    ['lldt', undefined, SELECTOR.outside, GP],
    ['lldt', undefined, 0x04, GP],
    ['lldt', ACCESS.data, free, GP],
    ['lldt', 0x89, free, GP],
    ['lldt', ACCESS.ldt & 0x7f, free, NP],
    ['ltr', undefined, SELECTOR.outside, GP],
    ['ltr', undefined, 0x0c, GP],
    ['ltr', ACCESS.code, free, GP],
    ['ltr', 0x8b, free, GP],
    ['ltr', 0x83, free, GP],
    ['ltr', 0x09, free, NP],
  ])('%s with access byte %s, selector %i', (name, access, selector, vector) => {
    const cpu = new ProtectedModeCpu();
    if (access !== undefined) cpu.segment(free, access);
    cpu.state.setReg32(0, selector);
    expect(cpu.faultOf(() => cpu.run(name))).toEqual([vector, selector]);
  });

  it('LTR makes the TSS busy, and refuses null; LLDT takes null', () => {
    const cpu = new ProtectedModeCpu();
    cpu.segment(free, 0x89, 0x7000, 0x67, 0);
    cpu.state.setReg32(0, free | 3);
    cpu.run('ltr');
    expect(cpu.access(free)).toBe(0x8b);
    expect(cpu.state.readSegment(layout.TR)).toEqual({ selector: free | 3, base: 0x7000, limit: 0x67, attributes: 0x8b });
    expect(cpu.words(TSS, 1)).toEqual([0]);
    cpu.state.setReg32(0, 3);
    expect(cpu.faultOf(() => cpu.run('ltr'))).toEqual([GP, 0]);
    cpu.run('lldt');
    cpu.state.setReg32(0, 0x04);
    expect(cpu.faultOf(() => cpu.run('movToSegment', { reg: layout.DS }))).toEqual([GP, 4]);
    cpu.state.setReg32(0, SELECTOR.ldt);
    cpu.run('lldt');
    expect(cpu.state.readSegment(layout.LDTR)).toEqual({ selector: SELECTOR.ldt, base: LDT, limit: 0x3f, attributes: 0x82 });
  });

  it('SLDT and STR', () => {
    const cpu = new ProtectedModeCpu();
    cpu.enterRing(3);
    cpu.state.setReg32(1, 0xffff_ffff);
    cpu.run('sldt', { rm: 1 });
    cpu.state.setReg32(2, 0xffff_ffff);
    cpu.run('str', { rm: 2, operandSize: 16 });
    expect([cpu.state.reg32(1), cpu.state.reg32(2)]).toEqual([SELECTOR.ldt, 0xffff_0000 + SELECTOR.tss]);
    cpu.put32(0x8000, 0xffff_ffff);
    cpu.run('str', OPERAND);
    expect(cpu.words(0x8000, 1)).toEqual([0xffff_0000 + SELECTOR.tss]);
  });
});

it.each(['lldt', 'ltr', 'sldt', 'str', 'arpl', 'lar', 'lsl', 'verr', 'verw'])('%s does not exist in virtual-8086 mode', (name) => {
  const cpu = new ProtectedModeCpu();
  cpu.enterVirtual(3);
  expect(cpu.faultOf(() => cpu.run(name))).toEqual(UD);
});

it('LLDT and LTR need ring 0', () => {
  const cpu = new ProtectedModeCpu();
  cpu.enterRing(3);
  expect(cpu.faultOf(() => cpu.run('lldt'))).toEqual([GP, 0]);
  expect(cpu.faultOf(() => cpu.run('ltr'))).toEqual([GP, 0]);
});

describe('questions about a selector', () => {
  // [access byte, ring, RPL, LAR, LSL, VERR, VERW]
  it.each<[string, number, 0 | 3, number, boolean, boolean, boolean, boolean]>([
    ['data', ACCESS.data, 0, 0, true, true, true, true],
    ['data, from ring 3', ACCESS.data, 3, 0, false, false, false, false],
    ['data, RPL 3', ACCESS.data, 0, 3, false, false, false, false],
    ['user data', ACCESS.data | DPL3, 3, 3, true, true, true, true],
    ['read-only data', ACCESS.readOnly, 0, 0, true, true, true, false],
    ['code', ACCESS.code, 0, 0, true, true, true, false],
    ['execute-only code', ACCESS.executeOnly, 0, 0, true, true, false, false],
    ['conforming code, from ring 3', ACCESS.conforming, 3, 3, true, true, true, false],
    ['a segment that is not present', ACCESS.data & 0x7f, 0, 0, true, true, true, true],
    ['a TSS', 0x89, 0, 0, true, true, false, false],
    ['a busy 16-bit TSS', 0x83, 0, 0, true, true, false, false],
    ['an LDT', ACCESS.ldt, 0, 0, true, true, false, false],
    ['a call gate', 0x8c, 0, 0, true, false, false, false],
    ['a task gate', 0x85, 0, 0, true, false, false, false],
    ['an interrupt gate', 0x8e, 0, 0, false, false, false, false],
    ['a reserved type', 0x88, 0, 0, false, false, false, false],
  ])('%s', (_, access, ring, rpl, ...expected) => {
    const cpu = new ProtectedModeCpu();
    cpu.segment(free, access, 0x1234_5678, 0x54321, 0xc);
    cpu.enterRing(ring);
    const answers = ['lar', 'lsl', 'verr', 'verw'].map((name) => {
      cpu.state.setReg32(0, free | rpl);
      cpu.state.setReg32(1, 0x7777_7777);
      cpu.run(name, { reg: 1 });
      const zf = (cpu.state.eflags & EFLAG.zf) !== 0;
      const value = name === 'lar' ? (0x00c0_0000 | (access << 8)) >>> 0 : 0x5432_1fff;
      expect(cpu.state.reg32(1)).toBe(zf && name.startsWith('l') ? value : 0x7777_7777);
      return zf;
    });
    expect(answers).toEqual(expected);
  });

  it('null and outside selectors answer no, and leave the other flags alone', () => {
    const cpu = new ProtectedModeCpu();
    for (const selector of [0, SELECTOR.outside, 0x44]) {
      cpu.state.setReg32(0, selector);
      cpu.state.eflags = EFLAG.zf | EFLAG.cf | EFLAG.of;
      cpu.run('lar');
      expect(cpu.state.eflags).toBe(EFLAG.cf | EFLAG.of | 2);
    }
  });

  it('16-bit forms', () => {
    const cpu = new ProtectedModeCpu();
    cpu.state.setReg32(0, SELECTOR.kernelData);
    cpu.state.setReg32(1, 0x7777_7777);
    cpu.run('lar', { reg: 1, operandSize: 16 });
    expect(cpu.state.reg32(1)).toBe(0x7777_9300);
  });

  it.each([
    [0x40, 3, 0x43, true],
    [0x43, 3, 0x43, false],
    [0x43, 1, 0x43, false],
    [0x41, 2, 0x42, true],
  ])('ARPL %i, %i', (destination, source, result, zf) => {
    const cpu = new ProtectedModeCpu();
    cpu.state.setReg32(1, 0xabcd_0000 + destination);
    cpu.state.setReg32(2, source);
    cpu.run('arpl', { rm: 1, reg: 2, operandSize: 16 });
    expect(cpu.state.reg32(1)).toBe(0xabcd_0000 + result);
    expect((cpu.state.eflags & EFLAG.zf) !== 0).toBe(zf);
  });
});
