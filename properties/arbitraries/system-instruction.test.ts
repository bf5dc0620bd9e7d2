/** Operands of any instruction lie where system cases have their data. */
import { expect, it } from 'vitest';
import { modelOracle } from '../oracles/model.js';
import { createOutcomes } from '../oracles/oracle.js';
import { SYSTEM_AREA, SYSTEM_OFFSET, SYSTEM_RECORD_BYTES } from '../state/system-arena.js';
import { allEncodings } from './encodings.js';
import { Random } from './random.js';
import { drawEncodingBatch } from './system-states.js';

const BATCHES = 12;
const CASES = 8;

/** Of so many cases of an instruction that writes memory, how many have changed the data. */
function writersOfData(code: string, bits: 16 | 32): number {
  const encoding = allEncodings().find((one) => one.code === code);
  if (encoding === undefined) throw new Error(`no ${code}`);
  const outcomes = createOutcomes(CASES, SYSTEM_RECORD_BYTES);
  const model = modelOracle();
  let writers = 0;
  for (let seed = 0; seed < BATCHES; seed++) {
    const batch = drawEncodingBatch(new Random(seed), CASES, bits, encoding);
    model.run(batch, outcomes);
    for (let index = 0; index < CASES; index++) {
      const from = index * SYSTEM_RECORD_BYTES + SYSTEM_OFFSET.data;
      const data = (records: Uint8Array): Buffer => Buffer.from(records.subarray(from, from + SYSTEM_AREA.data.bytes));
      if (!data(batch.records).equals(data(outcomes.records))) writers++;
    }
  }
  return writers;
}

it.each([
  ['Not_rm32', 32],
  ['Not_rm32', 16],
  ['Stosb_m8_AL', 32],
  ['Stosb_m8_AL', 16],
  ['Movups_xmmm128_xmm', 32],
  ['Fst_m64fp', 16],
] as const)('%s in %i-bit code reaches the data', (code, bits) => {
  const writers = writersOfData(code, bits);
  expect(writers).toBeGreaterThan((BATCHES * CASES) / 6);
  expect(writers).toBeLessThan(BATCHES * CASES);
});
