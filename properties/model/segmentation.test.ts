import { describe, expect, it } from 'vitest';
import { CpuState, CS, DS, FS, SS } from '../state/cpu-state.js';
import { isCanonical, linearAddress, longLinearAddress } from './segmentation.js';

/** Type and DPL in the low byte; bit 14: B. */
const DATA_WRITABLE = 0x40f3;
const DATA_READ_ONLY = 0x40f1;
const EXPAND_DOWN_32 = 0x40f7;
const EXPAND_DOWN_16 = 0x00f7;
const CODE_READABLE = 0x40fb;
const CODE_EXECUTE_ONLY = 0x40f9;
const NULL = 0;

function access(
  attributes: number,
  limit: number,
  offset: number,
  bytes: number,
  write: boolean,
  checkType = true,
  segment = DS,
): number | string {
  const state = new CpuState();
  state.setSegment(segment, 0x23, 0x1000n, limit, attributes);
  try {
    return linearAddress(state, segment, offset, bytes, write, checkType);
  } catch (thrown) {
    const { vector, errorCode } = thrown as { vector: number; errorCode: number };
    return `${vector}(${errorCode})`;
  }
}

describe('segments of 16- and 32-bit code (SDM volume 3, 5.3-5.5)', () => {
  it.each<[string, number, number, number, number, boolean, number | string]>([
    ['the last byte below the limit', DATA_WRITABLE, 0xfff, 0xfff, 1, true, 0x1fff],
    ['one byte beyond it', DATA_WRITABLE, 0xfff, 0xffd, 4, false, '13(0)'],
    ['all four bytes below it', DATA_WRITABLE, 0xfff, 0xffc, 4, false, 0x1ffc],
    ['a write to read-only data', DATA_READ_ONLY, 0xfff, 0, 1, true, '13(0)'],
    ['a read of it', DATA_READ_ONLY, 0xfff, 0, 1, false, 0x1000],
    ['a read of readable code', CODE_READABLE, 0xfff, 0, 1, false, 0x1000],
    ['a write to it', CODE_READABLE, 0xfff, 0, 1, true, '13(0)'],
    ['a read of execute-only code', CODE_EXECUTE_ONLY, 0xfff, 0, 1, false, '13(0)'],
    ['a null segment', NULL, 0xffff_ffff, 0, 1, false, '13(0)'],
    ['expand-down at the limit', EXPAND_DOWN_32, 0xfff, 0xfff, 1, true, '13(0)'],
    ['expand-down behind it', EXPAND_DOWN_32, 0xfff, 0x1000, 1, true, 0x2000],
    ['expand-down at its 32-bit end', EXPAND_DOWN_32, 0xfff, 0xffff_ffff, 1, true, 0xfff],
    ['expand-down over its 32-bit end', EXPAND_DOWN_32, 0xfff, 0xffff_ffff, 2, true, '13(0)'],
    ['expand-down at its 16-bit end', EXPAND_DOWN_16, 0xfff, 0xfffe, 2, true, 0x1_0ffe],
    ['expand-down over its 16-bit end', EXPAND_DOWN_16, 0xfff, 0xffff, 2, true, '13(0)'],
    ['an access that wraps around 4 GiB', DATA_WRITABLE, 0xffff_ffff, 0xffff_fffe, 4, true, 0xffe],
  ])('%s', (_name, attributes, limit, offset, bytes, write, expected) => {
    expect(access(attributes, limit, offset, bytes, write)).toBe(expected);
  });

  it('raises #SS for the stack segment', () => {
    expect(access(DATA_WRITABLE, 0xfff, 0x1000, 1, false, true, SS)).toBe('12(0)');
  });

  it('does not look at types outside protected mode, but at limits', () => {
    expect(access(CODE_READABLE, 0xffff, 0x10, 1, true, false, CS)).toBe(0x1010);
    expect(access(CODE_READABLE, 0xffff, 0xffff, 2, true, false, CS)).toBe('13(0)');
  });
});

describe('64-bit mode (SDM volume 3, 5.3.1)', () => {
  const state = new CpuState();
  state.setSegment(DS, 0, 0x1234_0000n, 0, 0);
  state.setSegment(FS, 0, 0x1_0000_0000n, 0, 0);

  it('has bases in FS and GS only, and no limits', () => {
    expect(longLinearAddress(state, DS, 0x7fff_0000n, 8)).toBe(0x7fff_0000n);
    expect(longLinearAddress(state, FS, 0xffff_ffff_ffff_fff0n, 8)).toBe(0xffff_fff0n);
  });

  it('knows canonical addresses', () => {
    expect(isCanonical(0x7fff_ffff_ffffn)).toBe(true);
    expect(isCanonical(0x8000_0000_0000n)).toBe(false);
    expect(isCanonical(0xffff_8000_0000_0000n)).toBe(true);
    expect(isCanonical(0xffff_7fff_ffff_ffffn)).toBe(false);
  });

  it('raises #GP(0), for the stack #SS(0), unless first and last byte are canonical', () => {
    expect(longLinearAddress(state, DS, 0x7fff_ffff_fff8n, 8)).toBe(0x7fff_ffff_fff8n);
    expect(() => longLinearAddress(state, DS, 0x7fff_ffff_fff9n, 8)).toThrow(expect.objectContaining({ vector: 13, errorCode: 0 }));
    expect(() => longLinearAddress(state, SS, 0x8000_0000_0000n, 1)).toThrow(expect.objectContaining({ vector: 12, errorCode: 0 }));
  });
});
