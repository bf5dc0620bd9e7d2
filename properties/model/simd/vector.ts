/** Sixteen bytes seen as elements, the least significant first (Intel SDM volume 1, section 4.6). */
export class Vector {
  readonly u64 = new BigUint64Array(2);
  readonly i64 = new BigInt64Array(this.u64.buffer);
  readonly u8 = new Uint8Array(this.u64.buffer);
  readonly i8 = new Int8Array(this.u64.buffer);
  readonly u16 = new Uint16Array(this.u64.buffer);
  readonly i16 = new Int16Array(this.u64.buffer);
  readonly u32 = new Uint32Array(this.u64.buffer);
  readonly i32 = new Int32Array(this.u64.buffer);

  get value(): bigint {
    return (this.u64[1]! << 64n) | this.u64[0]!;
  }
  set value(value: bigint) {
    this.u64[0] = BigInt.asUintN(64, value);
    this.u64[1] = BigInt.asUintN(64, value >> 64n);
  }
}

export const ELEMENT_BYTES = { u8: 1, i8: 1, u16: 2, i16: 2, u32: 4, i32: 4 } as const;
/** Elements whose values are numbers. */
export type ElementType = keyof typeof ELEMENT_BYTES;

export const RANGES = { i8: [-0x80, 0x7f], u8: [0, 0xff], i16: [-0x8000, 0x7fff], u16: [0, 0xffff] } as const;
export const saturate = (type: keyof typeof RANGES, value: number): number => Math.min(Math.max(value, RANGES[type][0]), RANGES[type][1]);
