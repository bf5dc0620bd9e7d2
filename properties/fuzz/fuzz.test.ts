/** Campaigns, failures and what they are written as. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createMachine } from '../../engine/index.js';
import { batchOf, type Case } from '../arbitraries/case.js';
import { userCase } from '../arbitraries/case-arbitrary.js';
import { differencesOf } from '../compare/compare.js';
import { compareCase } from '../compare/one-case.js';
import { engineOracle } from '../oracles/engine.js';
import { type CaseBatch, createOutcomes, END, type Oracle, type Outcomes } from '../oracles/oracle.js';
import { CPU_STATE_BYTES, CpuState } from '../state/cpu-state.js';
import { Campaign } from './campaign.js';
import { caseMachine } from './case-machine.js';
import { describeCase, parseCase } from './case-text.js';
import { causeOf, type Finding, instructionsOf, printFailure, shrink } from './failure.js';
import { fuzz } from './fuzz.js';
import { reproducerOf } from './reproducer.js';

const engine = engineOracle('auto');

it('writes a case as text and reads it back', () => {
  for (const bits of [16, 32, 64] as const) {
    const property = fc.property(userCase({ bits }), (one) => {
      const again = parseCase(JSON.parse(JSON.stringify(describeCase(one))));
      expect(Buffer.compare(again.record, one.record)).toBe(0);
      expect({ ...again, record: [] }).toEqual({ ...one, record: [] });
    });
    fc.assert(property, { seed: 86, numRuns: 100 });
  }
});

/** The engine with a defect: XOR forgets to clear the carry flag when EDX is odd. */
class WithDefect implements Oracle {
  readonly name = 'engine with a defect';
  readonly countsTicks = true;
  refuses(batch: CaseBatch): string | undefined {
    return engine.refuses(batch);
  }
  run(batch: CaseBatch, outcomes: Outcomes): void {
    engine.run(batch, outcomes);
    const bytes = batch.records.length / batch.count;
    for (let i = 0; i < batch.count; i++) {
      const code = batch.records.subarray(i * bytes + CPU_STATE_BYTES, (i + 1) * bytes);
      const before = new CpuState(batch.records.buffer as ArrayBuffer, batch.records.byteOffset + i * bytes);
      const after = new CpuState(outcomes.records.buffer as ArrayBuffer, i * bytes);
      if (code.subarray(0, 512).includes(0x31) && ((before.registers[2] as bigint) & 1n) === 1n) after.flags |= 1;
    }
  }
  close(): void {}
}

const defect = new WithDefect();

function examine(one: Case): Finding | undefined {
  const { differences } = compareCase(one, engine, defect);
  return differences.length === 0 ? undefined : { differences, ends: ['', ''], policies: [], note: '' };
}

it('shrinks a failure to one instruction in a plain state', () => {
  const sequences = userCase({ bits: 32, sequences: true });
  const [found] = fc.sample(sequences, { numRuns: 300, seed: 86 }).filter((one) => examine(one) !== undefined);
  const one = found as Case;
  expect(instructionsOf(one).length).toBeGreaterThan(10);
  let tried = 0;
  const counted = (candidate: Case): Finding | undefined => {
    tried++;
    return examine(candidate);
  };
  const little = shrink(one, examine(one) as Finding, counted, 20);
  expect(tried).toBeLessThanOrEqual(21);
  expect(examine(little)).toBeDefined();
  const simplest = shrink(one, examine(one) as Finding, examine);
  const { state, memory } = describeCase(simplest);
  expect(instructionsOf(simplest)).toHaveLength(1);
  expect(state.edx).toBe('0x1');
  // The address of the code, EDX, and at most a register or two that the instruction needs.
  expect(Object.keys(state).length).toBeLessThanOrEqual(5);
  expect(Object.keys(memory)).toHaveLength(1);
  const finding = examine(simplest) as Finding;
  expect(finding.differences.map(({ field }) => field)).toEqual(['flags.cf']);
  expect(causeOf(simplest, finding)).toMatch(/: flags\.cf/);
  const failure = {
    cause: 'a cause',
    target: 'XOR',
    bits: 32,
    oracles: ['engine', 'model'],
    seed: 1,
    shape: 2,
    index: 3,
    count: 4,
  } as const;
  expect(printFailure({ ...failure, case: simplest, ...finding })).toContain('flags.cf: engine 0x0, model 0x1');
  const text = reproducerOf({ ...failure, case: simplest, ...finding });
  expect(text).toContain("import { compareCase, engineOracle, modelOracle, parseCase } from 'replay86/properties';");
});

it('boots a machine into a case, which ends as the case does', () => {
  let booted = 0;
  for (const bits of [16, 32] as const) {
    const property = fc.property(userCase({ bits }), (one) => {
      const image = caseMachine(one);
      const outcomes = createOutcomes(1, one.record.length);
      engine.run(batchOf(one), outcomes);
      if (image === undefined || outcomes.ends[0] === END.limit) return;
      const { memoryBytes, ...boot } = image;
      const machine = createMachine({ boot: { kind: 'raw', ...boot }, memoryBytes });
      expect(machine.run({ tick: 5000 }).kind).toBe('halted');
      const state = new CpuState(outcomes.records.buffer as ArrayBuffer);
      const names = ['eax', 'ecx', 'edx', 'ebx', 'ebp', 'esi', 'edi'] as const;
      const numbers = [0, 1, 2, 3, 5, 6, 7];
      // Selectors and tables are the machine's own, and so may be what instructions read of them.
      if (/sgdt|sidt|sldt|str |smsw|rdtsc|cpuid|lar|lsl|ver|ds|es|fs|gs|ss|ret|call|jmp|int|iret/.test(instructionsOf(one).join())) return;
      expect(names.map((name) => machine.registers.get(name))).toEqual(numbers.map((i) => Number(state.registers[i])));
      booted++;
    });
    fc.assert(property, { seed: 86, numRuns: 30 });
  }
  expect(booted).toBeGreaterThan(30);
});

const TIERS = { modes: [16, 32], oracle: 'tiers', sequences: false, system: false, seed: 86 } as const;

it('runs a campaign, the same however many threads share it', async () => {
  const options = { ...TIERS, match: '^(ADD|SHL|MOVS)', cases: 6_000 };
  const one = await fuzz({ ...options, workers: 1 });
  const two = await fuzz({ ...options, workers: 2 });
  expect([one.failures, one.problems]).toEqual([[], []]);
  expect([two.coverage, two.uncovered]).toEqual([one.coverage, one.uncovered]);
  expect(one.coverage.reduce((sum, { cases }) => sum + cases, 0)).toBeGreaterThan(4_000);
  expect(one.coverage.find(({ encoding }) => encoding.startsWith('ADD r/m8, r8'))?.outcomes.normal).toBeGreaterThan(0);
});

it('stops when it is told to, with a report of what it has run', async () => {
  const interrupt = new AbortController();
  const report = await fuzz({ ...TIERS, workers: 1, cases: 100_000_000, signal: interrupt.signal, onProgress: () => interrupt.abort() });
  expect(report.cases).toBeGreaterThan(0);
  expect(report.coverage.length).toBeGreaterThan(0);
});

it('finds the same cases again by seed and number', () => {
  const failures = [0, 1].map(() => {
    const campaign = new Campaign(TIERS);
    for (let shape = 0; shape < 20; shape++) campaign.runShape(shape);
    const rows = campaign.coverage.take();
    campaign.close();
    return rows;
  });
  expect(failures[0]).toEqual(failures[1]);
});

it('says that there is nothing to run', async () => {
  await expect(fuzz({ ...TIERS, match: 'no such instruction' })).rejects.toThrow('no encoding matches');
});

it('names every kind of difference', () => {
  const [one] = fc.sample(userCase({ bits: 32 }), { numRuns: 1, seed: 1 });
  const { record } = one as Case;
  const [left, right] = [createOutcomes(1, record.length), createOutcomes(1, record.length)];
  left.records.set(record);
  right.records.set(record);
  right.vectors[0] = 14;
  right.errorCodes[0] = 4;
  right.ticks[0] = 7;
  const state = new CpuState(right.records.buffer as ArrayBuffer);
  state.registers[3] = (state.registers[3] as bigint) ^ 1n;
  state.flags ^= 0x800;
  right.records[CPU_STATE_BYTES + 512 + 0x10]! ^= 1;
  right.records[640 + 16]! ^= 1;
  right.strayWrites.push(0, 0x20010, 0xab);
  const options = { ticks: true, errorCodes: true };
  const fields = differencesOf(batchOf(one as Case), 0, left, right, options).map(({ field }) => field);
  expect(fields).toEqual(['end', 'error code', 'ticks', 'ebx', 'flags.of', 'xmm1', 'data+0x10', 'stray writes']);
});
