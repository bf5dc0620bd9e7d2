/** Arithmetic at its limits, pinned. */
import { describe, expect, it } from 'vitest';
import { run } from '../../properties/model/instructions/test-run.js';
import { engineOracle } from '../../properties/oracles/engine.js';

describe.each(['auto', 'step'] as const)('IDIV of the least dividend by -1, tier %s', (tier) => {
  const oracle = engineOracle(tier);
  it('does not fit at 32 bits', () => {
    expect(run({ bits: 32, code: 'f7f9', registers: { rdx: 0x8000_0000n, rax: 0n, rcx: 0xffff_ffffn } }, oracle).vector).toBe(0);
  });
  it('does not fit at 16 bits', () => {
    expect(run({ bits: 32, code: '66f7f9', registers: { rdx: 0x8000n, rax: 0n, rcx: 0xffffn } }, oracle).vector).toBe(0);
  });
});
