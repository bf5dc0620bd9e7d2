/**
 * The generated module before an independent validator: nothing but what WebAssembly 2.0 has, so that every engine that we
 * support takes it and none may choose a result (relaxed SIMD) or share memory (threads).
 */
import { expect, it } from 'vitest';
import loadWabt from 'wabt';
import { generateCode } from './generated-code.js';
import { generateLongCode } from './long-module.js';

const FEATURES = { sat_float_to_int: true, sign_extension: true, simd: true, multi_value: true, bulk_memory: true, mutable_globals: true };
const OFF = {
  threads: false,
  relaxed_simd: false,
  memory64: false,
  exceptions: false,
  gc: false,
  tail_call: false,
  reference_types: false,
};

it.each([
  ['16- and 32-bit code', () => generateCode().bytes],
  ['64-bit code', () => generateLongCode().bytes],
])('the module for %s is valid WebAssembly 2.0', async (_, generate) => {
  const { readWasm } = await loadWabt();
  const bytes = generate();
  const module = readWasm(bytes, { ...FEATURES, ...OFF });
  try {
    expect(() => module.validate()).not.toThrow();
  } finally {
    module.destroy();
  }
  // The validator does look: an opcode changed is noticed.
  const broken = bytes.slice();
  broken.fill(0xff, broken.length - 100, broken.length - 50);
  expect(() => readWasm(broken, { ...FEATURES, ...OFF }).validate()).toThrow();
});

it('is the same each time', () => {
  expect(Buffer.compare(generateCode().bytes, generateCode().bytes)).toBe(0);
});
