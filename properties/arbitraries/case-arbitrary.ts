/**
 * fast-check arbitraries of whole cases. fast-check draws a seed and the shape, the generator behind it draws the rest, and
 * shrinking goes through the steps of simplify.ts, so that a failing property ends with a case that a person can read.
 */
import fc from 'fast-check';
import type { CodeBits } from '../oracles/oracle.js';
import { type Case, caseOf } from './case.js';
import { encodingsFor, type InstructionEncoding } from './encodings.js';
import { simplificationsOf } from './simplify.js';
import { UserBatches } from './user-batches.js';
import type { Surroundings } from './user-states.js';

/** How far shrinking is: the number of the step to go on with, and whether this round has changed anything. */
interface ShrinkPosition {
  readonly step: number;
  readonly round: number;
  readonly changed: boolean;
}

const ROUNDS = 3;
const SEED_MAXIMUM = 0x7fff_ffff;

class CaseArbitrary extends fc.Arbitrary<Case> {
  constructor(private readonly draw: (seed: number) => Case) {
    super();
  }

  override generate(random: fc.Random): fc.Value<Case> {
    return new fc.Value(this.draw(random.nextInt(0, SEED_MAXIMUM)), undefined);
  }

  override canShrinkWithoutContext(_value: unknown): _value is Case {
    return true;
  }

  override shrink(value: Case, context: unknown): fc.Stream<fc.Value<Case>> {
    return fc.stream(simpler(value, (context as ShrinkPosition | undefined) ?? { step: 0, round: 0, changed: false }));
  }
}

/** Candidates from the given position on; a step that has helped is tried again before the next. */
function* simpler(value: Case, from: ShrinkPosition): IterableIterator<fc.Value<Case>> {
  const steps = simplificationsOf(value);
  let { step, round } = from;
  for (; ; round++, step = 0) {
    for (; step < steps.length; step++) {
      const candidate = (steps[step] as (typeof steps)[number])(value);
      if (candidate !== undefined) yield new fc.Value(candidate, { step, round, changed: true } satisfies ShrinkPosition);
    }
    if (!from.changed || from.round !== round || round + 1 >= ROUNDS) return;
  }
}

/** Any case, shrunk the way cases are: for cases that come from somewhere else. */
export const shrinkableCase = (value: Case): fc.Arbitrary<Case> => new CaseArbitrary(() => value);

export interface UserCaseOptions {
  /** Default: 32. */
  readonly bits?: CodeBits;
  /** Which encodings; default: all of the mode. */
  readonly encodings?: readonly InstructionEncoding[];
  /** Twenty to fifty instructions instead of one. */
  readonly sequences?: boolean;
  /** `native`: only states that the host CPU can be put into. Default: any. */
  readonly surroundings?: Surroundings;
}

/**
 * Cases of the user arena: an instruction, or a sequence, in a state weighted toward the interesting.
 *
 * ```ts
 * fc.assert(fc.property(userCase({ bits: 32 }), (one) => compareCase(one, model, engine).length === 0));
 * ```
 */
export function userCase(options: UserCaseOptions = {}): fc.Arbitrary<Case> {
  const { bits = 32, encodings = encodingsFor(bits), sequences = false, surroundings = 'any' } = options;
  let batches: UserBatches | undefined;
  return new CaseArbitrary((seed) => {
    batches ??= new UserBatches(bits, surroundings, 1);
    batches.seed(seed >>> 12, seed);
    const encoding = encodings[seed % encodings.length] as InstructionEncoding;
    const { batch, codeBytes } = sequences ? batches.sequence(encoding, 1) : batches.single(encoding, 1);
    return caseOf(batch, 0, codeBytes);
  });
}

/** An encoding of a mode: fast-check chooses, and shrinks toward the first of the list. */
export const encoding = (bits: CodeBits): fc.Arbitrary<InstructionEncoding> => fc.constantFrom(...encodingsFor(bits));
