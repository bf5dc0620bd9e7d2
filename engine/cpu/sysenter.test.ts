import { expect, it } from 'vitest';
import * as layout from './layout.js';
import { MSR } from './msr.js';
import { CR0, EFLAG } from './state.js';
import { ProtectedModeCpu } from './test-protected-mode.js';

const GP: [number, number] = [13, 0];

function prepared(): ProtectedModeCpu {
  const cpu = new ProtectedModeCpu();
  cpu.msr.set(MSR.sysenterCs, 0x63n);
  cpu.msr.set(MSR.sysenterEsp, 0x9000n);
  cpu.msr.set(MSR.sysenterEip, 0xc010_0000n);
  return cpu;
}

it('enters ring 0 and leaves it, with flat segments', () => {
  const cpu = prepared();
  cpu.enterVirtual(3, EFLAG.cf);
  cpu.run('sysenter');
  expect(cpu.state.readSegment(layout.CS)).toEqual({ selector: 0x60, base: 0, limit: 0xffff_ffff, attributes: 0xc09b });
  expect(cpu.state.readSegment(layout.SS)).toEqual({ selector: 0x68, base: 0, limit: 0xffff_ffff, attributes: 0xc093 });
  expect([cpu.state.cpl, cpu.state.eip, cpu.state.reg32(4)]).toEqual([0, 0xc010_0000, 0x9000]);
  expect(cpu.state.eflags).toBe(EFLAG.cf | EFLAG.iopl | 2);
  cpu.state.setReg32(1, 0xb000);
  cpu.state.setReg32(2, 0x0804_8000);
  cpu.run('sysexit');
  expect(cpu.state.readSegment(layout.CS)).toEqual({ selector: 0x73, base: 0, limit: 0xffff_ffff, attributes: 0xc0fb });
  expect(cpu.state.readSegment(layout.SS)).toEqual({ selector: 0x7b, base: 0, limit: 0xffff_ffff, attributes: 0xc0f3 });
  expect([cpu.state.cpl, cpu.state.eip, cpu.state.reg32(4)]).toEqual([3, 0x0804_8000, 0xb000]);
  expect(cpu.log).toEqual(['modeChanged', 'modeChanged']);
});

it.each(['sysenter', 'sysexit'])('%s faults without a selector and in real mode', (name) => {
  const cpu = prepared();
  cpu.msr.set(MSR.sysenterCs, 3n);
  expect(cpu.faultOf(() => cpu.run(name))).toEqual(GP);
  const real = prepared();
  real.state.set32(layout.CR0, real.state.cr0 & ~CR0.pe);
  expect(real.faultOf(() => real.run(name))).toEqual(GP);
});

it('SYSEXIT needs ring 0', () => {
  const cpu = prepared();
  cpu.enterRing(3);
  expect(cpu.faultOf(() => cpu.run('sysexit'))).toEqual(GP);
});
