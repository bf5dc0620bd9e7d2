/** F2XM1, FYL2X, FYL2XP1, FPTAN, FPATAN, FSIN, FCOS, FSINCOS as host instructions (Intel SDM volume 2). */
import type { HostSemantics } from '../../cpu/host-instruction.js';
import type { Float80, FloatResult } from '../../float/float80.js';
import { f2xm1, fcos, fpatan, fptan, fsin, fsincos, fyl2x, fyl2xp1 } from '../../float/transcendental.js';
import { begin, FpuState, INDEFINITE_80, registerOpcode } from './fpu-state.js';
import { STATUS } from './status.js';

/** What happens to the stack: ST(0) is replaced; a second result is pushed; ST(1) is replaced and ST(0) popped. */
type Shape = 'replace' | 'push' | 'pop';

function instruction(shape: Shape, compute: (fpu: FpuState) => FloatResult, trigonometric = false): HostSemantics {
  return (cpu, decoded) => {
    const fpu = new FpuState(cpu.state);
    if (!begin(cpu, decoded, fpu)) return;
    fpu.note(decoded);
    const opcode = registerOpcode(decoded);
    // C1 belongs to the result, for trigonometric functions C2 does too; the others are left as they are.
    const codes = fpu.conditionCodes & (STATUS.c0 | STATUS.c3 | (trigonometric ? 0 : STATUS.c2));
    const store = (values: readonly Float80[]): void => {
      const [first, second] = values;
      if (shape === 'pop') fpu.set(1, first!);
      else fpu.set(0, first!);
      if (shape === 'pop') fpu.pop();
      else if (second !== undefined) fpu.push(second);
    };
    const underflow = fpu.isEmpty(0) || (shape === 'pop' && fpu.isEmpty(1));
    const overflow = shape === 'push' && !fpu.isEmpty(7);
    if (underflow || overflow) {
      const flags = STATUS.invalid | STATUS.stackFault;
      const masked = fpu.commit(flags, codes | (underflow ? 0 : STATUS.c1), opcode);
      if (masked) store(shape === 'push' ? [INDEFINITE_80, INDEFINITE_80] : [INDEFINITE_80]);
      return;
    }
    const result = compute(fpu);
    if (fpu.commit(result.flags, codes, opcode)) store(result.values);
  };
}

export const transcendentalSemantics: Readonly<Record<string, HostSemantics>> = {
  f2xm1: instruction('replace', (fpu) => f2xm1(fpu.get(0), fpu.control)),
  fyl2x: instruction('pop', (fpu) => fyl2x(fpu.get(0), fpu.get(1), fpu.control)),
  fyl2xp1: instruction('pop', (fpu) => fyl2xp1(fpu.get(0), fpu.get(1), fpu.control)),
  fpatan: instruction('pop', (fpu) => fpatan(fpu.get(0), fpu.get(1), fpu.control)),
  fptan: instruction('push', (fpu) => fptan(fpu.get(0), fpu.control), true),
  fsin: instruction('replace', (fpu) => fsin(fpu.get(0), fpu.control), true),
  fcos: instruction('replace', (fpu) => fcos(fpu.get(0), fpu.control), true),
  fsincos: instruction('push', (fpu) => fsincos(fpu.get(0), fpu.control), true),
};
