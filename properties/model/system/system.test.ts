import { expect, test } from 'vitest';
import { Random } from '../../arbitraries/random.js';
import { createSystemOutcomes, drawSystemBatch } from '../../arbitraries/system-states.js';
import { engineOracle } from '../../oracles/engine.js';
import { modelOracle } from '../../oracles/model.js';
import type { Oracle, Outcomes } from '../../oracles/oracle.js';
import { CPU_STATE, CpuState } from '../../state/cpu-state.js';
import { SYSTEM_RECORD_BYTES } from '../../state/system-arena.js';

const CASES = 8;

/** Numbers of the cases that end otherwise in the two outcomes. */
function differences(one: Outcomes, other: Outcomes): number[] {
  const found = new Set<number>();
  for (let at = 0; at < one.records.length; at++) {
    if (one.records[at] !== other.records[at]) found.add(Math.floor(at / SYSTEM_RECORD_BYTES));
  }
  for (let i = 0; i < CASES; i++) if (one.ends[i] !== other.ends[i] || one.ticks[i] !== other.ticks[i]) found.add(i);
  const strays = ({ strayWrites }: Outcomes): string[] =>
    Array.from({ length: strayWrites.length / 3 }, (_, i) => strayWrites.slice(i * 3, i * 3 + 3).join()).sort();
  const theirs = strays(other);
  strays(one).forEach((stray, i) => {
    if (stray !== theirs[i]) found.add(Number.parseInt(stray, 10));
  });
  if (strays(one).length !== theirs.length) found.add(-1);
  return [...found];
}

function disagreements(one: Oracle, other: Oracle, firstSeed: number, seeds: number): string[] {
  const found: string[] = [];
  const [first, second] = [createSystemOutcomes(CASES), createSystemOutcomes(CASES)];
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    const batch = drawSystemBatch(new Random(seed), CASES);
    one.run(batch, first);
    other.run(batch, second);
    for (const number of differences(first, second)) found.push(`seed ${seed} case ${number}`);
  }
  return found;
}

test('engine and model agree on system code', () => {
  expect(disagreements(engineOracle('step'), modelOracle(), 1, 400)).toEqual([]);
});

test('cached blocks and the model agree on system code', () => {
  expect(disagreements(engineOracle('auto'), modelOracle(), 50_000, 200)).toEqual([]);
});

test('cases end in many ways', () => {
  const model = modelOracle();
  const ends = new Map<number, number>();
  const rings = new Map<string, number>();
  for (let seed = 1; seed <= 100; seed++) {
    const batch = drawSystemBatch(new Random(seed), CASES);
    const outcomes = createSystemOutcomes(CASES);
    model.run(batch, outcomes);
    for (let i = 0; i < CASES; i++) {
      const after = new CpuState(outcomes.records.buffer as ArrayBuffer, i * SYSTEM_RECORD_BYTES);
      const end = outcomes.ends[i] as number;
      ends.set(end, (ends.get(end) ?? 0) + 1);
      const mode = after.flags & 0x2_0000 ? 'virtual' : `ring ${after.u32(CPU_STATE.cpl)}`;
      rings.set(mode, (rings.get(mode) ?? 0) + 1);
    }
  }
  // Halted, shut down, tick limit; every ring.
  for (const end of [1, 2, 3]) expect(ends.get(end) ?? 0).toBeGreaterThan(40);
  for (const mode of ['ring 0', 'ring 1', 'ring 2', 'ring 3', 'virtual']) expect(rings.get(mode) ?? 0).toBeGreaterThan(4);
});
