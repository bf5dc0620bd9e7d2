/** WebAssembly vector instructions by number (core specification 2.0, section 5.4.8), for `V128.op` and `V128.test`. */
export const SWIZZLE = 0x0e;
export const SPLAT = { i16: 0x10, i32: 0x11 } as const;

export const AND = 0x4e;
/** a and not b */
export const AND_NOT = 0x4f;
export const OR = 0x50;
export const XOR = 0x51;
/** Bits of the first where the third operand has ones, else of the second. */
export const BIT_SELECT = 0x52;

export const I8 = {
  eq: 0x23,
  gtS: 0x27,
  bitmask: 0x64,
  narrowS: 0x65,
  narrowU: 0x66,
  add: 0x6e,
  addSatS: 0x6f,
  addSatU: 0x70,
  sub: 0x71,
  subSatS: 0x72,
  subSatU: 0x73,
  minU: 0x77,
  maxU: 0x79,
  averageU: 0x7b,
} as const;

export const I16 = {
  eq: 0x2d,
  gtS: 0x31,
  addPairsU: 0x7d,
  narrowS: 0x85,
  shl: 0x8b,
  shrS: 0x8c,
  shrU: 0x8d,
  add: 0x8e,
  addSatS: 0x8f,
  addSatU: 0x90,
  sub: 0x91,
  subSatS: 0x92,
  subSatU: 0x93,
  mul: 0x95,
  minS: 0x96,
  maxS: 0x98,
  averageU: 0x9b,
} as const;

export const I32X4 = {
  eq: 0x37,
  gtS: 0x3b,
  addPairsU: 0x7f,
  bitmask: 0xa4,
  shl: 0xab,
  shrS: 0xac,
  shrU: 0xad,
  add: 0xae,
  sub: 0xb1,
  mul: 0xb5,
  dot: 0xba,
  multiplyLowS: 0xbc,
  multiplyHighS: 0xbd,
  multiplyLowU: 0xbe,
  multiplyHighU: 0xbf,
} as const;

export const I64X2 = {
  bitmask: 0xc4,
  shl: 0xcb,
  shrU: 0xcd,
  add: 0xce,
  sub: 0xd1,
  multiplyLowU: 0xde,
} as const;
