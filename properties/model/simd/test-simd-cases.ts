/** Cases of SIMD instructions for the tests: encodings from the rows of the table, operands of every class, all masks and modes. */
import type { CaseBatch, CodeBits } from '../../oracles/oracle.js';
import { USER_CR3, USER_RECORD_BYTES, USER_WINDOWS } from '../../state/arena.js';
import { CPU_STATE, CPU_STATE_BYTES, CpuState, CS } from '../../state/cpu-state.js';
import type { Opcode } from '../opcode.js';

const HLT = 0xf4;
/** In 16-bit code the segment begins at 10000h. */
const CODE_BASE = 0x10000;
const CODE = 0x10f80;
const BASE_REGISTER = 3;
const DESTINATION_INDEX = 7;

/** 64-bit linear congruential generator: the upper bits are good enough. */
class Source {
  private state: bigint;
  constructor(seed: number) {
    this.state = BigInt(seed) * 0x9e37_79b9_7f4a_7c15n + 1n;
    this.u32();
  }
  u32(): number {
    this.state = BigInt.asUintN(64, this.state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n);
    return Number(this.state >> 32n);
  }
  below(limit: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * limit);
  }
  oneIn(count: number): boolean {
    return this.below(count) === 0;
  }
  bits(count: number): bigint {
    let value = 0n;
    for (let at = 0; at < count; at += 32) value |= BigInt(this.u32()) << BigInt(at);
    return BigInt.asUintN(count, value);
  }
}

const FRACTIONS = [0n, 1n, 2n, -1n, -2n];
function float(source: Source, width: 32 | 64): bigint {
  const fractionBits = width === 32 ? 23 : 52;
  const largest = width === 32 ? 0xff : 0x7ff;
  const bias = largest >> 1;
  const kind = source.below(12);
  const exponent =
    kind < 2
      ? 0
      : kind < 4
        ? largest
        : kind < 8
          ? bias - 4 + source.below(70)
          : kind === 8
            ? 1 + source.below(fractionBits + 3)
            : kind === 9
              ? largest - 1 - source.below(3)
              : source.below(largest);
  const fraction = source.oneIn(2)
    ? BigInt.asUintN(fractionBits, FRACTIONS[source.below(FRACTIONS.length)]! << BigInt(source.oneIn(2) ? 0 : source.below(fractionBits)))
    : source.bits(fractionBits) & (source.oneIn(3) ? -1n << BigInt(source.below(fractionBits)) : -1n);
  return (BigInt(source.below(2)) << BigInt(width - 1)) | (BigInt(exponent) << BigInt(fractionBits)) | fraction;
}

/** Sixteen bytes: elements of one kind, often ordinary numbers. */
function vector(source: Source): bigint {
  const kind = source.below(10);
  let value = 0n;
  const fill = (width: number, element: () => bigint): bigint => {
    for (let at = 0; at < 128; at += width) value |= BigInt.asUintN(width, element()) << BigInt(at);
    return value;
  };
  const view = new DataView(new ArrayBuffer(8));
  const ordinary = (): number => (source.below(2000) - 1000) / (1 + source.below(16));
  if (kind < 2) return fill(32, () => float(source, 32));
  if (kind < 4) return fill(64, () => float(source, 64));
  if (kind === 4) {
    return fill(32, () => {
      view.setFloat32(0, ordinary());
      return BigInt(view.getUint32(0));
    });
  }
  if (kind === 5) {
    return fill(64, () => {
      view.setFloat64(0, ordinary());
      return view.getBigUint64(0);
    });
  }
  if (kind === 6) return BigInt(source.below(70)) | (source.bits(64) << 64n);
  if (kind === 7) return fill(16, () => [0x7fffn, 0x8000n, 0xffffn, 0n, 1n, 0x80n, 0x7fn, 0xff80n][source.below(8)]!);
  return source.bits(128);
}

interface Place {
  readonly address: number;
  readonly weight: number;
}
/** The middle of data is the border of two pages; behind the edge window nothing is present; the last is read-only. */
const PLACES: readonly Place[] = [
  { address: 0x20f40, weight: 10 },
  { address: 0x20fff, weight: 1 },
  { address: 0x20ff8, weight: 1 },
  { address: 0x21fe0, weight: 1 },
  { address: 0x21ff0, weight: 1 },
  { address: 0x21ff9, weight: 1 },
  { address: 0x24010, weight: 1 },
  { address: 0x30000, weight: 1 },
];
function place(source: Source): number {
  let rest = source.below(PLACES.reduce((sum, { weight }) => sum + weight, 0));
  const { address } = PLACES.find(({ weight }) => {
    rest -= weight;
    return rest < 0;
  })!;
  return address + (source.oneIn(4) ? source.below(16) : 0);
}

const usesMemory = (opcode: Opcode, source: Source): boolean => {
  const names = opcode.operands.split(', ');
  if (names.some((name) => name.startsWith('m') && !name.startsWith('mm'))) return true;
  if (names.some((name) => name.startsWith('rm:'))) return false;
  return names.some((name) => name.includes('/m')) && source.oneIn(2);
};

/** The instruction with random registers; memory is at [rBX + displacement]. */
function encode(opcode: Opcode, bits: CodeBits, source: Source): number[] {
  const words = opcode.encoding.split(' ');
  const code: number[] = [];
  const memory = usesMemory(opcode, source);
  if (bits === 16 && memory) code.push(0x67);
  if (['66', 'F2', 'F3'].includes(words[0]!)) code.push(Number.parseInt(words.shift()!, 16));
  else if (words[0] === 'NP') words.shift();
  // The base stays rBX: REX.B and REX.X only without memory.
  if (bits === 64 && source.oneIn(2)) code.push(0x40 | (source.below(16) & (memory ? 0xc : 0xf)));
  const last = words.at(-1)!;
  code.push(...words.filter((word) => !word.startsWith('/')).map((word) => Number.parseInt(word, 16)));
  if (!last.startsWith('/')) return code;
  const reg = last === '/r' ? source.below(8) : Number(last.slice(1));
  if (memory) code.push(0x43 | (reg << 3), 16 * source.below(3));
  else code.push(0xc0 | (reg << 3) | source.below(8));
  if (opcode.operands.endsWith('imm8')) code.push(source.oneIn(4) ? source.below(256) : source.below(20));
  return code;
}

const CR0_PG_NE_ET_MP_PE = 0x8000_0033;
const CR4_OSFXSR_OSXMMEXCPT = 0x600;
const EFER_LME_LMA = 0x500;

function fillState(state: CpuState, bits: CodeBits, source: Source, unusual: boolean): void {
  for (let i = 0; i < 6; i++) {
    const size = bits === 64 ? (i === CS ? 0x2000 : 0x4000) : bits === 32 ? 0x4000 : 0;
    state.setSegment(i, i === CS ? (bits === 64 ? 0x33 : 0x1b) : 0x23, 0n, 0xffff_ffff, (i === CS ? 0x80fb : 0x80f3) | size);
  }
  if (bits === 16) state.setSegment(CS, 0x1b, BigInt(CODE_BASE), 0xffff, 0xfb);
  state.rip = BigInt(bits === 16 ? CODE - CODE_BASE : CODE);
  state.flags = 0x202 | (source.u32() & 0x8d5);
  let cr0 = CR0_PG_NE_ET_MP_PE;
  if (unusual && source.oneIn(20)) cr0 |= source.oneIn(2) ? 4 : 8;
  state.setU32(CPU_STATE.cr0, cr0);
  state.setU32(CPU_STATE.cr3, USER_CR3);
  state.setU32(CPU_STATE.cr4, unusual && source.oneIn(20) ? 0x200 * source.below(4) : CR4_OSFXSR_OSXMMEXCPT);
  if (bits === 64) state.setU32(CPU_STATE.efer, EFER_LME_LMA);
  state.setU32(CPU_STATE.cpl, 3);
  const registers = bits === 64 ? 16 : 8;
  for (let i = 0; i < registers; i++) {
    state.registers[i] = source.oneIn(2) ? BigInt(source.below(600)) : BigInt.asUintN(bits === 64 ? 64 : 32, source.bits(64));
    if (bits === 64 && source.oneIn(2)) state.registers[i] = BigInt.asUintN(64, -state.registers[i]! >> BigInt(source.below(40)));
  }
  state.registers[BASE_REGISTER] = BigInt(place(source));
  state.registers[DESTINATION_INDEX] = BigInt(place(source));
  const top = source.below(8);
  state.setU16(CPU_STATE.x87Control, 0x37f);
  state.setU16(CPU_STATE.x87Status, (top << 11) | (source.u32() & 0x4700));
  state.setU16(CPU_STATE.x87Empty, source.below(256));
  if (unusual && source.oneIn(16)) {
    // A pending exception.
    state.setU16(CPU_STATE.x87Control, 0x37e);
    state.setU16(CPU_STATE.x87Status, (top << 11) | 0x8081);
  }
  for (let i = 0; i < 8; i++) {
    state.setU64(CPU_STATE.x87Registers + 16 * i, vector(source) & 0xffff_ffff_ffff_ffffn);
    state.setU16(CPU_STATE.x87Registers + 16 * i + 8, source.u32() & 0xffff);
  }
  for (let i = 0; i < registers; i++) {
    const value = vector(source);
    state.setU64(CPU_STATE.xmm + 16 * i, value & 0xffff_ffff_ffff_ffffn);
    state.setU64(CPU_STATE.xmm + 16 * i + 8, value >> 64n);
  }
  const masks = source.oneIn(2) ? 0x1f80 : source.below(64) << 7;
  const modes = source.oneIn(2) ? 0 : source.u32() & 0xe040;
  state.setU32(CPU_STATE.mxcsr, masks | modes | (source.oneIn(2) ? 0 : source.below(64)));
}

function fillData(record: Uint8Array, opcode: Opcode, source: Source): void {
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  for (let at = CPU_STATE_BYTES + 512; at < USER_RECORD_BYTES; at += 16) {
    const value = vector(source);
    view.setBigUint64(at, value & 0xffff_ffff_ffff_ffffn, true);
    view.setBigUint64(at + 8, value >> 64n, true);
    if (opcode.mnemonic === 'LDMXCSR' || opcode.mnemonic === 'FXRSTOR') {
      const control = (source.u32() & 0xffff) | (source.oneIn(8) ? 1 << (16 + source.below(16)) : 0);
      for (let i = 0; i < 16; i += 4) if (opcode.mnemonic === 'LDMXCSR' || i === 8) view.setUint32(at + i, control, true);
    }
  }
}

/** @param unusual also states that no user process can have: CR0.TS, CR4.OSFXSR clear, an x87 exception pending... */
export function simdBatch(opcode: Opcode, bits: CodeBits, count: number, seed: number, unusual: boolean): CaseBatch {
  const source = new Source(seed);
  const records = new Uint8Array(count * USER_RECORD_BYTES);
  const code = encode(opcode, bits, source);
  for (let i = 0; i < count; i++) {
    const at = i * USER_RECORD_BYTES;
    const record = records.subarray(at, at + USER_RECORD_BYTES);
    fillState(new CpuState(records.buffer, at), bits, source, unusual);
    record.fill(HLT, CPU_STATE_BYTES, CPU_STATE_BYTES + 512);
    record.set(code, CPU_STATE_BYTES + (CODE & 0xff));
    fillData(record, opcode, source);
  }
  return { arena: 'user', bits, windows: USER_WINDOWS, count, records, tickLimit: 100 };
}
