/** SYSENTER and SYSEXIT (SDM volume 2; volume 3, 5.8.7): flat segments, not read from any table. */
import { CPU_STATE, CS, SS } from '../../state/cpu-state.js';
import { type Cpu, VECTOR } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { fault, requireRing0 } from './descriptors.js';
import { setCpl } from './stack.js';

const RCX = 1;
const RDX = 2;
const RSP = 4;
/** Granularity, D/B, present, nonsystem; code readable and data writable, both accessed. */
const FLAT_CODE = 0xc09b;
const FLAT_DATA = 0xc093;
const DPL_SHIFT = 5;

function enterFlat(cpu: Cpu, selector: number, cpl: number): void {
  const { state } = cpu;
  setCpl(state, cpl);
  state.setSegment(CS, (selector & 0xfffc) | cpl, 0n, 0xffff_ffff, FLAT_CODE | (cpl << DPL_SHIFT));
  state.setSegment(SS, (((selector & 0xfffc) + 8) & 0xffff) | cpl, 0n, 0xffff_ffff, FLAT_DATA | (cpl << DPL_SHIFT));
}

function codeSelector(cpu: Cpu): number {
  const selector = Number(cpu.state.u64(CPU_STATE.sysenterCs) & 0xffffn);
  if (!cpu.protectedMode || (selector & 0xfffc) === 0) fault(VECTOR.gp, 0);
  return selector;
}

function sysenter(cpu: Cpu): void {
  const selector = codeSelector(cpu);
  cpu.setFlag('vm', false);
  cpu.setFlag('if', false);
  enterFlat(cpu, selector, 0);
  cpu.setRegister(RSP, 32, cpu.state.u64(CPU_STATE.sysenterEsp) & 0xffff_ffffn);
  cpu.setIp(cpu.state.u64(CPU_STATE.sysenterEip) & 0xffff_ffffn);
}

function sysexit(cpu: Cpu): void {
  const selector = codeSelector(cpu);
  requireRing0(cpu);
  enterFlat(cpu, (selector + 16) & 0xffff, 3);
  cpu.setRegister(RSP, 32, cpu.register(RCX, 32));
  cpu.setIp(cpu.register(RDX, 32));
}

export const FAST_CALLS: readonly Opcode[] = [opcode('0F 34', 'SYSENTER', '', sysenter), opcode('0F 35', 'SYSEXIT', '', sysexit)];
