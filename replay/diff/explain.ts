/**
 * What is said of a difference: where, in which instruction or event, in which fields, and all that is needed to see it again.
 */
import type { MachineState, StateValue } from '../../engine/index.js';
import { bytesText } from '../bytes-text.js';
import type { Found } from './search.js';
import type { DiffMachine } from './side.js';
import { type FieldDifference, fieldsOf } from './state-fields.js';

/** Bytes to lines of assembly (properties/assembler/disassemble.ts). */
export type Disassemble = (
  bytes: Uint8Array,
  options: { readonly bits: 16 | 32; readonly address: number; readonly count: number },
) => readonly { readonly bytes: Uint8Array; readonly text: string }[];

export interface ExplainedInstruction {
  readonly cs: number;
  readonly eip: number;
  readonly linear: number;
  readonly bits: 16 | 32;
  /** In hexadecimal. */
  readonly bytes: string;
  readonly text: string;
}

export interface Difference {
  /** The first at which the states differ, of either side. */
  readonly tick: number;
  /** The last at which everything was the same. */
  readonly commonTick: number;
  /** One step from the same state leads to different ones; see `Found`. */
  readonly inOneStep: boolean;
  /** From here on every tick has been looked at; before, differences that came and went are not excluded. */
  readonly lookedFromTick: number;
  readonly sides: readonly [left: string, right: string];
  /** What is executed from the common tick on; undefined in HLT, or where nothing can be decoded. */
  readonly instruction: ExplainedInstruction | undefined;
  /** What each side accepted, raised, was given, or why it ended, in that step. */
  readonly happened: readonly [left: readonly string[], right: readonly string[]];
  readonly fields: readonly FieldDifference[];
  /** Processor and memory are the same. */
  readonly inDevicesOnly: boolean;
  /** To see it again without the trace: the processor before, and memory at EIP and ESP. */
  readonly before: { readonly processor: Readonly<Record<string, string>>; readonly memory: Readonly<Record<string, string>> };
}

const INSTRUCTION_LIMIT_BYTES = 15;
const STACK_BYTES = 32;
const CODE_32 = 0x40;

/** @param atCommonTick looks at the left machine where all was the same */
export function explain(
  { pair, inOneStep, lookedFromTick }: Found,
  disassemble: Disassemble,
  atCommonTick?: (machine: DiffMachine) => void,
): Difference {
  const fields = pair.differences();
  const { checkpoint, left, right } = pair;
  const tick = Math.min(Math.max(left.tick, right.tick), Math.max(checkpoint.tick + 1, Math.min(left.tick, right.tick)));
  const happened = [[...left.happened], [...right.happened]] as const;
  // Machines that differ from the beginning have nothing in common to be put back to.
  const begun = left.tick > 0 || right.tick > 0;
  if (begun) pair.rewind();
  const { machine } = pair.left;
  const { cpu } = checkpoint.left.state;
  const place = placeOf(checkpoint.left.state);
  const code = machine.peekLinear(place.linear, INSTRUCTION_LIMIT_BYTES);
  const [line] = !begun || machine.halted ? [] : disassemble(code, { bits: place.bits, address: place.eip, count: 1 });
  const stack = machine.peekLinear(place.stackLinear, STACK_BYTES);
  const cpuFields = fieldsOf({ cpu: cpu as StateValue });
  const processor = Object.fromEntries([...cpuFields].filter(([, value]) => !/^0x0+$/.test(value)));
  atCommonTick?.(machine);
  return {
    tick,
    commonTick: checkpoint.tick,
    inOneStep,
    lookedFromTick,
    sides: [left.name, right.name],
    instruction: line === undefined ? undefined : { ...instructionPlace(place), bytes: bytesText(line.bytes), text: line.text },
    happened,
    fields,
    inDevicesOnly: fields.every(({ field }) => !cpuFields.has(field) && !field.startsWith('memory ')),
    before: {
      processor,
      memory: {
        [`linear 0x${place.linear.toString(16)}`]: bytesText(code),
        [`linear 0x${place.stackLinear.toString(16)}`]: bytesText(stack),
      },
    },
  };
}

interface Place {
  readonly cs: number;
  readonly eip: number;
  readonly linear: number;
  readonly bits: 16 | 32;
  readonly stackLinear: number;
}

const instructionPlace = ({ cs, eip, linear, bits }: Place): Omit<Place, 'stackLinear'> => ({ cs, eip, linear, bits });

/** Where a state executes, from the cells of engine/cpu/cpu-snapshot.ts. */
function placeOf({ cpu }: MachineState): Place {
  const { cells } = cpu as { readonly cells: Readonly<Record<string, Uint8Array>> };
  const word = (name: string, offset: number): number => {
    const bytes = cells[name] as Uint8Array;
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(offset, true);
  };
  const [eip, esp] = [word('eip', 0), word('registers', 4 * 8)];
  const wideStack = (word('segment2', 16) >>> 8) & CODE_32;
  return {
    cs: word('segment1', 12) & 0xffff,
    eip,
    linear: (word('segment1', 0) + eip) >>> 0,
    bits: (word('segment1', 16) >>> 8) & CODE_32 ? 32 : 16,
    stackLinear: (word('segment2', 0) + (wideStack ? esp : esp & 0xffff)) >>> 0,
  };
}
