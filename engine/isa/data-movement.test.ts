/** Moves and exchanges: what the properties have found wrong. */
import { describe, expect, it } from 'vitest';
import { run } from '../../properties/model/instructions/test-run.js';
import { engineOracle } from '../../properties/oracles/engine.js';

const ALL = (1n << 64n) - 1n;

describe.each(['auto', 'step'] as const)('CMPXCHG of 32-bit registers in 64-bit mode, tier %s', (tier) => {
  const oracle = engineOracle(tier);
  const upper = 0xffff_ffff_0000_0000n;

  it.each([
    ['differing', { rax: upper, rbx: ALL, rdx: 5n }, [0xffff_ffffn, ALL]],
    ['equal', { rax: ALL, rbx: ALL, rdx: 5n }, [ALL, 5n]],
  ] as const)('%s: only what is written loses its upper half', (_name, registers, expected) => {
    const { vector, state } = run({ bits: 64, code: '0fb1d3', registers }, oracle);
    expect([vector, state.registers[0], state.registers[3]]).toEqual([undefined, ...expected]);
  });
});
