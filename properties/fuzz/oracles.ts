/** The pair of oracles that a campaign compares, and how much of what they say can be compared. */
import { type ComparisonOptions, comparisonOf } from '../compare/compare.js';
import { engineOracle } from '../oracles/engine.js';
import { createHostOracle } from '../oracles/host.js';
import { modelOracle } from '../oracles/model.js';
import type { Arena, CaseBatch, Oracle } from '../oracles/oracle.js';
import { USER_RECORD_BYTES } from '../state/arena.js';
import { CPU_STATE } from '../state/cpu-state.js';
import { SYSTEM_RECORD_BYTES } from '../state/system-arena.js';

/** The engine against the model, against the host CPU, or in its fast tier against itself step by step. */
export type OracleChoice = 'model' | 'native' | 'tiers';
export const ORACLE_CHOICES: readonly OracleChoice[] = ['model', 'native', 'tiers'];

export interface OraclePair {
  readonly left: Oracle;
  readonly right: Oracle;
  /** Asked what the policy table says about a case in which the others differ. */
  readonly judge: Oracle | undefined;
  readonly comparison: ComparisonOptions;
  close(): void;
}

/** What the host does not show (oracles/host.ts): it stays as it was before a case. */
const NOT_SHOWN_BY_HOST: readonly (readonly [offset: number, bytes: number])[] = [
  [CPU_STATE.debug + 6 * 8, 8],
  [CPU_STATE.interruptShadow, 4],
  [CPU_STATE.x87Opcode, 2],
  [CPU_STATE.x87InstructionOffset, CPU_STATE.x87OperandOffset + 8 - CPU_STATE.x87InstructionOffset],
  [CPU_STATE.cr0, 8],
];

function hostMask(): Uint32Array {
  const mask = new Uint32Array(USER_RECORD_BYTES / 4).fill(0xffff_ffff);
  const masked = new Uint8Array(mask.buffer);
  for (const [offset, bytes] of NOT_SHOWN_BY_HOST) masked.fill(0, offset, offset + bytes);
  return mask;
}

export const recordBytesOf = (arena: Arena): number => (arena === 'user' ? USER_RECORD_BYTES : SYSTEM_RECORD_BYTES);

/** @throws Error with one line of text where there is no such oracle */
export function createOracles(choice: OracleChoice): OraclePair {
  const left = engineOracle('auto');
  if (choice === 'native') {
    const right = createHostOracle();
    const judge = modelOracle();
    return pair(left, right, judge, { ...comparisonOf(left, right), mask: hostMask() });
  }
  const right = choice === 'model' ? modelOracle() : engineOracle('step');
  return pair(left, right, undefined, comparisonOf(left, right));
}

const pair = (left: Oracle, right: Oracle, judge: Oracle | undefined, comparison: ComparisonOptions): OraclePair => ({
  left,
  right,
  judge,
  comparison,
  close(): void {
    for (const oracle of [left, right, judge]) oracle?.close();
  },
});

/** Why either of them cannot run a batch. */
export const refusalOf = ({ left, right }: OraclePair, batch: CaseBatch): string | undefined => left.refuses(batch) ?? right.refuses(batch);
