import { describe, expect, it } from 'vitest';
import * as layout from './layout.js';
import { CR4, EFLAG } from './state.js';
import { systemSemantics } from './system-semantics.js';
import { TestCpu, testInstruction } from './test-cpu.js';
import { ACCESS, DPL3, KERNEL_STACK, ProtectedModeCpu, SELECTOR, USER_STACK } from './test-protected-mode.js';

const ESP = 4;
const GP = 13;
const NP = 11;
const SS_FAULT = 12;
const { free } = SELECTOR;
const where = (cpu: TestCpu): [number, number, number] => [cpu.state.segmentSelector(layout.CS), cpu.state.eip, cpu.state.cpl];
const ALL_FLAGS = 0x003f_7fd5;

describe('real mode', () => {
  it('RET takes the parameters off', () => {
    const cpu = new TestCpu();
    cpu.guest.view.setUint32(0xfffe - 2, 0x2000_1234, true);
    cpu.state.setReg32(ESP, 0x5_fffc);
    systemSemantics.retFarImmediate?.(cpu, testInstruction({ operandSize: 16, immediate: 6 }));
    expect([...where(cpu), cpu.state.reg32(ESP)]).toEqual([0x2000, 0x1234, 0, 0x5_0006]);
  });

  it.each([
    [16, 0x7fd7],
    [32, 0x0025_7fd7],
  ])('IRET with %i bits restores everything of EFLAGS but VM, VIF and VIP', (operandSize, expected) => {
    const cpu = new TestCpu();
    cpu.state.setReg32(ESP, 0x100);
    const put = (i: number, value: number) =>
      operandSize === 16 ? cpu.guest.view.setUint16(0x100 + 2 * i, value, true) : cpu.guest.view.setUint32(0x100 + 4 * i, value, true);
    [0x1234, 0x2000, ALL_FLAGS].forEach((value, i) => {
      put(i, value);
    });
    systemSemantics.iret?.(cpu, testInstruction({ operandSize }));
    expect(where(cpu)).toEqual([0x2000, 0x1234, 0]);
    expect(cpu.state.eflags).toBe(expected);
  });
});

const frames: [string, number[]][] = [
  ['retFar', []],
  ['iret', [2]],
];
describe.each(frames)('%s in protected mode', (name, flags) => {
  const put = (cpu: ProtectedModeCpu, eip: number, cs: number, ...outer: number[]) => cpu.put32(KERNEL_STACK, eip, cs, ...flags, ...outer);

  type Case = [string, number | undefined, number, number, [number, number]];
  const cases: Case[] = [
    ['a null selector', undefined, 3, 0, [GP, 0]],
    ['a selector outside the GDT', undefined, SELECTOR.outside, 0, [GP, SELECTOR.outside]],
    ['data', ACCESS.data, free, 0, [GP, free]],
    ['code of another ring', ACCESS.code | DPL3, free, 0, [GP, free]],
    ['conforming code of an outer ring than RPL', ACCESS.conforming | DPL3, free, 0, [GP, free]],
    ['code not present', ACCESS.code & 0x7f, free, 0, [NP, free]],
    ['an EIP outside the segment', ACCESS.code, free, 0x1000_0000, [GP, 0]],
  ];
  it.each(cases)('faults for %s', (_, access, selector, eip, expected) => {
    const cpu = new ProtectedModeCpu();
    if (access !== undefined) cpu.segment(selector, access, 0, 0xffff);
    put(cpu, eip, selector);
    expect(cpu.faultOf(() => cpu.run(name))).toEqual(expected);
  });

  it('may not go inwards', () => {
    const cpu = new ProtectedModeCpu();
    cpu.enterRing(3);
    cpu.put32(USER_STACK, 0, SELECTOR.kernelCode, 2);
    expect(cpu.faultOf(() => cpu.run(name))).toEqual([GP, SELECTOR.kernelCode]);
  });

  const outer: [string, number | undefined, number, [number, number]][] = [
    ['null', undefined, 0, [GP, 0]],
    ['outside the GDT', undefined, SELECTOR.outside | 3, [GP, SELECTOR.outside]],
    ['with another RPL', ACCESS.data | DPL3, free, [GP, free]],
    ['of another ring', ACCESS.data, free | 3, [GP, free]],
    ['read-only', ACCESS.readOnly | DPL3, free | 3, [GP, free]],
    ['code', ACCESS.code | DPL3, free | 3, [GP, free]],
    ['not present', (ACCESS.data | DPL3) & 0x7f, free | 3, [SS_FAULT, free]],
  ];
  it.each(outer)('faults for an outer stack segment %s', (_, access, selector, expected) => {
    const cpu = new ProtectedModeCpu();
    if (access !== undefined) cpu.segment(selector, access);
    put(cpu, 0, SELECTOR.userCode, USER_STACK, selector);
    expect(cpu.faultOf(() => cpu.run(name))).toEqual(expected);
  });

  it('faults when the outer stack pointer lies outside the inner stack', () => {
    const cpu = new ProtectedModeCpu();
    put(cpu, 0, SELECTOR.userCode, USER_STACK, SELECTOR.userData);
    const limit = KERNEL_STACK + (2 + flags.length) * 4 + 6;
    cpu.state.writeSegment(layout.SS, { selector: 0x10, base: 0, limit, attributes: 0x4093 });
    expect(cpu.faultOf(() => cpu.run(name))).toEqual([SS_FAULT, 0]);
  });

  it('faults on an EIP outside the outer code segment', () => {
    const cpu = new ProtectedModeCpu();
    cpu.segment(free, ACCESS.code | DPL3, 0, 0xfff, 4);
    put(cpu, 0x1000, free | 3, USER_STACK, SELECTOR.userData);
    expect(cpu.faultOf(() => cpu.run(name))).toEqual([GP, 0]);
  });

  it('returns to ring 3 and drops segments that it may not use', () => {
    const cpu = new ProtectedModeCpu();
    cpu.state.setReg32(0, SELECTOR.userData);
    cpu.run('movToSegment', { reg: layout.ES });
    cpu.state.setReg32(0, SELECTOR.conforming);
    cpu.run('movToSegment', { reg: layout.FS });
    put(cpu, 0x1234, SELECTOR.userCode, USER_STACK, SELECTOR.userData);
    cpu.run(name);
    expect([...where(cpu), cpu.state.reg32(ESP)]).toEqual([SELECTOR.userCode, 0x1234, 3, USER_STACK]);
    expect([layout.ES, layout.DS, layout.FS, layout.GS].map((index) => cpu.state.segmentSelector(index))).toEqual([
      SELECTOR.userData,
      0,
      SELECTOR.conforming,
      0,
    ]);
    expect(cpu.state.segmentAttributes(layout.DS)).toBe(0);
  });

  it('a 16-bit outer stack takes SP alone', () => {
    const cpu = new ProtectedModeCpu();
    cpu.segment(free, ACCESS.data | DPL3, 0, 0xffff, 0);
    cpu.state.setReg32(ESP, KERNEL_STACK);
    put(cpu, 0x1234, SELECTOR.userCode, 0x7777_4444, free | 3);
    cpu.run(name);
    expect(cpu.state.reg32(ESP)).toBe(0x4444);
  });

  it('to the same ring', () => {
    const cpu = new ProtectedModeCpu();
    put(cpu, 0x8000_0000, SELECTOR.kernelCode);
    cpu.run(name);
    expect([...where(cpu), cpu.state.reg32(ESP)]).toEqual([8, 0x8000_0000, 0, KERNEL_STACK + 8 + flags.length * 4]);
  });
});

describe('EFLAGS after IRET', () => {
  const GUARDED = EFLAG.if | EFLAG.iopl;
  const SYSTEM_ONLY = EFLAG.iopl | EFLAG.vif | EFLAG.vip;
  // NT would return from a task; VM is another return.
  const POPPED = ALL_FLAGS & ~EFLAG.vm;

  it.each([
    ['ring 0', 0, 0, 32, POPPED],
    ['ring 0, 16 bits', 0, 0, 16, POPPED & 0xffff],
    ['ring 3 with IOPL 0', 3, 0, 32, POPPED & ~(GUARDED | SYSTEM_ONLY)],
    ['ring 3 with IOPL 3', 3, 3, 32, (POPPED & ~SYSTEM_ONLY) | EFLAG.iopl],
    ['ring 3 with IOPL 3, 16 bits', 3, 3, 16, (POPPED & 0xffff & ~SYSTEM_ONLY) | EFLAG.iopl],
  ] as const)('%s', (_, ring, iopl, operandSize, expected) => {
    const cpu = new ProtectedModeCpu();
    cpu.enterRing(ring);
    cpu.state.eflags = iopl << 12;
    const frame = [0x1234, ring === 0 ? SELECTOR.kernelCode : SELECTOR.userCode, POPPED];
    if (operandSize === 32) cpu.put32(cpu.state.reg32(ESP), ...frame);
    else cpu.put16(cpu.state.reg32(ESP), ...frame);
    cpu.run('iret', { operandSize });
    expect(cpu.state.eflags).toBe(expected | 2);
  });

  it('the ring that is left decides about IF and IOPL', () => {
    const cpu = new ProtectedModeCpu();
    cpu.put32(KERNEL_STACK, 0x1234, SELECTOR.userCode, EFLAG.if | EFLAG.iopl, USER_STACK, SELECTOR.userData);
    cpu.run('iret');
    expect(cpu.state.eflags).toBe(EFLAG.if | EFLAG.iopl | 2);
  });

  it('ring 3 cannot enter virtual-8086 mode', () => {
    const cpu = new ProtectedModeCpu();
    cpu.enterRing(3);
    cpu.put32(USER_STACK, 0x1234, SELECTOR.userCode, EFLAG.vm);
    cpu.run('iret');
    expect(cpu.state.eflags).toBe(2);
  });
});

describe('virtual-8086 mode', () => {
  const FRAME = [0x1234, 0x100, EFLAG.vm | EFLAG.if | 2, 0x1000, 0x200, 0x400, 0x300, 0x500, 0x600];

  it('is entered from ring 0', () => {
    const cpu = new ProtectedModeCpu();
    cpu.put32(KERNEL_STACK, ...FRAME);
    cpu.run('iret');
    expect(where(cpu)).toEqual([0x100, 0x1234, 3]);
    expect(cpu.state.reg32(ESP)).toBe(0x1000);
    expect([0, 1, 2, 3, 4, 5].map((i) => cpu.state.readSegment(i))).toEqual(
      [0x400, 0x100, 0x200, 0x300, 0x500, 0x600].map((selector) => ({ selector, base: selector * 16, limit: 0xffff, attributes: 0xf3 })),
    );
    expect(cpu.state.eflags).toBe(EFLAG.vm | EFLAG.if | 2);
  });

  it('is not entered with EIP above ffff or a frame cut short', () => {
    const cpu = new ProtectedModeCpu();
    cpu.put32(KERNEL_STACK, 0x1_0000, ...FRAME.slice(1));
    expect(cpu.faultOf(() => cpu.run('iret'))).toEqual([GP, 0]);
    cpu.put32(KERNEL_STACK, ...FRAME);
    cpu.state.writeSegment(layout.SS, { selector: 0x10, base: 0, limit: KERNEL_STACK + 34, attributes: 0x4093 });
    expect(cpu.faultOf(() => cpu.run('iret'))).toEqual([SS_FAULT, 0]);
  });

  // IRET inside virtual-8086 mode: [VME, IOPL, operand size, popped flags, flags before, flags after or a fault]
  it.each([
    [false, 0, 16, 0, 0, undefined],
    [false, 3, 16, ALL_FLAGS, 0, EFLAG.vm | (ALL_FLAGS & 0x7fd5) | EFLAG.iopl],
    [false, 3, 32, ALL_FLAGS & ~EFLAG.iopl, 0, EFLAG.vm | EFLAG.iopl | (ALL_FLAGS & 0x0025_7fd5)],
    [false, 3, 16, 0, 0, EFLAG.vm | EFLAG.iopl],
    [true, 0, 32, 0, 0, undefined],
    [true, 0, 16, EFLAG.tf, 0, undefined],
    [true, 0, 16, EFLAG.if, EFLAG.vip, undefined],
    [true, 0, 16, EFLAG.cf, EFLAG.vip, EFLAG.vm | EFLAG.vip | EFLAG.if | EFLAG.cf],
    [true, 0, 16, EFLAG.if | EFLAG.iopl | EFLAG.nt, 0, EFLAG.vm | EFLAG.vif | EFLAG.if | EFLAG.nt],
    [true, 0, 16, 0, EFLAG.vif, EFLAG.vm | EFLAG.if],
  ])('IRET with VME %s, IOPL %i, %i bits, popping %i over %i', (vme, iopl, operandSize, popped, before, after) => {
    const cpu = new ProtectedModeCpu();
    cpu.enterVirtual(iopl, before);
    cpu.state.set32(layout.CR4, vme ? CR4.vme : 0);
    if (operandSize === 16) cpu.put16(0x3000, 0x77, 0x88, popped);
    else cpu.put32(0x3000, 0x77, 0x88, popped);
    if (after === undefined) {
      expect(cpu.faultOf(() => cpu.run('iret', { operandSize }))).toEqual([GP, 0]);
      return;
    }
    cpu.run('iret', { operandSize });
    expect(where(cpu)).toEqual([0x88, 0x77, 3]);
    expect(cpu.state.eflags).toBe(after | 2);
  });
});
