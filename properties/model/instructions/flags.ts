/** Instructions on the flags (Intel SDM volume 2: LAHF, SAHF, CLC, STC, CMC, CLD, STD, PUSHF, POPF; volume 3, 20.3 for virtual-8086 mode). */
import { CPU_STATE } from '../../state/cpu-state.js';
import { type Cpu, VECTOR } from '../cpu.js';
import { FLAG_BIT, IOPL_SHIFT } from '../flags.js';
import { type Opcode, opcode } from '../opcode.js';
import { RAX } from './values.js';

const { cf, pf, af, zf, sf, tf, df, of, nt, rf, vm, ac, vif, vip, id } = FLAG_BIT;
const IF = FLAG_BIT.if;
const IOPL = 3 << IOPL_SHIFT;
/** Those that AH holds. */
const LOW_STATUS = cf | pf | af | zf | sf;
const CR4_VME = 1n;

/** Bit 1 is one, bits 3 and 5 are zero: as in EFLAGS itself. */
const loadAh = (cpu: Cpu): void => cpu.setRegister(RAX, 16, (BigInt(cpu.state.flags & 0xff) << 8n) | cpu.register(RAX, 8));
function storeAh(cpu: Cpu): void {
  const ah = Number(cpu.register(RAX, 16) >> 8n);
  cpu.state.flags = (cpu.state.flags & ~LOW_STATUS) | (ah & LOW_STATUS);
}

/**
 * In virtual-8086 mode with IOPL below 3, PUSHF and POPF need the virtual interrupt flag, which they have for 16-bit
 * operands only.
 */
function usesVirtualInterruptFlag(cpu: Cpu): boolean {
  if (!cpu.virtual8086 || cpu.iopl === 3) return false;
  if (cpu.operandSize !== 16 || (cpu.state.u64(CPU_STATE.cr4) & CR4_VME) === 0n) cpu.raise(VECTOR.gp, 0);
  return true;
}

function pushFlags(cpu: Cpu): void {
  const virtual = usesVirtualInterruptFlag(cpu);
  const { flags } = cpu.state;
  let image = flags & ~(vm | rf);
  if (virtual) image = (image & ~IF) | IOPL | (flags & vif ? IF : 0);
  cpu.push(BigInt(cpu.operandSize === 16 ? image & 0xffff : image));
}

function popFlags(cpu: Cpu): void {
  const virtual = usesVirtualInterruptFlag(cpu);
  const { flags } = cpu.state;
  const popped = Number(cpu.pop() & 0xffff_ffffn);
  if (virtual && (popped & tf || (popped & IF && flags & vip))) cpu.raise(VECTOR.gp, 0);
  let writable = LOW_STATUS | of | tf | df | nt;
  if (cpu.operandSize !== 16) writable |= ac | id;
  if (!virtual && cpu.cpl <= cpu.iopl) writable |= IF;
  if (cpu.cpl === 0) writable |= IOPL;
  let result = (flags & ~(writable | rf)) | (popped & writable);
  if (virtual) result = (result & ~vif) | (popped & IF ? vif : 0);
  cpu.state.flags = result;
}

const default64 = { default64: true } as const;

export const FLAGS: readonly Opcode[] = [
  opcode('9F', 'LAHF', '', loadAh),
  opcode('9E', 'SAHF', '', storeAh),
  opcode('F5', 'CMC', '', (cpu) => cpu.setFlag('cf', !cpu.flag('cf'))),
  opcode('F8', 'CLC', '', (cpu) => cpu.setFlag('cf', false)),
  opcode('F9', 'STC', '', (cpu) => cpu.setFlag('cf', true)),
  opcode('FC', 'CLD', '', (cpu) => cpu.setFlag('df', false)),
  opcode('FD', 'STD', '', (cpu) => cpu.setFlag('df', true)),
  opcode('9C', 'PUSHF', '', pushFlags, default64),
  opcode('9D', 'POPF', '', popFlags, default64),
];
