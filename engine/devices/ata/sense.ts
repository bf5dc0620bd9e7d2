/**
 * Sense data of the CD-ROM drive (SPC-2, 7.20: fixed format; codes from MMC-3, annex F).
 */
export interface Sense {
  readonly key: number;
  readonly code: number;
  readonly qualifier: number;
}

export const KEY = { none: 0, notReady: 2, illegalRequest: 5, unitAttention: 6 } as const;

export const SENSE = {
  none: { key: KEY.none, code: 0, qualifier: 0 },
  invalidCommand: { key: KEY.illegalRequest, code: 0x20, qualifier: 0 },
  outOfRange: { key: KEY.illegalRequest, code: 0x21, qualifier: 0 },
  invalidField: { key: KEY.illegalRequest, code: 0x24, qualifier: 0 },
  savingNotSupported: { key: KEY.illegalRequest, code: 0x39, qualifier: 0 },
  wrongTrackMode: { key: KEY.illegalRequest, code: 0x64, qualifier: 0 },
  reset: { key: KEY.unitAttention, code: 0x29, qualifier: 0 },
  mediumChanged: { key: KEY.unitAttention, code: 0x28, qualifier: 0 },
  trayOpen: { key: KEY.notReady, code: 0x3a, qualifier: 2 },
  removalPrevented: { key: KEY.illegalRequest, code: 0x53, qualifier: 2 },
} as const satisfies Record<string, Sense>;

export function senseBytes(sense: Sense): Uint8Array {
  const bytes = new Uint8Array(18);
  bytes[0] = 0x70;
  bytes[2] = sense.key;
  bytes[7] = 10;
  bytes[12] = sense.code;
  bytes[13] = sense.qualifier;
  return bytes;
}
