/** EMMS, MXCSR, fences, prefetches and CLFLUSH (Intel SDM volume 2). */
import { CPU_STATE } from '../../state/cpu-state.js';
import { type Cpu, VECTOR } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { MXCSR_MASK } from './mxcsr.js';
import { begin, leaveMmx, requireSse } from './registers.js';

const emptyMmx = (cpu: Cpu): void => {
  if (begin(cpu, 'mmx')) leaveMmx(cpu);
};

/** #GP(0) for reserved bits. */
export function loadMxcsr(cpu: Cpu, value: number): void {
  if ((value & ~MXCSR_MASK) !== 0) {
    cpu.undefine('mxcsr.mask');
    cpu.raise(VECTOR.gp, 0);
  }
  cpu.state.setU32(CPU_STATE.mxcsr, value);
}

const loadControl = (cpu: Cpu): void => {
  requireSse(cpu);
  loadMxcsr(cpu, Number(cpu.read(0)));
};
const storeControl = (cpu: Cpu): void => {
  requireSse(cpu);
  cpu.write(0, BigInt(cpu.state.u32(CPU_STATE.mxcsr)));
};

/** Memory is always in order. */
const fence = (): void => {};
/** A hint: not even an address is looked at. */
const prefetch = (): void => {};
const prefetchForWriting = (cpu: Cpu): void => {
  if (!cpu.isMemory(0)) cpu.undefine('prefetchw.register');
};
const flushLine = (cpu: Cpu): void => {
  const { segment, offset } = cpu.address(0);
  cpu.touch(segment, offset);
};

export const SIMD_CONTROL: readonly Opcode[] = [
  opcode('NP 0F 77', 'EMMS', '', emptyMmx),
  opcode('NP 0F AE /2', 'LDMXCSR', 'm32', loadControl),
  opcode('NP 0F AE /3', 'STMXCSR', 'm32', storeControl),
  // ModRM.rm does not matter.
  opcode('NP 0F AE /5', 'LFENCE', 'rm:r32', fence),
  opcode('NP 0F AE /6', 'MFENCE', 'rm:r32', fence),
  opcode('NP 0F AE /7', 'SFENCE', 'rm:r32', fence),
  opcode('NP 0F AE /7', 'CLFLUSH', 'm8', flushLine),
  // A register as operand makes a NOP of these.
  opcode('0F 0D /r', 'PREFETCHW', 'r/m8', prefetchForWriting),
  opcode('0F 18 /0', 'PREFETCHNTA', 'r/m8', prefetch),
  opcode('0F 18 /1', 'PREFETCHT0', 'r/m8', prefetch),
  opcode('0F 18 /2', 'PREFETCHT1', 'r/m8', prefetch),
  opcode('0F 18 /3', 'PREFETCHT2', 'r/m8', prefetch),
];
