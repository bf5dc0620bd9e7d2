/**
 * A small share of what `replay86 fuzz` runs: every encoding in every mode, sequences, and the system arena, with a fixed seed
 * and in CI with a fresh one. No difference may be left that the policy table does not explain.
 */
import { expect, it } from 'vitest';
import { propertySeeds } from '../testing/property-seed.js';
import { requireTool } from '../testing/system-tool.js';
import { Campaign, type CampaignOptions, targetsFor } from './campaign.js';
import { printFailure } from './failure.js';

const MODES = [16, 32, 64] as const;
const PLAIN = { modes: MODES, sequences: false, system: false } as const;
/** One shape for each encoding in each mode. */
const ALL = targetsFor({ ...PLAIN, oracle: 'model', seed: 0 }).length;

const SHARES: readonly [what: string, shapes: number, Omit<CampaignOptions, 'seed'>][] = [
  ['the model', ALL, { ...PLAIN, oracle: 'model', casesPerShape: 8 }],
  ['itself step by step', ALL, { ...PLAIN, oracle: 'tiers', casesPerShape: 8 }],
  ['the host', ALL, { ...PLAIN, oracle: 'native', casesPerShape: 8 }],
  ['the model, in sequences', 600, { ...PLAIN, oracle: 'model', sequences: true, casesPerShape: 4 }],
  ['itself step by step, in sequences', 600, { ...PLAIN, oracle: 'tiers', sequences: true, casesPerShape: 4 }],
  ['the host, in sequences', 300, { ...PLAIN, oracle: 'native', sequences: true, casesPerShape: 4 }],
  ['the model, in the system arena', 1200, { ...PLAIN, oracle: 'model', modes: [16, 32], system: true, casesPerShape: 4 }],
];

/** Of the encodings; the others are random bytes this time, or not for the host (the report of a campaign names them). */
const COVERED = 0.88;

it.each(SHARES)('the engine agrees with %s', { timeout: 120_000 }, (_, shapes, options) => {
  if (options.oracle === 'native') requireTool('gcc');
  for (const seed of propertySeeds()) {
    const campaign = new Campaign({ ...options, seed });
    try {
      for (let shape = 0; shape < shapes; shape++) campaign.runShape(shape);
      expect([...campaign.failures.values()].map(printFailure)).toEqual([]);
      expect(campaign.cases).toBeGreaterThan(shapes);
      const targets = targetsFor({ ...options, seed });
      const covered = targets.length - campaign.coverage.uncovered(targets).length;
      if (shapes === ALL) expect(covered / ALL).toBeGreaterThan(COVERED);
    } finally {
      campaign.close();
    }
  }
});
