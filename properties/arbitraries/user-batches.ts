/**
 * Batches of cases in the user arena: an instruction, or a sequence of them, and many states for it.
 */
import type { CaseBatch, CodeBits } from '../oracles/oracle.js';
import { BACKGROUND_BYTE, USER_RECORD_BYTES, USER_WINDOWS } from '../state/arena.js';
import { CPU_STATE_BYTES } from '../state/cpu-state.js';
import type { InstructionEncoding } from './encodings.js';
import { type BuiltInstruction, InstructionBuilder } from './instruction.js';
import { Random } from './random.js';
import { buildSequence } from './sequences.js';
import { codeBase, dataOffsetFor, interestingCodeOffset, poolKindFor, type Surroundings, UserStates } from './user-states.js';

export interface GeneratedBatch {
  readonly batch: CaseBatch;
  /** What the first instruction is meant to be. */
  readonly encoding: InstructionEncoding;
  /** Bytes of it were changed at random: it is another one, or none. */
  readonly spoiled: boolean;
  /** Of the first instruction, in the code window. */
  readonly codeOffset: number;
  readonly codeBytes: number;
}

const RECORD_WORDS = USER_RECORD_BYTES / 4;
const CODE_AT = CPU_STATE_BYTES;
const CODE_WINDOW = USER_WINDOWS[0] as (typeof USER_WINDOWS)[number];
const FILLER_WORD = BACKGROUND_BYTE * 0x0101_0101;
const SINGLE_TICKS = 64;
const SEQUENCE_TICKS = 512;
/** Of single instructions, so many of a hundred are not what their encoding says. */
const ILLEGAL_PERCENT = 5;

export class UserBatches {
  private readonly random: Random;
  private readonly builder: InstructionBuilder;
  private readonly states: UserStates;
  private readonly records: Uint8Array;
  private readonly words: Uint32Array;
  private poolSeed: number | undefined;

  /** @param capacity cases of a batch at most; the records of a batch are overwritten by the next one */
  constructor(
    readonly bits: CodeBits,
    surroundings: Surroundings,
    readonly capacity: number,
  ) {
    this.random = new Random(0);
    this.builder = new InstructionBuilder(this.random);
    this.states = new UserStates(bits, surroundings, this.random);
    this.records = new Uint8Array(capacity * USER_RECORD_BYTES);
    this.words = new Uint32Array(this.records.buffer);
  }

  /** What comes from here on is determined by the two seeds. Drawing the pool takes as long as some hundred cases. */
  seed(poolSeed: number, seed: number): void {
    if (poolSeed !== this.poolSeed) {
      this.random.reseed(poolSeed);
      this.states.renewPool();
      this.poolSeed = poolSeed;
    }
    this.random.reseed(seed);
  }

  /** One instruction of this encoding, in so many states. */
  single(encoding: InstructionEncoding, count: number): GeneratedBatch {
    const { random, bits } = this;
    const codeOffset = interestingCodeOffset(random, 16);
    const at = CODE_WINDOW.address - codeBase(bits) + codeOffset;
    const built = this.builder.build(encoding, { bits, at, dataOffset: dataOffsetFor(bits) });
    const spoiled = random.chance(ILLEGAL_PERCENT);
    if (spoiled) this.spoil(built.bytes);
    return { ...this.fill(built, built.bytes, codeOffset, count, SINGLE_TICKS), spoiled };
  }

  /** Twenty to fifty instructions, of which the first is of this encoding. */
  sequence(first: InstructionEncoding, count: number): GeneratedBatch {
    const { random, bits } = this;
    const codeOffset = 0;
    const at = CODE_WINDOW.address - codeBase(bits) + codeOffset;
    const { bytes, head } = buildSequence(random, this.builder, first, { bits, at, maximumBytes: CODE_WINDOW.bytes - 16 });
    return { ...this.fill(head, bytes, codeOffset, count, SEQUENCE_TICKS), spoiled: false };
  }

  private spoil(bytes: Uint8Array): void {
    const { random } = this;
    const changes = random.chance(30) ? bytes.length : 1;
    for (let i = 0; i < changes; i++) bytes[random.below(bytes.length)] = random.u32();
  }

  private fill(
    head: BuiltInstruction,
    code: Uint8Array,
    codeOffset: number,
    count: number,
    tickLimit: number,
  ): Omit<GeneratedBatch, 'spoiled'> {
    if (this.poolSeed === undefined) throw new Error('seed() comes first');
    const { words, records, states, bits } = this;
    if (count > this.capacity) throw new RangeError(`a batch of ${count} cases, of at most ${this.capacity}`);
    const kind = poolKindFor(head.encoding);
    for (let i = 0; i < count; i++) {
      const record = words.subarray(i * RECORD_WORDS, (i + 1) * RECORD_WORDS);
      record.fill(FILLER_WORD, CODE_AT / 4, (CODE_AT + CODE_WINDOW.bytes) / 4);
      states.fill(record, head, kind, codeOffset);
      records.set(code, i * USER_RECORD_BYTES + CODE_AT + codeOffset);
    }
    const batch: CaseBatch = {
      arena: 'user',
      bits,
      windows: USER_WINDOWS,
      count,
      records: records.subarray(0, count * USER_RECORD_BYTES),
      tickLimit,
    };
    return { batch, encoding: head.encoding, codeOffset, codeBytes: code.length };
  }
}
