import { describe, expect, it } from 'vitest';
import * as layout from './layout.js';
import { CR0, EFLAG } from './state.js';
import { systemSemantics } from './system-semantics.js';
import { TestCpu, testInstruction } from './test-cpu.js';
import { ACCESS, DPL3, KERNEL_STACK, ProtectedModeCpu, RING0_STACK, SELECTOR, TSS, USER_STACK } from './test-protected-mode.js';

const ESP = 4;
const GP = 13;
const TS = 10;
const NP = 11;
const SS_FAULT = 12;
const { free, free2 } = SELECTOR;
const GATE = 0x1000 + free;
const where = (cpu: TestCpu): [number, number, number] => [cpu.state.segmentSelector(layout.CS), cpu.state.eip, cpu.state.cpl];

describe('real and virtual-8086 mode', () => {
  it('jumps and calls to any paragraph', () => {
    const cpu = new TestCpu();
    cpu.state.setReg32(ESP, 0x100);
    cpu.state.eip = 0x77;
    systemSemantics.callFarDirect?.(cpu, testInstruction({ operandSize: 16, immediate: 0x1_1234, immediate2: 0x2000 }));
    expect(where(cpu)).toEqual([0x2000, 0x1234, 0]);
    expect(cpu.state.segmentBase(layout.CS)).toBe(0x2_0000);
    expect([cpu.state.reg32(ESP), cpu.guest.view.getUint32(0xfc, true)]).toEqual([0xfc, 0x77]);
  });

  it('checks the limit of CS', () => {
    const cpu = new ProtectedModeCpu();
    cpu.enterVirtual(3);
    expect(cpu.faultOf(() => cpu.run('jumpFarDirect', { immediate: 0x1_0000, immediate2: 0x10 }))).toEqual([GP, 0]);
    cpu.run('jumpFarDirect', { immediate: 0xffff, immediate2: 0x10 });
    expect(where(cpu)).toEqual([0x10, 0xffff, 3]);
  });

  it('leaves real mode for 32-bit code', () => {
    const cpu = new ProtectedModeCpu();
    for (let i = 0; i < 6; i++) cpu.state.writeSegment(i, { selector: 0, base: 0, limit: 0xffff, attributes: 0x93 });
    cpu.run('jumpFarDirect', { immediate: 0x1_0000, immediate2: SELECTOR.kernelCode });
    expect(cpu.state.readSegment(layout.CS)).toEqual({ selector: 8, base: 0, limit: 0xffff_ffff, attributes: 0xc09b });
    expect(cpu.state.cr0 & CR0.pe).toBe(1);
  });
});

describe.each(['jumpFarDirect', 'callFarDirect'] as const)('%s to code', (name) => {
  type Case = [string, number | undefined, number, 0 | 3, number, [number, number]];
  const cases: Case[] = [
    ['null', undefined, 3, 0, 0, [GP, 0]],
    ['outside the GDT', undefined, SELECTOR.outside, 0, 0, [GP, SELECTOR.outside]],
    ['data', ACCESS.data, free, 0, 0, [GP, free]],
    ['an LDT', ACCESS.ldt, free, 0, 0, [GP, free]],
    ['an interrupt gate', 0x8e, free, 0, 0, [GP, free]],
    ['inner code', ACCESS.code, free, 3, 0, [GP, free]],
    ['outer code', ACCESS.code | DPL3, free, 0, 0, [GP, free]],
    ['code with RPL above CPL', ACCESS.code, free | 3, 0, 0, [GP, free]],
    ['conforming code of an outer ring', ACCESS.conforming | DPL3, free, 0, 0, [GP, free]],
    ['code not present', ACCESS.code & 0x7f, free, 0, 0, [NP, free]],
    ['an offset outside the segment', ACCESS.code, free, 0, 0x1000_0000, [GP, 0]],
  ];
  it.each(cases)('faults for %s', (_, access, selector, ring, offset, expected) => {
    const cpu = new ProtectedModeCpu();
    if (access !== undefined) cpu.segment(selector, access, 0, 0xffff);
    cpu.enterRing(ring);
    expect(cpu.faultOf(() => cpu.run(name, { immediate: offset, immediate2: selector }))).toEqual(expected);
  });

  it.each([
    ['the same ring', SELECTOR.kernelCode, 0, 0x08],
    ['the same ring, RPL 3', SELECTOR.userCode, 3, SELECTOR.userCode],
    ['the same ring with a lower RPL', SELECTOR.userCode & ~3, 3, SELECTOR.userCode],
    ['conforming code from ring 3', SELECTOR.conforming, 3, SELECTOR.conforming | 3],
  ] as const)('reaches %s', (_, selector, ring, result) => {
    const cpu = new ProtectedModeCpu();
    cpu.enterRing(ring);
    cpu.run(name, { immediate: 0x8765_4321, immediate2: selector });
    expect(where(cpu)).toEqual([result, 0x8765_4321, ring]);
    if (name === 'callFarDirect') {
      const top = ring === 0 ? KERNEL_STACK : USER_STACK;
      expect(cpu.words(top - 8, 2)).toEqual([0x400, ring === 0 ? SELECTOR.kernelCode : SELECTOR.userCode]);
      expect(cpu.state.reg32(ESP)).toBe(top - 8);
    }
  });

  it('takes a pointer from memory', () => {
    const cpu = new ProtectedModeCpu();
    cpu.put16(0x8000, 0x1234, SELECTOR.kernelCode16);
    const indirect = name.replace('Direct', 'Indirect');
    cpu.run(indirect, { operandSize: 16, memory: true, offset: 0x8000 });
    expect(where(cpu)).toEqual([SELECTOR.kernelCode16, 0x1234, 0]);
    expect(cpu.faultOf(() => cpu.run(indirect))).toEqual([6, 0]);
  });
});

it('a call without room on the stack changes nothing', () => {
  const cpu = new ProtectedModeCpu();
  cpu.state.writeSegment(layout.SS, { selector: 0x10, base: 0, limit: KERNEL_STACK - 5, attributes: 0x4093 });
  expect(cpu.faultOf(() => cpu.run('callFarDirect', { immediate2: 8 }))).toEqual([SS_FAULT, 0]);
});

describe('call gates', () => {
  const call = (cpu: ProtectedModeCpu, selector: number = free) => cpu.run('callFarDirect', { immediate: 0xdead, immediate2: selector });
  const USER_GATE = 0x8c | DPL3;

  type Case = [string, (cpu: ProtectedModeCpu) => number, [number, number]];
  const cases: Case[] = [
    ['gate of an inner ring', (cpu) => (cpu.gate(GATE, 0x8c, SELECTOR.kernelCode, 0), free), [GP, free]],
    ['gate not present', (cpu) => (cpu.gate(GATE, USER_GATE & 0x7f, SELECTOR.kernelCode, 0), free), [NP, free]],
    ['null code', (cpu) => (cpu.gate(GATE, USER_GATE, 0, 0), free), [GP, 0]],
    ['code outside the GDT', (cpu) => (cpu.gate(GATE, USER_GATE, SELECTOR.outside, 0), free), [GP, SELECTOR.outside]],
    ['data', (cpu) => (cpu.gate(GATE, USER_GATE, SELECTOR.userData, 0), free), [GP, SELECTOR.userData & ~3]],
    [
      'code not present',
      (cpu) => {
        cpu.segment(free2, ACCESS.code & 0x7f);
        cpu.gate(GATE, USER_GATE, free2, 0);
        return free;
      },
      [NP, free2],
    ],
    [
      'entry outside the code segment',
      (cpu) => {
        cpu.segment(free2, ACCESS.code, 0, 0xfff, 4);
        cpu.gate(GATE, USER_GATE, free2, 0x1000);
        return free;
      },
      [GP, 0],
    ],
    [
      'inner stack null',
      (cpu) => {
        cpu.put32(TSS + 8, 0);
        cpu.gate(GATE, USER_GATE, SELECTOR.kernelCode, 0);
        return free;
      },
      [TS, 0],
    ],
    [
      'inner stack of the wrong ring',
      (cpu) => {
        cpu.put32(TSS + 8, SELECTOR.ring1Data);
        cpu.gate(GATE, USER_GATE, SELECTOR.kernelCode, 0);
        return free;
      },
      [TS, SELECTOR.ring1Data & ~3],
    ],
    [
      'inner stack too small for the parameters',
      (cpu) => {
        cpu.segment(free2, ACCESS.expandDown, 0, RING0_STACK - 16 - 31 * 4 + 3, 4);
        cpu.put32(TSS + 8, free2);
        cpu.gate(GATE, USER_GATE, SELECTOR.kernelCode, 0, 31);
        return free;
      },
      [SS_FAULT, free2],
    ],
    [
      'parameters outside the outer stack',
      (cpu) => {
        cpu.state.writeSegment(layout.SS, { ...cpu.state.readSegment(layout.SS), limit: USER_STACK + 4 });
        cpu.gate(GATE, USER_GATE, SELECTOR.kernelCode, 0, 2);
        return free;
      },
      [SS_FAULT, 0],
    ],
  ];
  it.each(cases)('faults: %s', (_, prepare, expected) => {
    const cpu = new ProtectedModeCpu();
    cpu.enterRing(3);
    const selector = prepare(cpu);
    expect(cpu.faultOf(() => call(cpu, selector))).toEqual(expected);
  });

  it('a gate whose DPL is below the RPL of the selector', () => {
    const cpu = new ProtectedModeCpu();
    cpu.gate(GATE, 0x8c, SELECTOR.kernelCode, 0);
    expect(cpu.faultOf(() => call(cpu, free | 1))).toEqual([GP, free]);
  });

  it.each([
    [0x8c, 4, 0x7_1234],
    [0x84, 2, 0x1234],
  ] as const)('type %i: copies parameters to the inner stack', (access, bytes, eip) => {
    const cpu = new ProtectedModeCpu();
    cpu.gate(GATE, access | DPL3, SELECTOR.kernelCode, 0x7_1234, 3);
    cpu.enterRing(3);
    if (bytes === 4) cpu.put32(USER_STACK, 1, 2, 3, 4);
    else cpu.put16(USER_STACK, 1, 2, 3, 4);
    call(cpu);
    expect(where(cpu)).toEqual([SELECTOR.kernelCode, eip, 0]);
    expect(cpu.state.reg32(ESP)).toBe(RING0_STACK - 7 * bytes);
    const userStack = bytes === 4 ? USER_STACK : USER_STACK & 0xffff;
    expect(cpu.words(RING0_STACK - 7 * bytes, 7, bytes)).toEqual([0x400, SELECTOR.userCode, 1, 2, 3, userStack, SELECTOR.userData]);
    expect(cpu.state.segmentSelector(layout.SS)).toBe(SELECTOR.kernelData);

    cpu.run('retFarImmediate', { operandSize: bytes * 8, immediate: 3 * bytes });
    expect(where(cpu)).toEqual([SELECTOR.userCode, 0x400, 3]);
    expect([cpu.state.segmentSelector(layout.SS), cpu.state.reg32(ESP)]).toEqual([SELECTOR.userData, USER_STACK + 3 * bytes]);
  });

  it('to the same ring there is no new stack, nor parameters; JMP may not go inwards', () => {
    const cpu = new ProtectedModeCpu();
    cpu.gate(GATE, 0x8c | DPL3, SELECTOR.kernelCode | 3, 0x500, 3);
    call(cpu);
    expect([...where(cpu), cpu.state.reg32(ESP)]).toEqual([8, 0x500, 0, KERNEL_STACK - 8]);
    cpu.run('jumpFarDirect', { immediate2: free });
    expect(cpu.state.reg32(ESP)).toBe(KERNEL_STACK - 8);
    cpu.enterRing(3);
    expect(cpu.faultOf(() => cpu.run('jumpFarDirect', { immediate2: free }))).toEqual([GP, SELECTOR.kernelCode]);
  });

  it('through a 16-bit TSS', () => {
    const cpu = new ProtectedModeCpu();
    cpu.state.writeSegment(layout.TR, { selector: SELECTOR.tss, base: 0x7000, limit: 0x2b, attributes: 0x83 });
    cpu.put16(0x7002, 0x8800, SELECTOR.kernelData);
    cpu.gate(GATE, 0x8c | DPL3, SELECTOR.kernelCode, 0x500);
    cpu.enterRing(3);
    call(cpu);
    expect(cpu.state.reg32(ESP)).toBe(0x8800 - 16);
  });
});

describe('tasks', () => {
  it.each([
    ['task gate of an inner ring', 3, 0x85, SELECTOR.tss, [GP, free]],
    ['task gate not present', 0, 0x05, SELECTOR.tss, [NP, free]],
    ['task gate to a busy TSS', 0, 0x85, SELECTOR.tss, [GP, SELECTOR.tss]],
    ['task gate to the LDT', 0, 0x85, 0x0c, [GP, 0x0c]],
    ['task gate to code', 0, 0x85, SELECTOR.kernelCode, [GP, SELECTOR.kernelCode]],
    ['task gate to outside', 0, 0x85, SELECTOR.outside, [GP, SELECTOR.outside]],
  ] as const)('%s', (_, ring, access, selector, expected) => {
    const cpu = new ProtectedModeCpu();
    cpu.enterRing(ring);
    cpu.gate(GATE, access, selector, 0);
    expect(cpu.faultOf(() => cpu.run('jumpFarDirect', { immediate2: free }))).toEqual(expected);
  });

  it.each([
    ['of an inner ring', 3, 0x89, [GP, free]],
    ['busy', 0, 0x8b, [GP, free]],
    ['not present', 0, 0x09, [NP, free]],
    ['too short', 0, 0x89, [TS, free]],
  ] as const)('a TSS %s', (_, ring, access, expected) => {
    const cpu = new ProtectedModeCpu();
    cpu.enterRing(ring);
    cpu.segment(free, access, 0x7000, 0x66, 0);
    expect(cpu.faultOf(() => cpu.run('callFarDirect', { immediate2: free }))).toEqual(expected);
  });
});

it('EFLAGS do not change in transfers', () => {
  const cpu = new ProtectedModeCpu();
  cpu.state.eflags = EFLAG.if | EFLAG.zf | EFLAG.tf;
  cpu.gate(GATE, 0x8c, SELECTOR.kernelCode, 0x500);
  cpu.run('callFarDirect', { immediate2: free });
  expect(cpu.state.eflags).toBe(EFLAG.if | EFLAG.zf | EFLAG.tf | 2);
});
