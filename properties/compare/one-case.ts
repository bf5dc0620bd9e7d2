/** One case in two oracles: how they differ, in words. */
import { batchOf, type Case } from '../arbitraries/case.js';
import { createOutcomes, type Oracle, type Outcomes } from '../oracles/oracle.js';
import { type ComparisonOptions, comparisonOf, differencesOf } from './compare.js';
import type { Difference } from './fields.js';

export interface CaseComparison {
  readonly differences: readonly Difference[];
  readonly left: Outcomes;
  readonly right: Outcomes;
}

/** Runs a case in both and compares everything that both can show. */
export function compareCase(
  one: Case,
  left: Oracle,
  right: Oracle,
  options: ComparisonOptions = comparisonOf(left, right),
): CaseComparison {
  const batch = batchOf(one);
  const outcomes = [left, right].map((oracle) => {
    const reason = oracle.refuses(batch);
    if (reason !== undefined) throw new Error(`${oracle.name} cannot run this case: ${reason}`);
    const made = createOutcomes(1, one.record.length);
    oracle.run(batch, made);
    return made;
  });
  const [a, b] = outcomes as [Outcomes, Outcomes];
  return { differences: differencesOf(batch, 0, a, b, options), left: a, right: b };
}
