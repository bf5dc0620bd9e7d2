/**
 * Cases against the model, for a mutant: the first time they are run in engine and model, and what both agree on is kept as
 * digests; then each mutated engine alone is held against these. A program of its own, run in the tree of the mutant:
 *
 *   cases.ts record FILE            runs engine and model, writes the digests
 *   cases.ts check FILE FAMILIES    status 1 at the first difference; encodings of these families come first
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { Random } from '../arbitraries/random.js';
import { drawSystemBatch } from '../arbitraries/system-states.js';
import { UserBatches } from '../arbitraries/user-batches.js';
import { comparisonOf, differingCases } from '../compare/compare.js';
import { type Target, targetsOf } from '../fuzz/coverage.js';
import { recordBytesOf } from '../fuzz/oracles.js';
import { engineOracle } from '../oracles/engine.js';
import { modelOracle } from '../oracles/model.js';
import { type CaseBatch, type CodeBits, createOutcomes, END, type Oracle, type Outcomes } from '../oracles/oracle.js';

const CASES = 16;
const SEED = 0x86;
/** Each pass over the encodings has states of its own. */
const PASSES = 3;
const SYSTEM_BATCHES = 1500;
const SEQUENCE_STRIDE = 7;

interface Shape {
  readonly name: string;
  readonly family: string;
  readonly draw: () => CaseBatch;
}

/** A list that changes with the encodings and the generators, but not from one run to the next. */
function shapes(): Shape[] {
  const generators = new Map<CodeBits, UserBatches>();
  const generatorFor = (bits: CodeBits): UserBatches => {
    const known = generators.get(bits) ?? new UserBatches(bits, 'any', CASES);
    generators.set(bits, known);
    return known;
  };
  // The modes one by one: 64-bit code needs a module of its own, which waits until it is needed.
  const targets = ([32, 16, 64] as const).flatMap((bits) => targetsOf([bits], undefined));
  const user = (target: Target, number: number, pass: number, sequence: boolean): Shape => ({
    name: `${target.bits} ${target.encoding.name}${sequence ? ' and others' : ''}`,
    family: target.encoding.family,
    draw: () => {
      const generator = generatorFor(target.bits);
      generator.seed(SEED + pass, SEED + pass * 0x1_0000 + number);
      return (sequence ? generator.sequence(target.encoding, CASES) : generator.single(target.encoding, CASES)).batch;
    },
  });
  const system = (number: number): Shape => ({
    name: `system ${number}`,
    family: 'system',
    draw: () => drawSystemBatch(new Random(Math.imul(SEED + number, 0x9e37_79b1)), CASES),
  });
  const singles = Array.from({ length: PASSES }, (_, pass) => targets.map((target, number) => user(target, number, pass, false)));
  const sequences = targets.flatMap((target, number) =>
    number % SEQUENCE_STRIDE === 0 ? [{ ...user(target, number, PASSES, true), family: 'sequence' }] : [],
  );
  return [
    ...(singles[0] as Shape[]),
    ...Array.from({ length: SYSTEM_BATCHES }, (_, number) => system(number)),
    ...sequences,
    ...singles.slice(1).flat(),
  ];
}

const outcomesByArena = new Map<string, Outcomes>();

function run(oracle: Oracle, batch: CaseBatch): Outcomes {
  const key = `${oracle.name} ${batch.arena}`;
  const outcomes = outcomesByArena.get(key) ?? createOutcomes(CASES, recordBytesOf(batch.arena));
  outcomesByArena.set(key, outcomes);
  oracle.run(batch, outcomes);
  return outcomes;
}

function digestOf({ records, ends, vectors, errorCodes, ticks, strayWrites }: Outcomes): string {
  const hash = createHash('sha1');
  for (const part of [records, ends, vectors, errorCodes, ticks, Int32Array.from(strayWrites)]) hash.update(part);
  return hash.digest('base64');
}

/** Digests by number of shape; empty where the model has nothing to say, or says something else. */
function record(): string[] {
  const [engine, model] = [engineOracle('auto'), modelOracle()];
  const digests: string[] = [];
  for (const { name, draw } of shapes()) {
    const batch = draw();
    let digest = '';
    if (engine.refuses(batch) === undefined && model.refuses(batch) === undefined) {
      const expected = run(model, batch);
      const outcomes = run(engine, batch);
      const different = differingCases(batch, outcomes, expected, comparisonOf(engine, model));
      if (different.length > 0) process.stdout.write(`engine and model disagree before any mutation, left out: ${name}\n`);
      else if (!expected.ends.includes(END.unsupported)) digest = digestOf(outcomes);
    }
    digests.push(digest);
  }
  return digests;
}

/** @returns the first shape in which the engine is not what it was */
function firstDifference(digests: readonly string[], families: readonly string[]): string | undefined {
  const engine = engineOracle('auto');
  const all = shapes().map((shape, number) => ({ ...shape, digest: digests[number] as string }));
  const first = all.filter(({ family }) => families.includes(family));
  const rest = all.filter(({ family }) => !families.includes(family));
  for (const { name, digest, draw } of [...first, ...rest]) {
    if (digest === '') continue;
    try {
      if (digestOf(run(engine, draw())) !== digest) return name;
    } catch (error) {
      return `${name}: ${(error as Error).message}`;
    }
  }
  return undefined;
}

const [command, file, families = ''] = process.argv.slice(2);
if (file === undefined) throw new Error('record or check, and a file');
if (command === 'record') writeFileSync(file, JSON.stringify(record()));
else {
  const found = firstDifference(JSON.parse(readFileSync(file, 'utf8')) as string[], families.split(','));
  if (found !== undefined) process.stdout.write(`${found}\n`);
  process.exitCode = found === undefined ? 0 : 1;
}
