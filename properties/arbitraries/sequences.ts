/**
 * Sequences of instructions for one case: straight code with short branches forward, loops with a small count, strings and
 * writes into the code now and then. Instructions that only fault are left out: they would end a case at once.
 */
import type { CodeBits } from '../oracles/oracle.js';
import { encodingsFor, type InstructionEncoding } from './encodings.js';
import type { BuiltInstruction, InstructionBuilder } from './instruction.js';
import type { Random } from './random.js';
import { calmDataOffset, dataOffsetFor } from './user-states.js';

export interface SequenceOptions {
  readonly bits: CodeBits;
  /** Offset of the first instruction in its segment. */
  readonly at: number;
  readonly maximumBytes: number;
}

export interface BuiltSequence {
  readonly bytes: Uint8Array;
  readonly head: BuiltInstruction;
}

const MINIMUM = 20;
const MAXIMUM = 50;
/** Those that end a user case, leave the code, or need what a sequence does not prepare. */
const UNSUITABLE =
  /^(hlt|ud[012]|int.*|into|iret.*|ret.*|call|lgdt|lidt|lldt|ltr|lmsw|clts|invd|wbinvd|invlpg|rdmsr|wrmsr|rsm|sysenter|sysexit.*|cli|sti|in|out|ins.|outs.|bound|div|idiv|aam|arpl|l[defgs]s|swapgs|loadall.*|popf.*|xlatb|rdpmc|leave|enter|fldenv|frstor|fxrstor.*|ldmxcsr|maskmov.*)$/;

const suitable = new Map<CodeBits, readonly InstructionEncoding[]>();

function suitableEncodings(bits: CodeBits): readonly InstructionEncoding[] {
  let found = suitable.get(bits);
  if (found === undefined) {
    found = encodingsFor(bits).filter(
      ({ mnemonic, regKind, trailing, code, branch, operandSize }) =>
        !UNSUITABLE.test(mnemonic) &&
        (regKind === 'general' || regKind === 'vector') &&
        // It would cut off the upper half of EIP.
        !(branch && operandSize === 16 && bits === 32) &&
        !/^(Pop|Push)\w?_[C-GS]S|_m16(16|32|64)$|ptr/.test(code) &&
        (mnemonic !== 'jmp' || trailing[0] !== undefined),
    );
    suitable.set(bits, found);
  }
  return found;
}

export function buildSequence(
  random: Random,
  builder: InstructionBuilder,
  first: InstructionEncoding,
  { bits, at, maximumBytes }: SequenceOptions,
): BuiltSequence {
  const encodings = suitableEncodings(bits);
  const anywhere = dataOffsetFor(bits);
  const calmOffset = (_: Random, operandBytes: number): number =>
    random.chance(5) ? anywhere(random, operandBytes) : calmDataOffset(random, bits, operandBytes);
  const count = MINIMUM + random.below(MAXIMUM - MINIMUM + 1);
  const bytes = new Uint8Array(maximumBytes);
  const offsets: number[] = [];
  let length = 0;
  let head: BuiltInstruction | undefined;
  for (let i = 0; i < count; i++) {
    const encoding = i === 0 ? first : random.pick(encodings);
    const dataOffset = random.chance(4) ? () => at + random.below(maximumBytes) : calmOffset;
    const built = builder.build(encoding, { bits, at: at + length, dataOffset, calm: i > 0 });
    if (length + built.bytes.length > maximumBytes) break;
    head ??= built;
    if (built.encoding.mnemonic.startsWith('loop') && offsets.length > 2) {
      // Back to one of the last instructions; the counter is large in most states, so the tick limit ends some.
      const target = offsets[Math.max(0, offsets.length - 1 - random.below(6))] as number;
      built.bytes[built.bytes.length - 1] = target - (length + built.bytes.length);
    }
    offsets.push(length);
    bytes.set(built.bytes, length);
    length += built.bytes.length;
  }
  if (head === undefined) throw new Error('a sequence without instructions');
  return { bytes: bytes.slice(0, length), head };
}
