/** Instructions of several accesses, of which a later one may fault: what has been done by then, the manuals leave open. */
import { type Cpu, ModelException } from '../cpu.js';

/** A fault in there means that the instruction relies on a row of the policy table. */
export function openWhereFaulting<T>(cpu: Cpu, policyId: string, action: () => T): T {
  try {
    return action();
  } catch (thrown) {
    if (thrown instanceof ModelException) cpu.undefine(policyId);
    throw thrown;
  }
}
