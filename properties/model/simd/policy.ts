/** Rows of the policy table that concern only cases with a fault (engine/policy/simd.ts). */
import { type Cpu, ModelException } from '../cpu.js';

/** Does that, and names the row if it faults. */
export function onFault<T>(cpu: Cpu, policyId: string, action: () => T): T {
  try {
    return action();
  } catch (thrown) {
    if (thrown instanceof ModelException) cpu.undefine(policyId);
    throw thrown;
  }
}
