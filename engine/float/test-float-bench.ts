/** A workbench for tests of the floating-point library: an instance of it, and random operands that favour the specials. */
import type { FunctionReference } from '../wasm/function-builder.js';
import { ModuleBuilder } from '../wasm/module-builder.js';
import { FORMAT_F32, FORMAT_F64, type Format } from './formats.js';
import { buildFloatLibrary, type FloatLibrary } from './library.js';

const FLAGS_ADDRESS = 64;

type Argument = bigint | number;
type Callable<T> = { readonly [name in keyof T]: (...args: Argument[]) => Argument[] };

export interface FloatBench {
  readonly f80: Callable<FloatLibrary['f80']>;
  readonly f32: Callable<FloatLibrary['f32']>;
  readonly f64: Callable<FloatLibrary['f64']>;
  readonly formats: Callable<FloatLibrary['formats']>;
  /** Exceptions (and bit 9, C1) of the last call. */
  flags(): number;
}

/** Results are arrays, i64 as unsigned bigint, i32 unsigned. */
export function createFloatBench(): FloatBench {
  const module = new ModuleBuilder({ module: 'env', field: 'memory', pages: 1 });
  const library = buildFloatLibrary(module, { flagsAddress: FLAGS_ADDRESS });
  const groups = Object.entries(library) as [string, Record<string, FunctionReference>][];
  for (const [group, functions] of groups) {
    for (const [name, reference] of Object.entries(functions)) module.export(`${group}.${name}`, reference);
  }
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const cells = new Uint32Array(memory.buffer);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), { env: { memory } });
  const unsigned = (value: Argument): Argument => (typeof value === 'bigint' ? BigInt.asUintN(64, value) : value >>> 0);
  const callables = groups.map(([group, functions]) => [
    group,
    Object.fromEntries(
      Object.keys(functions).map((name) => {
        const target = exports[`${group}.${name}`] as (...args: Argument[]) => Argument | Argument[];
        const call = (...args: Argument[]): Argument[] => {
          cells[FLAGS_ADDRESS / 4] = 0;
          const result = target(...args);
          return (Array.isArray(result) ? result : [result]).map(unsigned);
        };
        return [name, call];
      }),
    ),
  ]);
  return { ...Object.fromEntries(callables), flags: () => cells[FLAGS_ADDRESS / 4]! };
}

export interface Bits80 {
  readonly significand: bigint;
  readonly signExponent: number;
}

const TOP = 1n << 63n;

export class OperandSource {
  private state: number;
  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** A 32-bit unsigned integer (mulberry32). */
  u32(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  below(limit: number): number {
    return this.u32() % limit;
  }

  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  /** 64 bits: random, or few ones, or long runs, which is where carries and halfway cases are. */
  pattern(): bigint {
    const run = (): bigint => ((1n << BigInt(this.below(65))) - 1n) << BigInt(this.below(64));
    switch (this.below(5)) {
      case 0:
        return BigInt.asUintN(64, run() ^ run());
      case 1:
        return BigInt.asUintN(64, (1n << BigInt(this.below(64))) | (1n << BigInt(this.below(64))));
      case 2:
        return BigInt.asUintN(64, -run());
      case 3:
        return BigInt.asUintN(64, this.u64() << BigInt(this.below(64)));
      default:
        return this.u64();
    }
  }

  f80(): Bits80 {
    const sign = this.u32() & 0x8000;
    const make = (exponent: number, significand: bigint): Bits80 => ({ significand, signExponent: sign | (exponent & 0x7fff) });
    const significand = this.pattern();
    switch (this.below(20)) {
      case 0:
        return make(0, 0n);
      case 1:
        return make(0x7fff, TOP);
      case 2:
        return make(0x7fff, significand | TOP);
      case 3:
        return make(0, significand & ~TOP);
      case 4:
        return make(0, significand | TOP);
      case 5:
        return make(this.u32(), significand);
      case 6:
        return make(1 + this.below(70), significand | TOP);
      case 7:
        return make(0x7ffe - this.below(70), significand | TOP);
      case 8:
        return make(0x3fff, TOP);
      case 9:
        return make(this.u32(), significand | TOP);
      case 10:
      case 11:
      case 12:
        return make(0x3fff + this.below(70), significand | TOP);
      default:
        return make(0x3fff - 70 + this.below(140), significand | TOP);
    }
  }

  /** An operand that interacts with `other`: of similar magnitude, or around the point where it stops to matter. */
  f80Near(other: Bits80): Bits80 {
    const distance = [0, 0, 1, 2, 23, 24, 25, 53, 54, 63, 64, 65, 66, 127, 128][this.below(15)]!;
    const exponent = (other.signExponent & 0x7fff) + (this.u32() & 1 ? distance : -distance);
    const significand = this.below(4) === 0 ? other.significand + BigInt(this.below(5) - 2) : this.pattern();
    if (exponent < 1 || exponent > 0x7ffe) return this.f80();
    return { significand: BigInt.asUintN(64, significand) | TOP, signExponent: exponent | (this.u32() & 0x8000) };
  }

  private bits(format: Format): bigint {
    const fraction = this.pattern() & ((1n << BigInt(format.fractionBits)) - 1n);
    const sign = BigInt(this.u32() & 1) << BigInt(format.signShift);
    const make = (exponent: number, low: bigint): bigint =>
      sign | (BigInt(exponent & format.exponentMax) << BigInt(format.fractionBits)) | low;
    switch (this.below(16)) {
      case 0:
        return make(0, 0n);
      case 1:
        return make(format.exponentMax, 0n);
      case 2:
        return make(format.exponentMax, fraction);
      case 3:
      case 4:
        return make(0, fraction);
      case 5:
        return make(1 + this.below(format.fractionBits + 3), fraction);
      case 6:
        return make(format.exponentMax - 1 - this.below(format.fractionBits + 3), fraction);
      case 7:
        return make(this.u32(), fraction);
      case 8:
        return make(format.bias, 0n);
      case 9:
      case 10:
        return make(format.bias + this.below(66), fraction);
      default:
        return make(format.bias - 60 + this.below(120), fraction);
    }
  }

  f64(): bigint {
    return this.bits(FORMAT_F64);
  }

  f32(): number {
    return Number(this.bits(FORMAT_F32));
  }
}
