/**
 * One thread's part of a campaign: shape after shape, each an encoding (or a sequence that begins with it) in many states, run
 * in both oracles and compared. Every shape has a number, and comes out the same for the same seed whoever runs it.
 */
import { batchOf, type Case, caseOf } from '../arbitraries/case.js';
import { Random } from '../arbitraries/random.js';
import { drawEncodingBatch, drawSystemBatch } from '../arbitraries/system-states.js';
import { type GeneratedBatch, UserBatches } from '../arbitraries/user-batches.js';
import { caseAlone, outcomeAlone } from '../compare/alone.js';
import { differencesOf, differingCases, endName } from '../compare/compare.js';
import { excusedAtOnce, isAboutHostTables, policiesOf, unexcused } from '../compare/excuse.js';
import { stepsOf } from '../compare/steps.js';
import { type CaseBatch, type CodeBits, createOutcomes, END, type Oracle, type Outcomes } from '../oracles/oracle.js';
import { Coverage, OUTCOME, type Target, targetsOf } from './coverage.js';
import { causeOf, type Failure, type Finding, kindsOf, shrink } from './failure.js';
import { firstEncoding } from './first-encoding.js';
import { createOracles, type OracleChoice, type OraclePair, recordBytesOf, refusalOf } from './oracles.js';

export interface CampaignOptions {
  readonly modes: readonly CodeBits[];
  /** Source of a regular expression against the names of encodings. */
  readonly match?: string | undefined;
  readonly oracle: OracleChoice;
  readonly sequences: boolean;
  readonly system: boolean;
  readonly seed: number;
  /** Fewer than usual: a look at many shapes. */
  readonly casesPerShape?: number | undefined;
}

const SINGLE_CASES = 128;
/** What the host takes at once: waking it costs as much as some cases. */
const NATIVE_CASES = 256;
const SEQUENCE_CASES = 32;
const SYSTEM_CASES = 32;
/** So many shapes share a pool of states. */
const SHAPES_PER_POOL = 256;
/** A defect that shows everywhere must not keep a campaign from going on: after so many cases, shrinking is short. */
const THOROUGHLY_SHRUNK = 16;
const HASTY_SHRINKS = 500;
const RANDOM_BYTES = 'random bytes';
const USER_FIRST_VECTORS_BEHIND = [1, 3, 4];

export const casesPerShape = ({ system, sequences, oracle, casesPerShape: asked }: CampaignOptions): number =>
  asked ?? (system ? SYSTEM_CASES : sequences ? SEQUENCE_CASES : oracle === 'native' ? NATIVE_CASES : SINGLE_CASES);

export const targetsFor = ({ modes, match }: CampaignOptions): Target[] =>
  targetsOf(modes, match === undefined ? undefined : new RegExp(match, 'i'));

/** Two numbers into one of 32 bits; equal ones for no small reason (the finalizer of MurmurHash3). */
function mix(seed: number, number: number): number {
  let hash = seed ^ Math.imul(number + 1, 0x9e37_79b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

interface Shape {
  readonly batch: CaseBatch;
  readonly name: string;
  readonly bits: CodeBits;
  readonly codeBytes: number;
}

export class Campaign {
  readonly coverage = new Coverage();
  /** By cause, as first met. */
  readonly failures = new Map<string, Failure>();
  /** Why shapes were not run: reason to names. */
  readonly refused = new Map<string, Set<string>>();
  cases = 0;
  /** Cases whose differences the policy table explains: row to count. */
  readonly excused = new Map<string, number>();
  private readonly causeByRaw = new Map<string, string>();
  private readonly oracles: OraclePair;
  private readonly targets: readonly Target[];
  private readonly generators = new Map<CodeBits, UserBatches>();
  private readonly left: Outcomes;
  private readonly right: Outcomes;
  private readonly judged: Outcomes;
  private readonly judgedRecords: Uint8Array;

  constructor(private readonly options: CampaignOptions) {
    this.oracles = createOracles(options.oracle);
    this.targets = targetsFor(options);
    const cases = casesPerShape(options);
    const bytes = recordBytesOf(options.system ? 'system' : 'user');
    this.left = createOutcomes(cases, bytes);
    this.right = createOutcomes(cases, bytes);
    this.judged = createOutcomes(cases, bytes);
    this.judgedRecords = new Uint8Array(cases * bytes);
  }

  close(): void {
    this.oracles.close();
  }

  runShape(number: number): void {
    const shape = this.options.system ? this.systemShape(number) : this.userShape(number);
    const { batch, name } = shape;
    const refusal = refusalOf(this.oracles, batch);
    if (refusal !== undefined) {
      const names = this.refused.get(refusal) ?? new Set();
      this.refused.set(refusal, names.add(`${shape.bits} ${name}`));
      return;
    }
    const { left, right, oracles } = this;
    this.cases += batch.count;
    try {
      oracles.right.begin?.(batch);
      oracles.left.run(batch, left);
      oracles.right.run(batch, right);
    } catch {
      this.findBreakdowns(shape, number);
      return;
    }
    this.count(shape);
    const differing = differingCases(batch, left, right, oracles.comparison);
    for (const index of oracles.judge === undefined ? differing : this.unexplained(oracles.judge, batch, differing))
      this.fail(shape, number, index);
  }

  /** Asks the judge about all of them at once, and keeps those that it does not explain at first sight. */
  private unexplained(judge: Oracle, batch: CaseBatch, differing: readonly number[]): number[] {
    if (differing.length === 0) return [];
    const { left, right, judged, judgedRecords, oracles } = this;
    const bytes = recordBytesOf(batch.arena);
    differing.forEach((index, i) => {
      judgedRecords.set(batch.records.subarray(index * bytes, (index + 1) * bytes), i * bytes);
    });
    judge.run({ ...batch, count: differing.length, records: judgedRecords.subarray(0, differing.length * bytes) }, judged);
    return differing.filter((index, i) => {
      if (isAboutHostTables(judged, i)) {
        this.countExcused([HOST_TABLES]);
        return false;
      }
      const policies = judged.policies.subarray(i * 4, i * 4 + 4);
      if (!excusedAtOnce(batch, index, left, right, policies, oracles.comparison.mask) && !this.isExcused(batch, index, i)) return true;
      this.countExcused(policiesOf(judged, i));
      return false;
    });
  }

  /** With what all three have said of the case in its batch. @param judgedIndex of it among those that were judged */
  private isExcused(batch: CaseBatch, index: number, judgedIndex: number): boolean {
    const bytes = recordBytesOf(batch.arena);
    const [left, right] = [outcomeAlone(this.left, index, bytes), outcomeAlone(this.right, index, bytes)];
    if (left.ends[0] === END.limit || right.ends[0] === END.limit) return false;
    const alone = caseAlone(batch, index);
    const differences = differencesOf(alone, 0, left, right, this.oracles.comparison);
    return unexcused(alone, 0, left, right, outcomeAlone(this.judged, judgedIndex, bytes), differences).length === 0;
  }

  private countExcused(rows: readonly string[]): void {
    for (const row of rows) this.excused.set(row, (this.excused.get(row) ?? 0) + 1);
  }

  private userShape(number: number): Shape {
    const { options, targets } = this;
    const target = targets[number % targets.length] as Target;
    const { bits, encoding } = target;
    let generator = this.generators.get(bits);
    if (generator === undefined) {
      generator = new UserBatches(bits, options.oracle === 'native' ? 'native' : 'any', casesPerShape(options));
      this.generators.set(bits, generator);
    }
    generator.seed(mix(options.seed, -2 - Math.floor(number / SHAPES_PER_POOL)), mix(options.seed, number));
    const count = casesPerShape(options);
    const generated: GeneratedBatch = options.sequences ? generator.sequence(encoding, count) : generator.single(encoding, count);
    return { batch: generated.batch, name: generated.spoiled ? RANDOM_BYTES : encoding.name, bits, codeBytes: generated.codeBytes };
  }

  private systemShape(number: number): Shape {
    const { options, targets } = this;
    const random = new Random(mix(options.seed, number));
    const count = casesPerShape(options);
    // Every second shape has code that the user arena cannot show; if certain encodings are asked for, all are of those.
    const walks = options.match !== undefined || number % 2 === 1;
    const target = targets[(options.match === undefined ? number >>> 1 : number) % targets.length] as Target;
    const batch = walks
      ? drawEncodingBatch(random, count, systemBits(target.bits), target.encoding)
      : drawSystemBatch(random, count, systemBits(random.pick(options.modes)));
    const { name, codeBytes } = firstEncoding(batch);
    return { batch, name: name ?? RANDOM_BYTES, bits: batch.bits, codeBytes };
  }

  private count({ batch, name, bits }: Shape): void {
    const { ends, vectors, ticks } = this.left;
    const row = this.coverage.row(bits, name);
    for (let i = 0; i < batch.count; i++) {
      const outcome = outcomeOf(batch.arena, ends[i] as number, vectors[i] as number, ticks[i] as number);
      row[outcome] = (row[outcome] as number) + 1;
    }
  }

  private fail(shape: Shape, number: number, index: number): void {
    const { batch } = shape;
    const differences = differencesOf(batch, index, this.left, this.right, this.oracles.comparison);
    const raw = `${shape.bits} ${shape.name} ${kindsOf(differences).join()} ${endName(this.left, index)} ${endName(this.right, index)}`;
    const known = this.causeByRaw.get(raw);
    if (known !== undefined) {
      this.again(known);
      return;
    }
    const one = caseOf(batch, index, shape.codeBytes);
    const finding = this.examine(one);
    if (finding === undefined) return;
    if (finding.differences.length === 0) {
      this.countExcused(finding.policies);
      return;
    }
    const step = this.differingStep(one);
    this.report(shape, number, index, raw, step?.one ?? one, step?.finding ?? finding);
  }

  /** The first instruction of a case that differs by itself. */
  private differingStep(one: Case): { one: Case; finding: Finding } | undefined {
    const { judge } = this.oracles;
    if (judge === undefined || one.arena === 'system') return undefined;
    for (const step of stepsOf(one, judge)) {
      const finding = this.examineAlone(step);
      if (finding !== undefined && finding.differences.length > 0) return { one: step, finding };
    }
    return undefined;
  }

  /** An oracle has thrown: each case by itself says which. */
  private findBreakdowns(shape: Shape, number: number): void {
    for (let index = 0; index < shape.batch.count; index++) {
      const one = caseOf(shape.batch, index, shape.codeBytes);
      const finding = this.examine(one);
      const breakdown = finding?.differences.find(({ field }) => field === BREAKDOWN);
      if (finding === undefined || breakdown === undefined) continue;
      const raw = `${shape.bits} ${shape.name} ${breakdown.kind}`;
      const known = this.causeByRaw.get(raw);
      if (known !== undefined) this.again(known);
      else this.report(shape, number, index, raw, one, finding);
    }
  }

  private again(cause: string): void {
    const failure = this.failures.get(cause) as Failure;
    this.failures.set(cause, { ...failure, count: failure.count + 1 });
  }

  private report(shape: Shape, number: number, index: number, raw: string, one: Case, finding: Finding): void {
    const examine = (candidate: Case): Finding | undefined => {
      const found = this.examine(candidate);
      return found === undefined || found.differences.length === 0 ? undefined : found;
    };
    const simplest = shrink(one, finding, examine, this.causeByRaw.size < THOROUGHLY_SHRUNK ? undefined : HASTY_SHRINKS);
    const final = this.examine(simplest) ?? finding;
    const cause = `${shape.bits}-bit ${causeOf(simplest, final)}`;
    this.causeByRaw.set(raw, cause);
    if (this.failures.has(cause)) {
      this.again(cause);
      return;
    }
    const { left, right } = this.oracles;
    this.failures.set(cause, {
      cause,
      target: shape.name,
      bits: shape.bits,
      oracles: [left.name, right.name],
      seed: this.options.seed,
      shape: number,
      index,
      count: 1,
      case: simplest,
      ...final,
    });
  }

  /** What is left of the differences when the policy table has been asked; undefined when there are none at all, or nobody can say. */
  private examine(one: Case): Finding | undefined {
    const finding = this.examineAlone(one);
    const { judge } = this.oracles;
    if (finding === undefined || judge === undefined || finding.differences.length === 0 || finding.policies.length === 0) return finding;
    // What one instruction leaves open, the next ones may show: if each by itself is explained, so is the whole.
    const steps = stepsOf(one, judge);
    const isOpen = steps.length > 1 && steps.every((step) => (this.examineAlone(step)?.differences.length ?? 0) === 0);
    return isOpen ? { ...finding, differences: [] } : finding;
  }

  private examineAlone(one: Case): Finding | undefined {
    const { left, right, judge, comparison } = this.oracles;
    const batch = batchOf(one);
    if (refusalOf(this.oracles, batch) !== undefined) return undefined;
    const [a, b] = [createOutcomes(1, one.record.length), createOutcomes(1, one.record.length)];
    const problems = [problemOf(left, batch, a), problemOf(right, batch, b)] as const;
    if (problems[0] !== undefined || problems[1] !== undefined) return breakdownOf(problems);
    const differences = differencesOf(batch, 0, a, b, comparison);
    if (differences.length === 0) return undefined;
    const ends = [endName(a, 0), endName(b, 0)] as const;
    if (judge === undefined) return { differences, ends, policies: policiesOf(b, 0), note: '' };
    if (a.ends[0] === END.limit || b.ends[0] === END.limit) return undefined;
    const { judged } = this;
    judge.run(batch, judged);
    const policies = policiesOf(judged, 0);
    const { ticks, errorCodes } = comparison;
    const sidesWithHost = differencesOf(batch, 0, judged, b, comparison).length === 0;
    const sidesWithEngine = differencesOf(batch, 0, judged, a, { ticks, errorCodes }).length === 0;
    const note = `the model ${sidesWithHost ? 'agrees with the host' : sidesWithEngine ? 'agrees with the engine' : 'says something else'}`;
    return { differences: unexcused(batch, 0, a, b, judged, differences), ends, policies, note };
  }
}

function systemBits(bits: CodeBits): 16 | 32 {
  if (bits === 64) throw new RangeError('the system arena has no 64-bit code');
  return bits;
}

/** Stands among the rows of the policy table. */
const HOST_TABLES = 'a selector that only the tables of the host have';
const BREAKDOWN = 'breakdown';

/** What an oracle throws when it runs a batch. */
function problemOf(oracle: Oracle, batch: CaseBatch, outcomes: Outcomes): string | undefined {
  try {
    oracle.run(batch, outcomes);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function breakdownOf([left, right]: readonly [string | undefined, string | undefined]): Finding {
  const kind = `breakdown (${left ?? right ?? ''})`;
  const difference = { field: BREAKDOWN, kind, before: '', left: left ?? 'none', right: right ?? 'none' };
  return { differences: [difference], ends: [left ?? '-', right ?? '-'], policies: [], note: '' };
}

/** How the first instruction of a case has ended. */
function outcomeOf(arena: CaseBatch['arena'], end: number, vector: number, ticks: number): number {
  if (end === END.unsupported) return OUTCOME.unsupported;
  if (end === END.limit) return OUTCOME.limit;
  if (arena === 'system') return end === END.halted ? OUTCOME.halted : OUTCOME.shutdown;
  return ticks === 0 || USER_FIRST_VECTORS_BEHIND.includes(vector) ? vector : OUTCOME.normal;
}
