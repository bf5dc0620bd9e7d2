/**
 * From a mnemonic and operands to an encoding: every code whose forms accept the operands is tried, the shortest wins,
 * the earlier in iced's order where lengths are equal.
 */
import { type Choice, encodeInstruction, explicitForms, type Fit, lengthOnly, operandFits, type Prefixes } from './encode.js';
import { type Encoding, encodingsOf } from './encodings.js';
import { AssemblyError } from './errors.js';
import type { Bits } from './iced.js';
import { icedMnemonic } from './mnemonics.js';
import { Memory, type Operand, Register } from './operands.js';

export interface Chosen {
  readonly choice: Choice;
  /** What to use instead when a short branch does not reach. */
  readonly near: Choice | undefined;
  /** The instruction at address 0 with all labels at 0. */
  readonly bytes: Uint8Array;
}

function worstFit(encoding: Encoding, operands: readonly Operand[], bits: Bits): Fit {
  const forms = explicitForms(encoding, operands.length);
  if (forms === undefined || !encoding.modes[bits]) return 'no';
  let worst: Fit = 'fits';
  forms.forEach((form, i) => {
    const fit = operandFits(operands[i] as Operand, form, encoding, bits);
    if (fit === 'no' || (fit === 'range' && worst === 'fits')) worst = fit;
  });
  return worst;
}

const generalClasses = ['r8', 'r16', 'r32', 'r64'];

function givesSize(operand: Operand): boolean {
  return operand instanceof Register
    ? generalClasses.includes(operand.registerClass)
    : operand instanceof Memory && operand.sizeBytes !== 0;
}

/** Where no operand says the operand size it is the mode's own: drop what would need the operand-size prefix. */
function preferModeSize(encodings: Encoding[], operands: readonly Operand[], bits: Bits): Encoding[] {
  if (operands.some(givesSize)) return encodings;
  const prefixed = bits === 16 ? 32 : 16;
  const own = encodings.filter((encoding) => encoding.operandSize !== prefixed);
  return own.length === 0 ? encodings : own;
}

function refuseAmbiguousMemory(encodings: readonly Encoding[], operands: readonly Operand[], text: string): void {
  if (!operands.some((operand) => operand instanceof Memory && operand.sizeBytes === 0)) return;
  const sizes = new Set(encodings.map((encoding) => encoding.memoryBytes).filter((size) => [1, 2, 4, 8, 10, 16].includes(size)));
  if (sizes.size > 1) throw new AssemblyError(`size of the memory operand is not known: ${text}`);
}

export function instructionText(mnemonic: string, operands: readonly Operand[]): string {
  return operands.length === 0 ? mnemonic : `${mnemonic} ${operands.join(', ')}`;
}

const isBranch = (encoding: Encoding): boolean => encoding.operands[0]?.branch !== undefined;

export function choose(mnemonic: string, operands: readonly Operand[], bits: Bits, prefixes: Prefixes): Chosen {
  const text = instructionText(mnemonic, operands);
  const encodings = encodingsOf(icedMnemonic(mnemonic, bits));
  if (encodings.length === 0) throw new AssemblyError(`unknown mnemonic: ${text}`);
  const fits = encodings.map((encoding) => ({ encoding, fit: worstFit(encoding, operands, bits) }));
  const fitting = fits.filter(({ fit }) => fit === 'fits').map(({ encoding }) => encoding);
  if (fitting.length === 0) {
    const nearMiss = fits.find(({ fit }) => fit === 'range');
    if (nearMiss !== undefined) throw new AssemblyError(`operand out of range: ${text} (${nearMiss.encoding.syntax})`);
    const known = [...new Set(encodings.filter((encoding) => encoding.modes[bits]).map((encoding) => encoding.syntax))];
    throw new AssemblyError(`no such form in ${bits}-bit code: ${text} (there is ${known.slice(0, 6).join('; ') || 'none'})`);
  }
  const candidates = preferModeSize(fitting, operands, bits);
  refuseAmbiguousMemory(candidates, operands, text);
  const choices = candidates.map((encoding): Choice => ({ bits, encoding, operands, prefixes }));
  let best: { choice: Choice; bytes: Uint8Array } | undefined;
  let near: Choice | undefined;
  let refusal = '';
  for (const choice of choices) {
    try {
      const bytes = encodeInstruction(choice, 0, lengthOnly);
      if (best === undefined || bytes.length < best.bytes.length) best = { choice, bytes };
      const branch = isBranch(choice.encoding) ? choice.encoding.operands[0]?.branch : undefined;
      if (branch !== undefined && branch.bytes > 1) near = choice;
    } catch (error) {
      if (!(error instanceof AssemblyError)) throw error;
      refusal = error.message;
    }
  }
  if (best === undefined) throw new AssemblyError(`${text}: ${refusal}`);
  return { ...best, near: near === best.choice ? undefined : near };
}
