/** Memory operands of the x87 that operations take directly (Intel SDM volume 1, section 4.2). */
import { type Cpu, ModelException, VECTOR } from '../cpu.js';
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

/**
 * An access to more than 64 bits. The limit of the segment is looked at for all of it before any page; processors that
 * take it in parts may find a page fault first.
 */
export function inParts<T>(cpu: Cpu, access: () => T): T {
  try {
    return access();
  } catch (error) {
    if (error instanceof ModelException && (error.vector === VECTOR.gp || error.vector === VECTOR.ss)) cpu.undefine('operand.parts');
    throw error;
  }
}

/** Faults as the store of a result would. */
export function checkDestination(cpu: Cpu): void {
  const check = (): void => cpu.checkWrite(0);
  if (cpu.width(0) > 64) inParts(cpu, check);
  else check();
}
