/**
 * A case instruction by instruction: each as a case of its own, in the state in which an oracle has come to it. What one
 * instruction leaves open decides what the next ones do, so that only single instructions can be held against the rows of
 * the policy table.
 */
import { batchOf, type Case, caseOf } from '../arbitraries/case.js';
import { createOutcomes, END, type Oracle } from '../oracles/oracle.js';
import { stateOfRecord } from './fields.js';

const TRAP_FLAG = 0x100;
const INSTRUCTION_BYTES = 15;

/** With TF set, so that each ends behind its instruction in all oracles. */
export function stepsOf(one: Case, oracle: Oracle): Case[] {
  const steps: Case[] = [];
  const outcomes = createOutcomes(1, one.record.length);
  let { record } = one;
  for (let tick = 0; tick < one.tickLimit; tick++) {
    const batch = batchOf({ ...one, record: record.slice(), tickLimit: 1 });
    const step = caseOf(batch, 0, INSTRUCTION_BYTES);
    oracle.run(batch, outcomes);
    stateOfRecord(step.record).flags |= TRAP_FLAG;
    steps.push(step);
    if (outcomes.ends[0] !== END.limit) break;
    record = outcomes.records.slice(0, record.length);
  }
  return steps;
}
