/** One case of a batch, or its outcome, as if it were alone: views, nothing is copied but writes outside the windows. */
import type { CaseBatch, Outcomes } from '../oracles/oracle.js';

const POLICY_WORDS = 4;

export const caseAlone = (batch: CaseBatch, index: number): CaseBatch => {
  const bytes = batch.records.length / batch.count;
  return { ...batch, count: 1, records: batch.records.subarray(index * bytes, (index + 1) * bytes) };
};

export function outcomeAlone(outcomes: Outcomes, index: number, recordBytes: number): Outcomes {
  const { records, ends, vectors, errorCodes, ticks, policies, strayWrites } = outcomes;
  const ownWrites: number[] = [];
  for (let i = 0; i < strayWrites.length; i += 3)
    if (strayWrites[i] === index) ownWrites.push(0, strayWrites[i + 1] as number, strayWrites[i + 2] as number);
  return {
    records: records.subarray(index * recordBytes, (index + 1) * recordBytes),
    ends: ends.subarray(index, index + 1),
    vectors: vectors.subarray(index, index + 1),
    errorCodes: errorCodes.subarray(index, index + 1),
    ticks: ticks.subarray(index, index + 1),
    policies: policies.subarray(index * POLICY_WORDS, (index + 1) * POLICY_WORDS),
    strayWrites: ownWrites,
  };
}
