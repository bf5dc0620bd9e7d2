/**
 * The SIMD instructions of the model: compared with the engine and with the processor of the host on operands of every
 * class, and complete.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { SIMD } from '../../../engine/isa/simd/simd.js';
import { comparisonOf, differencesOf, differingCases } from '../../compare/compare.js';
import { unexcused } from '../../compare/excuse.js';
import { engineOracle } from '../../oracles/engine.js';
import { createHostOracle, type HostOracle } from '../../oracles/host.js';
import { hostRefusal } from '../../oracles/host-vendor.js';
import { modelOracle } from '../../oracles/model.js';
import { type CodeBits, createOutcomes, type Oracle } from '../../oracles/oracle.js';
import { USER_RECORD_BYTES } from '../../state/arena.js';
import { findTool, missing } from '../../testing/system-tool.js';
import type { Opcode } from '../opcode.js';
import { SIMD_OPCODES } from './index.js';
import { simdBatch } from './test-simd-cases.js';

/** Each batch has its own registers and addresses in the instruction. */
const BATCHES = Number(process.env.SIMD_BATCHES ?? 4);
const CASES = Number(process.env.SIMD_CASES ?? 8);

const model = modelOracle();
const ours = createOutcomes(CASES, USER_RECORD_BYTES);
const theirs = createOutcomes(CASES, USER_RECORD_BYTES);

/** Differences that no policy explains. */
function differences(opcode: Opcode, row: number, bits: CodeBits, other: Oracle, native: boolean): string[] {
  const found: string[] = [];
  for (let number = 0; number < BATCHES; number++) {
    const batch = simdBatch(opcode, bits, CASES, 1000 * row + number, !native);
    if (native && other.refuses(batch) !== undefined) continue;
    model.run(batch, ours);
    other.run(batch, theirs);
    const comparison = comparisonOf(model, other);
    for (const index of differingCases(batch, ours, theirs, comparison)) {
      const all = differencesOf(batch, index, ours, theirs, comparison);
      const open = native ? unexcused(batch, index, ours, theirs, ours, all) : all;
      if (open.length > 0) found.push(`batch ${number}, case ${index}: ${JSON.stringify(open)}`);
    }
  }
  return found;
}

const title = ({ mnemonic, operands, encoding }: Opcode): string => `${mnemonic} ${operands} (${encoding})`;
const rows = SIMD_OPCODES.map((opcode, row) => [title(opcode), opcode, row] as const);

describe.each([16, 32, 64] as const)('as the engine in %i-bit code', (bits) => {
  const engine = engineOracle('auto');
  test.each(rows)('%s', (_title, opcode, row) => {
    expect(differences(opcode, row, bits, engine, false)).toEqual([]);
  });
});

describe.each([32, 64] as const)('as the host in %i-bit code', (bits) => {
  let opened: HostOracle | undefined;
  afterAll(() => opened?.close());
  test.each(rows)('%s', (_title, opcode, row) => {
    const refusal = hostRefusal();
    if (refusal !== undefined) missing(refusal);
    if (findTool('gcc') === undefined) missing('gcc is not installed (Debian package gcc)');
    opened ??= createHostOracle();
    expect(differences(opcode, row, bits, opened, true)).toEqual([]);
  });
});

test('every SIMD encoding of the engine is there', () => {
  const encodings = new Set(SIMD_OPCODES.map(({ encoding }) => encoding));
  expect(SIMD.map(({ encoding }) => encoding).filter((encoding) => !encodings.has(encoding))).toEqual([]);
});
