/** What the policy table excuses of writes outside the windows. */
import { expect, it } from 'vitest';
import { batchOf } from '../arbitraries/case.js';
import { parseCase } from '../fuzz/case-text.js';
import { modelOracle } from '../oracles/model.js';
import { createOutcomes, type Outcomes } from '../oracles/oracle.js';
import { differencesOf } from './compare.js';
import { unexcused } from './excuse.js';

/** FXSAVE to an image of which the first half lies before the data window. */
const IMAGE = 0x20e00;
const one = parseCase({
  arena: 'user',
  bits: 32,
  state: { eip: '0x10f40', eax: `0x${IMAGE.toString(16)}` },
  memory: { 'code+0x40': '0f ae 00' },
  codeBytes: 3,
  tickLimit: 8,
});
const MXCSR_MASK = 28;
const REGISTER = 32;
const EXACT = { ticks: false, errorCodes: true } as const;

function saved(): Outcomes {
  const outcomes = createOutcomes(1, one.record.length);
  modelOracle().run(batchOf(one), outcomes);
  return outcomes;
}

/** What remains of the differences to a processor that writes something else to this address outside the windows. */
function remaining(address: number): string[] {
  const [ours, theirs] = [saved(), saved()];
  const { strayWrites } = theirs;
  const at = strayWrites.findIndex((value, i) => i % 3 === 1 && value === address);
  if (at === -1) strayWrites.push(0, address, 1);
  else strayWrites[at + 1] = (strayWrites[at + 1] as number) ^ 1;
  const differences = differencesOf(batchOf(one), 0, ours, theirs, EXACT);
  expect(differences.map(({ field }) => field)).toEqual(['stray writes']);
  return unexcused(batchOf(one), 0, ours, theirs, ours, differences).map(({ field }) => field);
}

it('excuses a write outside the windows where a row names that byte of the destination', () => {
  expect(remaining(IMAGE + MXCSR_MASK)).toEqual([]);
});

it('excuses no other byte of the destination, and none beside it', () => {
  expect(remaining(IMAGE + REGISTER)).toEqual(['stray writes']);
  expect(remaining(IMAGE - 1)).toEqual(['stray writes']);
  expect(remaining(0x20000)).toEqual(['stray writes']);
});
