import { describe, expect, it } from 'vitest';
import { cpuidLeaf } from './cpuid.js';
import * as layout from './layout.js';
import { EFER_NXE, MSR, readMsr, resetMsrs, writeMsr } from './msr.js';
import { CR4 } from './state.js';
import { ProtectedModeCpu } from './test-protected-mode.js';

const GP: [number, number] = [13, 0];
const rdmsr = (cpu: ProtectedModeCpu, address: number): bigint => {
  cpu.state.setReg32(1, address);
  cpu.run('rdmsr');
  return (BigInt(cpu.state.reg32(2)) << 32n) | BigInt(cpu.state.reg32(0));
};
const wrmsr = (cpu: ProtectedModeCpu, address: number, value: bigint): void => {
  cpu.state.setReg32(1, address);
  cpu.state.setReg32(0, Number(value & 0xffff_ffffn));
  cpu.state.setReg32(2, Number(value >> 32n));
  cpu.run('wrmsr');
};

describe('the time-stamp counter', () => {
  it('is virtual time plus what was written', () => {
    const cpu = new ProtectedModeCpu();
    cpu.nowNs = 0x1_0000_0005;
    cpu.run('rdtsc');
    expect([cpu.state.reg32(2), cpu.state.reg32(0)]).toEqual([1, 5]);
    wrmsr(cpu, MSR.timeStampCounter, 3n);
    cpu.nowNs += 10;
    expect(rdmsr(cpu, MSR.timeStampCounter)).toBe(13n);
    wrmsr(cpu, MSR.timeStampCounter, 0xffff_ffff_ffff_ffffn);
    cpu.nowNs += 2;
    expect(rdmsr(cpu, MSR.timeStampCounter)).toBe(1n);
  });

  it('can be kept from user code, and performance counters are unless CR4.PCE', () => {
    const cpu = new ProtectedModeCpu();
    cpu.enterRing(3);
    cpu.run('rdtsc');
    cpu.state.set32(layout.CR4, CR4.tsd);
    expect(cpu.faultOf(() => cpu.run('rdtsc'))).toEqual(GP);
    expect(cpu.faultOf(() => cpu.run('rdpmc'))).toEqual(GP);
    cpu.state.set32(layout.CR4, CR4.pce);
    cpu.state.setReg32(1, 0x8000_0011);
    cpu.run('rdpmc');
    expect([cpu.state.reg32(0), cpu.state.reg32(2)]).toEqual([0, 0]);
    cpu.state.setReg32(1, 18);
    expect(cpu.faultOf(() => cpu.run('rdpmc'))).toEqual(GP);
  });
});

describe('model-specific registers', () => {
  it.each([0x1b, 0x179, 0x2a, 0x260, 0x210, 0xc000_0081, 0xffff_ffff])('%i does not exist', (address) => {
    const cpu = new ProtectedModeCpu();
    expect(cpu.faultOf(() => readMsr(cpu, address))).toEqual(GP);
    expect(cpu.faultOf(() => writeMsr(cpu, address, 0n))).toEqual(GP);
  });

  it.each([
    ['a read-only register', MSR.platformId, 0n],
    ['MTRR capabilities', MSR.mtrrCapabilities, 0x508n],
    ['EFER without long mode', MSR.efer, 1n << 8n],
    ['a PAT type that does not exist', MSR.pat, 2n],
    ['a PAT type that does not exist, at the top', MSR.pat, 0x0800_0000_0000_0000n],
    ['an MTRR type that does not exist', 0x250, 7n],
    ['a reserved MTRR default-type bit', MSR.mtrrDefaultType, 1n << 9n],
    ['an MTRR base of another type', MSR.mtrrVariable, 2n],
    ['an MTRR base beyond 36 bits', MSR.mtrrVariable, 1n << 36n],
    ['a reserved bit of an MTRR mask', MSR.mtrrVariable + 1, 1n],
  ])('WRMSR refuses %s', (_, address, value) => {
    const cpu = new ProtectedModeCpu();
    expect(cpu.faultOf(() => writeMsr(cpu, address, value))).toEqual(GP);
    expect(cpu.log).toEqual([]);
  });

  it.each([
    [MSR.sysenterCs, 0x8n],
    [MSR.sysenterEsp, 0xffff_fff0n],
    [MSR.sysenterEip, 0xc000_0000n],
    [MSR.miscEnable, 0x1n],
    [MSR.pat, 0x0007_0106_0007_0106n],
    [0x26f, 0x0606_0505_0404_0100n],
    [MSR.mtrrDefaultType, 0x806n],
    [MSR.mtrrVariable + 14, 0xf_8000_0006n],
    [MSR.mtrrVariable + 15, 0xf_8000_0800n],
  ])('%i keeps what is written', (address, value) => {
    const cpu = new ProtectedModeCpu();
    wrmsr(cpu, address, value);
    expect(rdmsr(cpu, address)).toBe(value);
  });

  it('EFER.NXE changes paging', () => {
    const cpu = new ProtectedModeCpu();
    wrmsr(cpu, MSR.efer, BigInt(EFER_NXE));
    expect([cpu.state.get32(layout.EFER), cpu.log]).toEqual([0x800, ['flush all', 'modeChanged']]);
    expect(rdmsr(cpu, MSR.efer)).toBe(0x800n);
  });

  it('there is no microcode update', () => {
    const cpu = new ProtectedModeCpu();
    wrmsr(cpu, MSR.biosSignId, 0x1234n);
    expect(rdmsr(cpu, MSR.biosSignId)).toBe(0n);
  });

  it('reset gives the same registers in the same order', () => {
    const cpu = new ProtectedModeCpu();
    const first = [...cpu.msr];
    wrmsr(cpu, MSR.pat, 0n);
    resetMsrs(cpu.msr);
    expect([...cpu.msr]).toEqual(first);
    expect(cpu.msr.get(MSR.pat)).toBe(0x0007_0406_0007_0406n);
  });
});

describe('CPUID', () => {
  const text = (...words: number[]): string =>
    words.map((word) => String.fromCharCode(word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0xff, word >>> 24)).join('');

  it('names the vendor and the brand', () => {
    const [maximum, ebx, ecx, edx] = cpuidLeaf(0);
    expect([maximum, text(ebx, edx, ecx)]).toEqual([2, 'GenuineIntel']);
    const brand = [2, 3, 4].map((i) => text(...cpuidLeaf(0x8000_0000 + i))).join('');
    expect(brand).toBe('replay86 virtual CPU'.padEnd(48, '\0'));
  });

  it('announces FPU VME DE PSE TSC MSR PAE CX8 SEP MTRR PGE CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2, and NX', () => {
    const [signature, misc, ecx, edx] = cpuidLeaf(1);
    expect([signature, misc, ecx, edx]).toEqual([0xf29, 0x800, 0, 0x078b_b97f]);
    expect(cpuidLeaf(0x8000_0001)).toEqual([0, 0, 0, 0x0010_0000]);
    expect(cpuidLeaf(0x8000_0008)[0]).toBe(0x2024);
  });

  it('answers other leaves as the manual says', () => {
    expect(cpuidLeaf(3)).toEqual(cpuidLeaf(2));
    expect(cpuidLeaf(0x8000_0009)).toEqual(cpuidLeaf(2));
    expect(cpuidLeaf(0x4000_0000)).toEqual(cpuidLeaf(2));
    expect(cpuidLeaf(0x8000_0006)).toEqual([0, 0, 0, 0]);
    const cpu = new ProtectedModeCpu();
    cpu.enterRing(3);
    cpu.state.setReg32(0, 2);
    cpu.run('cpuid');
    expect([0, 3, 1, 2].map((i) => cpu.state.reg32(i))).toEqual([0x665b_5001, 0, 0, 0x007b_7040]);
  });
});
