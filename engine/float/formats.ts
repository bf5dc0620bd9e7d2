/** The binary32 and binary64 interchange formats (IEEE 754-2008, table 3.5; Intel SDM vol. 1, table 4-3). */
export interface Format {
  readonly fractionBits: number;
  readonly bias: number;
  /** Exponent field of infinities and NaNs. */
  readonly exponentMax: number;
  readonly signShift: number;
  /** Magnitude bits of infinity. */
  readonly infinity: bigint;
  readonly quietBit: bigint;
  /** The default NaN, "real indefinite". */
  readonly indefinite: bigint;
}

export const FORMAT_F32: Format = {
  fractionBits: 23,
  bias: 127,
  exponentMax: 0xff,
  signShift: 31,
  infinity: 0x7f800000n,
  quietBit: 1n << 22n,
  indefinite: 0xffc00000n,
};

export const FORMAT_F64: Format = {
  fractionBits: 52,
  bias: 1023,
  exponentMax: 0x7ff,
  signShift: 63,
  infinity: 0x7ff0000000000000n,
  quietBit: 1n << 51n,
  indefinite: 0xfff8000000000000n,
};
