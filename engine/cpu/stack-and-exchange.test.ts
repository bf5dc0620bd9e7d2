import { describe, expect, it } from 'vitest';
import * as layout from './layout.js';
import { EFLAG } from './state.js';
import { KERNEL_STACK, ProtectedModeCpu } from './test-protected-mode.js';

const ESP = 4;
const EBP = 5;

describe('ENTER', () => {
  it.each([
    [0, [0x9800]],
    [1, [KERNEL_STACK - 4, 0x9800]],
    [3, [KERNEL_STACK - 4, 0x22, 0x11, 0x9800]],
    [35, [KERNEL_STACK - 4, 0x22, 0x11, 0x9800]],
  ])('level %i', (level, frame) => {
    const cpu = new ProtectedModeCpu();
    cpu.state.setReg32(EBP, 0x9800);
    cpu.put32(0x9800 - 8, 0x22, 0x11);
    cpu.run('enter', { immediate: 0x20, immediate2: level });
    expect(cpu.words(KERNEL_STACK - 4 * frame.length, frame.length)).toEqual(frame);
    expect([cpu.state.reg32(EBP), cpu.state.reg32(ESP)]).toEqual([KERNEL_STACK - 4, KERNEL_STACK - 4 * frame.length - 0x20]);
  });

  it('copies a display that overlaps the frame it makes', () => {
    const cpu = new ProtectedModeCpu();
    // The display of the caller starts where the first push lands.
    cpu.state.setReg32(EBP, KERNEL_STACK);
    cpu.run('enter', { immediate2: 3 });
    expect(cpu.words(KERNEL_STACK - 16, 4)).toEqual([KERNEL_STACK - 4, KERNEL_STACK, KERNEL_STACK, KERNEL_STACK]);
  });

  it('with 16 bits keeps the upper half of EBP', () => {
    const cpu = new ProtectedModeCpu();
    cpu.state.setReg32(EBP, 0x1234_9800);
    cpu.run('enter', { operandSize: 16, immediate: 8, immediate2: 0 });
    expect([cpu.state.reg32(EBP), cpu.state.reg32(ESP)]).toEqual([0x1234_0000 + KERNEL_STACK - 2, KERNEL_STACK - 10]);
  });

  it('with 16 bits copies a display of words', () => {
    const cpu = new ProtectedModeCpu();
    cpu.state.setReg32(EBP, 0x9800);
    cpu.put16(0x9800 - 4, 0x22, 0x11);
    cpu.run('enter', { operandSize: 16, immediate2: 3 });
    expect(cpu.words(KERNEL_STACK - 8, 4, 2)).toEqual([KERNEL_STACK - 2, 0x22, 0x11, 0x9800]);
  });

  it.each([
    ['a push', 0x9000],
    ['the final stack pointer', 0x8000],
  ])('faults on %s before anything is written', (_, page) => {
    const cpu = new ProtectedModeCpu();
    cpu.state.setReg32(ESP, 0x9004);
    cpu.guest.readOnly.add(page >>> 12);
    expect(cpu.faultOf(() => cpu.run('enter', { immediate: 0x100, immediate2: 1 }))).toEqual([14, 3]);
  });

  it('faults when the final stack pointer leaves the segment', () => {
    const cpu = new ProtectedModeCpu();
    cpu.state.writeSegment(layout.SS, { selector: 0x10, base: 0, limit: 0x8fff, attributes: 0x4097 });
    expect(cpu.faultOf(() => cpu.run('enter', { immediate: 0x100 }))).toEqual([12, 0]);
  });
});

describe('CMPXCHG8B', () => {
  const OPERAND = { memory: true, offset: 0x8ffc } as const;
  function prepared(): ProtectedModeCpu {
    const cpu = new ProtectedModeCpu();
    [0x1111_1111, 0xcccc_cccc, 0x2222_2222, 0xbbbb_bbbb].forEach((value, i) => {
      cpu.state.setReg32(i, value);
    });
    return cpu;
  }

  it('exchanges when equal', () => {
    const cpu = prepared();
    cpu.put32(0x8ffc, 0x1111_1111, 0x2222_2222);
    cpu.state.eflags = EFLAG.cf;
    cpu.run('cmpxchg8b', OPERAND);
    expect(cpu.words(0x8ffc, 2)).toEqual([0xbbbb_bbbb, 0xcccc_cccc]);
    expect(cpu.state.eflags).toBe(EFLAG.cf | EFLAG.zf | 2);
    expect([cpu.state.reg32(0), cpu.state.reg32(2)]).toEqual([0x1111_1111, 0x2222_2222]);
  });

  it.each([
    [0x1111_1111, 0x2222_2223],
    [0x1111_1110, 0x2222_2222],
  ])('loads when not', (low, high) => {
    const cpu = prepared();
    cpu.put32(0x8ffc, low, high);
    cpu.state.eflags = EFLAG.zf;
    cpu.run('cmpxchg8b', OPERAND);
    expect(cpu.words(0x8ffc, 2)).toEqual([low, high]);
    expect([cpu.state.eflags, cpu.state.reg32(0), cpu.state.reg32(2)]).toEqual([2, low, high]);
  });

  it('needs memory that may be written, whatever the outcome', () => {
    const cpu = prepared();
    expect(cpu.faultOf(() => cpu.run('cmpxchg8b'))).toEqual([6, 0]);
    cpu.guest.readOnly.add(9);
    expect(cpu.faultOf(() => cpu.run('cmpxchg8b', OPERAND))).toEqual([14, 3]);
  });
});
