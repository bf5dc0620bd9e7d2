/** Memory operands of the x87 that operations take directly (Intel SDM volume 1, section 4.2). */
import type { Cpu } from '../cpu.js';
import { DOUBLE, type Real, realOfInteger, realOfInterchange, SINGLE } from './real.js';

export type MemoryFormat = 'm32fp' | 'm64fp' | 'm16int' | 'm32int' | 'm64int';

/** What memory operand 0 stands for. */
export function readOperand(cpu: Cpu, format: MemoryFormat): Real {
  const bits = cpu.read(0);
  switch (format) {
    case 'm32fp':
      return realOfInterchange(bits, SINGLE);
    case 'm64fp':
      return realOfInterchange(bits, DOUBLE);
    case 'm16int':
      return realOfInteger(BigInt.asIntN(16, bits));
    case 'm32int':
      return realOfInteger(BigInt.asIntN(32, bits));
    case 'm64int':
      return realOfInteger(BigInt.asIntN(64, bits));
  }
}
