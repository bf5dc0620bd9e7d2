import { describe, expect, it } from 'vitest';
import * as layout from './layout.js';
import { CR4, EFLAG } from './state.js';
import { systemSemantics } from './system-semantics.js';
import { TestCpu, testInstruction } from './test-cpu.js';
import { ProtectedModeCpu } from './test-protected-mode.js';

const GP: [number, number] = [13, 0];
const ESP = 4;

type Mode = 'ring0' | 'ring3' | 'virtual';
function cpuIn(mode: Mode, iopl: number, cr4: number, flags = 0): ProtectedModeCpu {
  const cpu = new ProtectedModeCpu();
  if (mode === 'virtual') cpu.enterVirtual(iopl);
  else cpu.enterRing(mode === 'ring0' ? 0 : 3);
  cpu.state.eflags = (mode === 'virtual' ? EFLAG.vm : 0) | (iopl << 12) | flags;
  cpu.state.set32(layout.CR4, cr4);
  return cpu;
}

describe('CLI and STI', () => {
  it.each<[Mode, number, number, number | undefined]>([
    ['ring0', 0, 0, EFLAG.if],
    ['ring3', 3, 0, EFLAG.if],
    ['ring3', 2, 0, undefined],
    ['ring3', 2, CR4.vme, undefined],
    ['ring3', 2, CR4.pvi, EFLAG.vif],
    ['ring3', 3, CR4.pvi, EFLAG.if],
    ['virtual', 3, CR4.vme, EFLAG.if],
    ['virtual', 2, CR4.pvi, undefined],
    ['virtual', 2, CR4.vme, EFLAG.vif],
  ])('%s, IOPL %i, CR4 %i', (mode, iopl, cr4, flag) => {
    const cpu = cpuIn(mode, iopl, cr4);
    const before = cpu.state.eflags;
    if (flag === undefined) {
      expect(cpu.faultOf(() => cpu.run('sti'))).toEqual(GP);
      expect(cpu.faultOf(() => cpu.run('cli'))).toEqual(GP);
      return;
    }
    cpu.run('sti');
    expect(cpu.state.eflags).toBe(before | flag);
    // Only IF has an interrupt shadow, and only when it was clear.
    cpu.run('sti');
    expect(cpu.log).toEqual(flag === EFLAG.if ? ['inhibit'] : []);
    cpu.run('cli');
    expect(cpu.state.eflags).toBe(before);
  });

  it('a pending virtual interrupt makes STI fault', () => {
    const cpu = cpuIn('virtual', 0, CR4.vme, EFLAG.vip);
    expect(cpu.faultOf(() => cpu.run('sti'))).toEqual(GP);
    cpu.run('cli');
  });

  it('need nothing in real mode', () => {
    const cpu = new TestCpu();
    systemSemantics.sti?.(cpu, testInstruction());
    expect(cpu.state.interruptsEnabled).toBe(true);
  });
});

describe('PUSHF', () => {
  it.each<[Mode, number, number, number, number, number | undefined]>([
    ['ring3', 0, 0, 32, EFLAG.rf | EFLAG.ac | EFLAG.cf | EFLAG.vif, EFLAG.ac | EFLAG.cf | EFLAG.vif],
    ['ring0', 0, 0, 16, EFLAG.ac | EFLAG.cf, EFLAG.cf],
    ['virtual', 3, 0, 32, EFLAG.if, EFLAG.if | EFLAG.iopl],
    ['virtual', 0, 0, 16, 0, undefined],
    ['virtual', 0, CR4.vme, 32, 0, undefined],
    ['virtual', 0, CR4.vme, 16, EFLAG.if | EFLAG.cf, EFLAG.iopl | EFLAG.cf],
    ['virtual', 0, CR4.vme, 16, EFLAG.vif, EFLAG.iopl | EFLAG.if],
  ])('%s, IOPL %i, CR4 %i, %i bits, flags %i', (mode, iopl, cr4, operandSize, flags, image) => {
    const cpu = cpuIn(mode, iopl, cr4, flags);
    if (image === undefined) {
      expect(cpu.faultOf(() => cpu.run('pushf', { operandSize }))).toEqual(GP);
      return;
    }
    cpu.run('pushf', { operandSize });
    const base = mode === 'virtual' ? 0x2000 : 0;
    const bytes = operandSize === 16 ? 2 : 4;
    expect(cpu.words(base + cpu.state.reg32(ESP), 1, bytes)).toEqual([image | 2]);
  });
});

describe('POPF', () => {
  const ALL = 0x003f_7fd5;
  const FREE_16 = 0x4dd5;
  const FREE_32 = FREE_16 | EFLAG.ac | EFLAG.id;
  const VI = EFLAG.vif | EFLAG.vip;
  // [mode, IOPL, CR4, bits, flags before, popped, flags after or a fault]
  it.each<[Mode, number, number, number, number, number, number | undefined]>([
    ['ring0', 0, 0, 32, EFLAG.rf | VI, ALL, FREE_32 | EFLAG.if | EFLAG.iopl | VI],
    ['ring0', 0, 0, 32, 0, ALL, FREE_32 | EFLAG.if | EFLAG.iopl],
    ['ring0', 0, 0, 16, EFLAG.ac | EFLAG.rf, ALL, FREE_16 | EFLAG.if | EFLAG.iopl | EFLAG.ac],
    ['ring3', 0, 0, 32, EFLAG.if, 0, EFLAG.if],
    ['ring3', 0, 0, 32, 0, ALL, FREE_32],
    ['ring3', 3, 0, 32, 0, ALL, FREE_32 | EFLAG.if | EFLAG.iopl],
    ['ring3', 3, 0, 32, EFLAG.if, 0, EFLAG.iopl],
    ['virtual', 3, 0, 32, 0, ALL, FREE_32 | EFLAG.if | EFLAG.iopl | EFLAG.vm],
    ['virtual', 3, 0, 16, 0, 0, EFLAG.iopl | EFLAG.vm],
    ['virtual', 0, 0, 16, 0, 0, undefined],
    ['virtual', 0, CR4.vme, 32, 0, 0, undefined],
    ['virtual', 0, CR4.vme, 16, 0, EFLAG.tf, undefined],
    ['virtual', 0, CR4.vme, 16, EFLAG.vip, EFLAG.if, undefined],
    ['virtual', 0, CR4.vme, 16, EFLAG.vip, 0, EFLAG.vip | EFLAG.vm],
    ['virtual', 0, CR4.vme, 16, 0, EFLAG.if | EFLAG.iopl | EFLAG.df, EFLAG.vif | EFLAG.df | EFLAG.vm],
    ['virtual', 0, CR4.vme, 16, EFLAG.vif, 0, EFLAG.vm],
  ])('%s, IOPL %i, CR4 %i, %i bits, %i <- %i', (mode, iopl, cr4, operandSize, flags, popped, after) => {
    const cpu = cpuIn(mode, iopl, cr4, flags);
    const pointer = cpu.state.reg32(ESP);
    cpu.put32((mode === 'virtual' ? 0x2000 : 0) + pointer, popped);
    if (after === undefined) {
      expect(cpu.faultOf(() => cpu.run('popf', { operandSize }))).toEqual(GP);
      return;
    }
    cpu.run('popf', { operandSize });
    expect(cpu.state.eflags).toBe(after | 2);
    expect(cpu.state.reg32(ESP)).toBe(pointer + operandSize / 8);
  });
});
