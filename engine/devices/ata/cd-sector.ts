/**
 * A mode 1 sector as it stands on the disc, 2352 bytes, made from its 2048 bytes of user data (ECMA-130, clause 14
 * and annex A): sync, header, user data, error detection code, P and Q parity.
 */

export const CD_DATA_BYTES = 2048;
export const CD_FRAMES_PER_SECOND = 75;
/** Two seconds of pregap before sector 0 (ECMA-130, 22.3). */
export const CD_PREGAP_FRAMES = 150;

const RAW_BYTES = 2352;
const HEADER_AT = 12;
const DATA_AT = 16;
const EDC_AT = 2064;
const P_AT = 2076;
const Q_AT = 2248;

/** CRC of (x^16 + x^15 + x^2 + 1)(x^16 + x^2 + x + 1), least significant bit first (14.3). */
const EDC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ ((value & 1) !== 0 ? 0xd8018001 : 0);
  return value;
});

/** Multiplication by alpha in GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1 (annex A). */
const timesAlpha = (value: number): number => ((value << 1) ^ ((value & 0x80) !== 0 ? 0x11d : 0)) & 0xff;
/** The inverse of multiplication by (alpha + 1), which solves for the second parity byte. */
const OVER_ALPHA_PLUS_ONE = new Uint8Array(256);
for (let value = 0; value < 256; value++) OVER_ALPHA_PLUS_ONE[value ^ timesAlpha(value)] = value;

/** P: 86 columns of 24 bytes. Q: 52 diagonals of 43 bytes. Both over header, data, EDC and what comes before them. */
function putParity(raw: Uint8Array, at: number, codewords: number, length: number, step: number, next: number): void {
  const size = codewords * length;
  for (let codeword = 0; codeword < codewords; codeword++) {
    let index = (codeword >>> 1) * step + (codeword & 1);
    let weighted = 0;
    let sum = 0;
    for (let position = 0; position < length; position++) {
      const byte = raw[HEADER_AT + index] as number;
      index += next;
      if (index >= size) index -= size;
      weighted = timesAlpha(weighted ^ byte);
      sum ^= byte;
    }
    const first = OVER_ALPHA_PLUS_ONE[timesAlpha(weighted) ^ sum] as number;
    raw[at + codeword] = first;
    raw[at + codewords + codeword] = first ^ sum;
  }
}

const bcd = (value: number): number => (Math.floor(value / 10) << 4) | (value % 10);

/** Minute, second, frame of an absolute frame number. */
export function toMsf(frame: number): [number, number, number] {
  return [Math.floor(frame / (60 * CD_FRAMES_PER_SECOND)), Math.floor(frame / CD_FRAMES_PER_SECOND) % 60, frame % CD_FRAMES_PER_SECOND];
}

export function rawSector(lba: number, data: Uint8Array): Uint8Array {
  const raw = new Uint8Array(RAW_BYTES);
  raw.fill(0xff, 1, 11);
  raw.set(toMsf(lba + CD_PREGAP_FRAMES).map(bcd), HEADER_AT);
  raw[HEADER_AT + 3] = 1;
  raw.set(data, DATA_AT);
  let edc = 0;
  for (let index = 0; index < EDC_AT; index++) edc = (edc >>> 8) ^ (EDC_TABLE[(edc ^ (raw[index] as number)) & 0xff] as number);
  for (let byte = 0; byte < 4; byte++) raw[EDC_AT + byte] = (edc >>> (8 * byte)) & 0xff;
  putParity(raw, P_AT, 86, 24, 2, 86);
  putParity(raw, Q_AT, 52, 43, 86, 88);
  return raw;
}

/** The parts of a raw sector that READ CD selects by bits 7-3 of its byte 9 (MMC-3, table 255); mode 1 has no subheader. */
const PARTS: readonly (readonly [mask: number, from: number, to: number])[] = [
  [0x80, 0, HEADER_AT],
  [0x20, HEADER_AT, DATA_AT],
  [0x10, DATA_AT, EDC_AT],
  [0x08, EDC_AT, RAW_BYTES],
];

export function selectedBytes(selection: number): number {
  return PARTS.reduce((sum, [mask, from, to]) => sum + ((selection & mask) !== 0 ? to - from : 0), 0);
}

export function selectParts(raw: Uint8Array, selection: number): Uint8Array {
  const out = new Uint8Array(selectedBytes(selection));
  let at = 0;
  for (const [mask, from, to] of PARTS) {
    if ((selection & mask) === 0) continue;
    out.set(raw.subarray(from, to), at);
    at += to - from;
  }
  return out;
}
