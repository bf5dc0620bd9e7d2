import { describe, expect, it } from 'vitest';
import * as layout from './layout.js';
import { CR0, CR4 } from './state.js';
import { ProtectedModeCpu } from './test-protected-mode.js';

const GP: [number, number] = [13, 0];
const UD: [number, number] = [6, 0];
const PAE_PAGING = { cr0: CR0.pe | CR0.pg, cr4: CR4.pae };

function move(cpu: ProtectedModeCpu, reg: number, value: number): void {
  cpu.state.setReg32(1, value);
  cpu.run('movToControl', { reg, rm: 1 });
}
/** A fault of a move, the operand being in place before. */
function moveFault(cpu: ProtectedModeCpu, reg: number, value: number): [number, number] {
  cpu.state.setReg32(1, value);
  return cpu.faultOf(() => cpu.run('movToControl', { reg, rm: 1 }));
}

describe('CR0', () => {
  it.each([
    ['PG without PE', CR0.pg],
    ['NW without CD', CR0.pe | CR0.nw],
  ])('%s faults', (_, value) => {
    expect(moveFault(new ProtectedModeCpu(), 0, value)).toEqual(GP);
  });

  it('ignores reserved bits and keeps ET', () => {
    const cpu = new ProtectedModeCpu();
    move(cpu, 0, ~(CR0.pg | CR0.nw));
    expect(cpu.state.cr0).toBe(0x4005_003f);
    move(cpu, 0, 0);
    expect(cpu.state.cr0).toBe(0x10);
    cpu.run('movFromControl', { reg: 0, rm: 2 });
    expect(cpu.state.reg32(2)).toBe(0x10);
  });

  it('turning PAE paging on loads the pointers first', () => {
    const cpu = new ProtectedModeCpu();
    cpu.state.set32(layout.CR4, CR4.pae);
    cpu.state.set32(layout.CR3, 0x5000);
    cpu.pointersValid = false;
    expect(moveFault(cpu, 0, PAE_PAGING.cr0)).toEqual(GP);
    cpu.pointersValid = true;
    move(cpu, 0, PAE_PAGING.cr0);
    expect(cpu.log).toEqual(['pointers 5000', 'flush all', 'modeChanged']);
    cpu.log.length = 0;
    move(cpu, 0, PAE_PAGING.cr0 | CR0.ts);
    expect(cpu.log).toEqual(['modeChanged']);
  });

  it('LMSW sets PE but never clears it, and leaves the upper bits alone', () => {
    const cpu = new ProtectedModeCpu();
    cpu.state.set32(layout.CR0, CR0.pe | CR0.et | CR0.ts | CR0.wp);
    cpu.state.setReg32(1, 0xfff2);
    cpu.run('lmsw', { rm: 1 });
    expect(cpu.state.cr0).toBe((CR0.pe | CR0.et | CR0.mp | CR0.wp) >>> 0);
  });

  it('SMSW gives 16 bits to memory, all of CR0 to a 32-bit register', () => {
    const cpu = new ProtectedModeCpu();
    cpu.state.set32(layout.CR0, 0x8005_0011);
    cpu.enterRing(3);
    cpu.put32(0x8000, 0xffff_ffff);
    cpu.run('smsw', { memory: true, offset: 0x8000 });
    expect(cpu.words(0x8000, 1)).toEqual([0xffff_0011]);
    cpu.run('smsw', { rm: 2 });
    cpu.run('smsw', { rm: 3, operandSize: 16 });
    expect([cpu.state.reg32(2), cpu.state.reg32(3)]).toEqual([0x8005_0011, 0x11]);
  });

  it('CLTS', () => {
    const cpu = new ProtectedModeCpu();
    cpu.state.set32(layout.CR0, 0x19);
    cpu.run('clts');
    expect(cpu.state.cr0).toBe(0x11);
  });
});

describe('CR2, CR3, CR4', () => {
  it('CR3 drops what is not global, and loads the pointers under PAE', () => {
    const cpu = new ProtectedModeCpu();
    move(cpu, 3, 0x7018);
    expect([cpu.state.cr3, cpu.log]).toEqual([0x7018, ['flush nonGlobal', 'modeChanged']]);
    cpu.state.set32(layout.CR0, PAE_PAGING.cr0);
    cpu.state.set32(layout.CR4, PAE_PAGING.cr4);
    cpu.pointersValid = false;
    expect(moveFault(cpu, 3, 0x8020)).toEqual(GP);
  });

  it('CR4 refuses what CPUID does not announce', () => {
    for (const bit of [CR4.mce, 1 << 11, 1 << 13, 1 << 20, 1 << 31]) expect(moveFault(new ProtectedModeCpu(), 4, bit)).toEqual(GP);
    const cpu = new ProtectedModeCpu();
    move(cpu, 4, 0x7bf);
    expect([cpu.state.cr4, cpu.log]).toEqual([0x7bf, ['flush all', 'modeChanged']]);
  });

  it('CR4 changes of the paging mode load the pointers', () => {
    const cpu = new ProtectedModeCpu();
    cpu.state.set32(layout.CR0, PAE_PAGING.cr0);
    move(cpu, 4, CR4.pae);
    expect(cpu.log).toEqual(['pointers 0', 'flush all', 'modeChanged']);
    cpu.pointersValid = false;
    expect(moveFault(cpu, 4, CR4.pae | CR4.pge)).toEqual(GP);
    move(cpu, 4, CR4.pae | CR4.tsd);
    expect(cpu.state.cr4).toBe(CR4.pae | CR4.tsd);
  });

  it('CR2 is a plain cell; CR1 and CR5 - CR8 do not exist', () => {
    const cpu = new ProtectedModeCpu();
    move(cpu, 2, 0x1234_5678);
    expect(cpu.state.cr2).toBe(0x1234_5678);
    for (const reg of [1, 5, 6, 7, 8]) {
      expect(cpu.faultOf(() => cpu.run('movToControl', { reg }))).toEqual(UD);
      expect(cpu.faultOf(() => cpu.run('movFromControl', { reg }))).toEqual(UD);
    }
  });
});

it.each(['movToControl', 'movFromControl', 'lmsw', 'clts', 'hlt', 'invd', 'wbinvd', 'rdmsr', 'wrmsr', 'movToDebug', 'movFromDebug'])(
  '%s needs ring 0',
  (name) => {
    const cpu = new ProtectedModeCpu();
    cpu.enterRing(3);
    expect(cpu.faultOf(() => cpu.run(name))).toEqual(GP);
  },
);

it('HLT halts, INVLPG names a linear page', () => {
  const cpu = new ProtectedModeCpu();
  cpu.run('hlt');
  cpu.run('wbinvd');
  cpu.state.writeSegment(layout.FS, { selector: 0x10, base: 0xffff_f000, limit: 0xfff, attributes: 0x93 });
  cpu.run('invlpg', { memory: true, segment: layout.FS, offset: 0x2345 });
  expect(cpu.log).toEqual(['halt', 'invalidate 1345']);
  expect(cpu.faultOf(() => cpu.run('invlpg'))).toEqual(UD);
  cpu.enterRing(3);
  expect(cpu.faultOf(() => cpu.run('invlpg', { memory: true }))).toEqual(GP);
});
