/**
 * XXH64 over WebAssembly memory (the xxHash specification, version 0.1.1, "XXH64 algorithm description"), and the test
 * for pages of zeros, which count for nothing in the memory digest.
 */
import type { FunctionBuilder } from '../wasm/function-builder.js';
import { load8U, load32UTo64, load64, load128 } from '../wasm/memory-access.js';
import type { ModuleBuilder } from '../wasm/module-builder.js';
import { I32, I64, TYPE_I32, TYPE_I64 } from '../wasm/values.js';

const PRIME_1 = 0x9e3779b185ebca87n;
const PRIME_2 = 0xc2b2ae3d27d4eb4fn;
const PRIME_3 = 0x165667b19e3779f9n;
const PRIME_4 = 0x85ebca77c2b2ae63n;
const PRIME_5 = 0x27d4eb2f165667c5n;

/** SIMD opcodes (WebAssembly core specification, section 5.4.8). */
const V128_OR = 0x50;
const V128_ANY_TRUE = 0x53;

const round = (accumulator: I64, lane: I64): I64 => accumulator.add(lane.mul(PRIME_2)).rotl(31).mul(PRIME_1);

/** Exports `xxh64(address, bytes, seed) -> hash` and `isZero(address, bytes) -> 0 or 1` (bytes: a multiple of 64). */
export function addDigestFunctions(module: ModuleBuilder): void {
  module.export('xxh64', module.function({ parameters: [TYPE_I32, TYPE_I32, TYPE_I64], results: [TYPE_I64] }, buildXxh64));
  module.export('isZero', module.function({ parameters: [TYPE_I32, TYPE_I32], results: [TYPE_I32] }, buildIsZero));
}

function buildIsZero(f: FunctionBuilder): void {
  const at = f.local(TYPE_I32);
  const end = f.let(f.parameter(0, TYPE_I32).add(f.parameter(1, TYPE_I32)));
  f.set(at, f.parameter(0, TYPE_I32));
  f.loop((again) => {
    const four = load128(at.get())
      .op(V128_OR, load128(at.get(), 16))
      .op(V128_OR, load128(at.get(), 32).op(V128_OR, load128(at.get(), 48)));
    f.if(four.test(V128_ANY_TRUE), () => f.return(I32.of(0)));
    f.set(at, at.get().add(64));
    f.brIf(at.get().ltU(end), again);
  });
  f.return(I32.of(1));
}

function buildXxh64(f: FunctionBuilder): void {
  const at = f.local(TYPE_I32);
  const length = f.parameter(1, TYPE_I32);
  const seed = f.parameter(2, TYPE_I64);
  const end = f.let(f.parameter(0, TYPE_I32).add(length));
  const hash = f.local(TYPE_I64);
  const lanes = [PRIME_1 + PRIME_2, PRIME_2, 0n, -PRIME_1].map((start) => {
    const lane = f.local(TYPE_I64);
    f.set(lane, seed.add(BigInt.asIntN(64, start)));
    return lane;
  });
  f.set(at, f.parameter(0, TYPE_I32));
  f.if(
    length.geU(32),
    () => {
      const last = f.let(end.sub(32));
      f.loop((again) => {
        lanes.forEach((lane, i) => f.set(lane, round(lane.get(), load64(at.get(), i * 8))));
        f.set(at, at.get().add(32));
        f.brIf(at.get().leU(last), again);
      });
      const [a, b, c, d] = lanes.map((lane) => lane.get()) as [I64, I64, I64, I64];
      f.set(hash, a.rotl(1).add(b.rotl(7)).add(c.rotl(12)).add(d.rotl(18)));
      for (const lane of lanes)
        f.set(
          hash,
          hash
            .get()
            .xor(round(I64.of(0), lane.get()))
            .mul(PRIME_1)
            .add(PRIME_4),
        );
    },
    () => f.set(hash, seed.add(PRIME_5)),
  );
  f.set(hash, hash.get().add(length.toI64U()));
  const tail = (bytes: number, mix: () => void): void => {
    f.block((done) => {
      f.loop((again) => {
        f.brIf(at.get().add(bytes).gtU(end), done);
        mix();
        f.set(at, at.get().add(bytes));
        f.br(again);
      });
    });
  };
  tail(8, () =>
    f.set(
      hash,
      hash
        .get()
        .xor(round(I64.of(0), load64(at.get())))
        .rotl(27)
        .mul(PRIME_1)
        .add(PRIME_4),
    ),
  );
  tail(4, () => f.set(hash, hash.get().xor(load32UTo64(at.get()).mul(PRIME_1)).rotl(23).mul(PRIME_2).add(PRIME_3)));
  tail(1, () => f.set(hash, hash.get().xor(load8U(at.get()).toI64U().mul(PRIME_5)).rotl(11).mul(PRIME_1)));
  f.set(hash, hash.get().xor(hash.get().shrU(33)).mul(PRIME_2));
  f.set(hash, hash.get().xor(hash.get().shrU(29)).mul(PRIME_3));
  f.return(hash.get().xor(hash.get().shrU(32)));
}
