/** SYSENTER and SYSEXIT (SDM volume 2; volume 3, section 5.8.7): flat segments derived from IA32_SYSENTER_CS. */
import { generalProtection } from './exceptions.js';
import type { Cpu, HostSemantics } from './host-instruction.js';
import * as layout from './layout.js';
import { MSR } from './msr.js';
import { setPrivilege } from './segmentation.js';
import { ATTRIBUTE, EFLAG, type SegmentCache } from './state.js';

const ECX = 1;
const EDX = 2;
const ESP = 4;

const FLAT = ATTRIBUTE.present | ATTRIBUTE.nonSystem | ATTRIBUTE.big | ATTRIBUTE.granularity | ATTRIBUTE.accessed | ATTRIBUTE.readWrite;

const flatSegment = (selector: number, privilege: number, code: number): SegmentCache => ({
  selector: (selector & 0xfffc) | privilege,
  base: 0,
  limit: 0xffff_ffff,
  attributes: FLAT | code | (privilege << 5),
});

const msr32 = (cpu: Cpu, address: number): number => Number(BigInt.asUintN(32, cpu.msr.get(address) as bigint));

/** Bits 15:2 of IA32_SYSENTER_CS; zero means that the instructions are not set up. */
function baseSelector(cpu: Cpu): number {
  const selector = msr32(cpu, MSR.sysenterCs) & 0xfffc;
  if (!cpu.state.protectedMode || selector === 0) throw generalProtection(0);
  return selector;
}

function switchRing(cpu: Cpu, selector: number, privilege: number, eip: number, esp: number): void {
  const { state } = cpu;
  state.writeSegment(layout.CS, flatSegment(selector, privilege, ATTRIBUTE.code));
  state.writeSegment(layout.SS, flatSegment(selector + 8, privilege, 0));
  setPrivilege(state, privilege);
  state.setReg32(ESP, esp);
  state.eip = eip;
  cpu.modeChanged();
}

export const sysenterSemantics: Record<string, HostSemantics> = {
  sysenter: (cpu) => {
    const selector = baseSelector(cpu);
    cpu.state.eflags = cpu.state.eflags & ~(EFLAG.vm | EFLAG.if | EFLAG.rf);
    switchRing(cpu, selector, 0, msr32(cpu, MSR.sysenterEip), msr32(cpu, MSR.sysenterEsp));
  },
  sysexit: (cpu) => {
    const selector = baseSelector(cpu);
    if (cpu.state.cpl !== 0) throw generalProtection(0);
    switchRing(cpu, selector + 16, 3, cpu.state.reg32(EDX), cpu.state.reg32(ECX));
  },
};
