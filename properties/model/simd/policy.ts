/** Rows of the policy table that concern only cases with a fault (engine/policy/simd.ts). */
import { type Cpu, ModelException } from '../cpu.js';

/** Does that, and names the row if it raises that vector. */
export function onFault<T>(cpu: Cpu, vector: number, policyId: string, action: () => T): T {
  try {
    return action();
  } catch (thrown) {
    if (thrown instanceof ModelException && thrown.vector === vector) cpu.undefine(policyId);
    throw thrown;
  }
}
