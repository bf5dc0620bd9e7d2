import { describe, expect, it } from 'vitest';
import * as layout from './layout.js';
import { EFLAG } from './state.js';
import { ACCESS, KERNEL_STACK, ProtectedModeCpu, SELECTOR } from './test-protected-mode.js';

describe('BOUND', () => {
  it.each([
    [32, -5, 7, -5, false],
    [32, -5, 7, 7, false],
    [32, -5, 7, 8, true],
    [32, -5, 7, -6, true],
    [16, -5, 7, 0xfffb, false],
    [16, -5, 7, 0x1_0008, true],
    [16, -0x8000, 0x7fff, 0x8000, false],
  ])('%i bits, %i..%i: %i', (operandSize, lower, upper, index, outside) => {
    const cpu = new ProtectedModeCpu();
    cpu.state.setReg32(1, index);
    if (operandSize === 32) cpu.put32(0x8000, lower, upper);
    else cpu.put16(0x8000, lower, upper);
    const bound = () => cpu.run('bound', { operandSize, reg: 1, memory: true, offset: 0x8000 });
    if (outside) expect(cpu.faultOf(bound)).toEqual([5, 0]);
    else bound();
  });

  it('reads both bounds through the segment', () => {
    const cpu = new ProtectedModeCpu();
    cpu.state.writeSegment(layout.DS, { selector: 0x10, base: 0, limit: 0x8006, attributes: 0x4093 });
    expect(cpu.faultOf(() => cpu.run('bound', { memory: true, offset: 0x8000 }))).toEqual([13, 0]);
    expect(cpu.faultOf(() => cpu.run('bound'))).toEqual([6, 0]);
  });
});

describe('INT, INT3, INTO, INT1', () => {
  it.each([
    ['int', { immediate: -1 }, 0xff],
    ['int3', {}, 3],
    ['into', {}, 4],
    ['int1', {}, 1],
  ] as const)('%s returns behind the instruction, without RF', (name, fields, vector) => {
    const cpu = new ProtectedModeCpu();
    cpu.interruptGate(vector);
    cpu.state.eflags = EFLAG.of;
    cpu.run(name, fields);
    expect(cpu.state.eip).toBe(0x1_2340 + vector);
    expect(cpu.words(KERNEL_STACK - 12, 3)).toEqual([0x400, SELECTOR.kernelCode, EFLAG.of | 2]);
  });

  it('INTO does nothing without overflow', () => {
    const cpu = new ProtectedModeCpu();
    cpu.run('into');
    expect(cpu.state.eip).toBe(0x400);
  });

  it('INT1 passes a gate of ring 0 from ring 3', () => {
    const cpu = new ProtectedModeCpu();
    cpu.interruptGate(1);
    cpu.interruptGate(3);
    cpu.enterRing(3);
    expect(cpu.faultOf(() => cpu.run('int3'))).toEqual([13, 3 * 8 + 2]);
    cpu.run('int1');
    expect(cpu.state.cpl).toBe(0);
  });

  it('a fault on the way names the selector, with EXT only for INT1', () => {
    const cpu = new ProtectedModeCpu();
    cpu.segment(SELECTOR.free, ACCESS.code & 0x7f);
    for (const vector of [1, 3]) cpu.interruptGate(vector, 0x8e, SELECTOR.free);
    expect(cpu.faultOf(() => cpu.run('int3'))).toEqual([11, SELECTOR.free]);
    expect(cpu.faultOf(() => cpu.run('int1'))).toEqual([11, SELECTOR.free + 1]);
  });
});

it.each(['undefinedInstruction', 'rsm'])('%s raises #UD', (name) => {
  const cpu = new ProtectedModeCpu();
  expect(cpu.faultOf(() => cpu.run(name))).toEqual([6, 0]);
});
