/** Debug registers: MOV DRn, and which breakpoints an access meets (SDM volume 3, 17.2 and 17.3). */
import { CPU_STATE, type CpuState } from '../../state/cpu-state.js';
import { type Cpu, ModelException, VECTOR } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { fault, requireRing0 } from './descriptors.js';

const CR4_DE = 8n;
const DR7_GD = 1n << 13n;
const DR6_BD = 1n << 13n;
/** BD, BS, BT, B0-B3 can be written; the other bits are ones but for bit 12. */
const DR6_WRITABLE = 0xe00fn;
const DR6_ONES = 0xffff_0ff0n;
const DR7_ONES = 0x400n;
const DR7_WRITABLE = 0xffff_23ffn;

const debugRegister = (state: CpuState, number: number): bigint => state.u64(CPU_STATE.debug + number * 8);

/** DR4 and DR5 are other names of DR6 and DR7, unless CR4.DE is set. */
function accessible(cpu: Cpu, operand: number): number {
  const named = cpu.registerNumber(operand);
  const alias = named === 4 || named === 5;
  if (alias && (cpu.state.u64(CPU_STATE.cr4) & CR4_DE) !== 0n) fault(VECTOR.ud);
  requireRing0(cpu);
  if ((debugRegister(cpu.state, 7) & DR7_GD) !== 0n) throw new ModelException(VECTOR.db, undefined, DR6_BD);
  return alias ? named + 2 : named;
}

function movToDebug(cpu: Cpu): void {
  const number = accessible(cpu, 0);
  let value = cpu.read(1);
  if (number === 6) value = (value & DR6_WRITABLE) | DR6_ONES;
  if (number === 7) value = (value & DR7_WRITABLE) | DR7_ONES;
  cpu.state.setU64(CPU_STATE.debug + number * 8, value);
}

function movFromDebug(cpu: Cpu): void {
  cpu.write(0, debugRegister(cpu.state, accessible(cpu, 1)));
}

export const DEBUG_REGISTERS: readonly Opcode[] = [
  opcode('0F 21 /r', 'MOV', 'rm:r32,DRn', movFromDebug, { not64: true }),
  opcode('0F 23 /r', 'MOV', 'DRn,rm:r32', movToDebug, { not64: true }),
  opcode('0F 21 /r', 'MOV', 'rm:r64,DRn', movFromDebug, { only64: true }),
  opcode('0F 23 /r', 'MOV', 'DRn,rm:r64', movToDebug, { only64: true }),
];

/** R/W field of DR7. */
const CONDITION = { execute: 0, write: 1, port: 2, readWrite: 3 } as const;
/** By the LEN field; 2 is undefined without 64-bit mode (policy `debug.length`). */
const LENGTH_BYTES = [1, 2, 1, 4] as const;
const LENGTH_UNDEFINED = 2;

/** B0-B3 of the breakpoints met; DR6 shows those that are not enabled as well, next to one that is (policy `debug.disabled`). */
function met(cpu: Cpu, address: number, bytes: number, conditions: readonly number[]): number {
  const { state } = cpu;
  const control = Number(debugRegister(state, 7));
  if ((control & 0xff) === 0) return 0;
  let all = 0;
  let enabled = 0;
  for (let number = 0; number < 4; number++) {
    const field = (control >>> (16 + 4 * number)) & 0xf;
    if (!conditions.includes(field & 3)) continue;
    if (field >> 2 === LENGTH_UNDEFINED) cpu.undefine('debug.length');
    const length = LENGTH_BYTES[field >> 2] as number;
    const at = Number(debugRegister(state, number));
    const first = at - (at % length);
    if (address >= first + length || address + bytes <= first) continue;
    all |= 1 << number;
    if ((control >> (2 * number)) & 3) enabled |= 1 << number;
  }
  if (enabled === 0) return 0;
  if (enabled !== all) cpu.undefine('debug.disabled');
  return all;
}

export const instructionBreakpoints = (cpu: Cpu, linear: number): number => met(cpu, linear, 1, [CONDITION.execute]);

export const dataBreakpoints = (cpu: Cpu, linear: number, bytes: number, write: boolean): number =>
  met(cpu, linear, bytes, write ? [CONDITION.write, CONDITION.readWrite] : [CONDITION.readWrite]);

/** I/O breakpoints exist while CR4.DE is set. */
export const portBreakpoints = (cpu: Cpu, port: number, bytes: number): number =>
  (cpu.state.u64(CPU_STATE.cr4) & CR4_DE) === 0n ? 0 : met(cpu, port, bytes, [CONDITION.port]);
