/** Near control transfers: what the properties have found wrong. */
import { describe, expect, it } from 'vitest';
import { type RegisterName, run } from '../../properties/model/instructions/test-run.js';
import { engineOracle } from '../../properties/oracles/engine.js';
import { CS, REGISTER_NAMES } from '../../properties/state/cpu-state.js';

describe.each(['auto', 'step'] as const)('a branch beyond the code segment, tier %s', (tier) => {
  const oracle = engineOracle(tier);

  it.each([
    ['JMP rel8', 'eb70', {}],
    ['JMP rel16', 'e90070', {}],
    ['Jcc', '7470', {}],
    ['JCXZ', 'e370', {}],
    ['LOOP', 'e270', { rcx: 2n }],
  ] as const)('%s faults itself, with nothing changed', (_name, code, registers) => {
    const limited = run({ bits: 16, code, registers, flags: 'zf', set: (s) => s.setSegment(CS, 0x33, 0x10000n, 0xfaf, 0xfb) }, oracle);
    expect([limited.vector, limited.errorCode, limited.ticks, limited.distance]).toEqual([13, 0, 0, 0]);
    for (const [name, value] of Object.entries(registers)) {
      expect(limited.state.registers[REGISTER_NAMES.indexOf(name as RegisterName)]).toBe(value);
    }
  });

  it('faults although it was taken before, under a higher limit', () => {
    const go = (limit: number) => {
      const { vector, distance } = run({ bits: 16, code: 'eb10', set: (s) => s.setSegment(CS, 0x33, 0x10000n, limit, 0xfb) }, oracle);
      return [vector, distance];
    };
    expect([go(0xffff), go(0xf50), go(0xffff)]).toEqual([
      [undefined, 0x12],
      [13, 0],
      [undefined, 0x12],
    ]);
  });
});
