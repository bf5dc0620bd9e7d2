/** Instructions at and across the end of the code segment: #GP(0) before anything of the page behind it counts (SDM volume 3, 5.3). */
import { expect, test } from 'vitest';
import { Processor } from '../processor.js';
import * as layout from './layout.js';

const DIRECTORY = 0x8000;
const TABLE = 0x9000;
const CODE_PAGE = 0x4000;
const NOP = 0x90;
const [PRESENT, ACCESSED] = [1, 0x20];
const PAGED_PROTECTED_MODE = 0x8000_0001 | 0;
const [PROTECTION_FAULT, PAGE_FAULT] = [13, 14];

/** NOPs up to an absent page; where the code segment ends, and where execution begins. */
function run(limit: number, eip: number, tier: 'step' | 'auto'): { exceptions: number[]; visited: boolean } {
  const processor = new Processor({ memoryBytes: 1 << 16, tier });
  const { core, physical } = processor;
  const { state } = core;
  physical.write32(DIRECTORY, TABLE | PRESENT);
  for (let page = 0; page < 16; page++) physical.write32(TABLE + 4 * page, (page << 12) | (page === 5 ? 0 : PRESENT));
  for (let at = CODE_PAGE; at < CODE_PAGE + 0x1000; at++) physical.write8(at, NOP);
  state.set32(layout.CR0, PAGED_PROTECTED_MODE);
  state.set32(layout.CR3, DIRECTORY);
  state.writeSegment(layout.CS, { selector: 8, base: 0, limit, attributes: 0xc9b });
  state.writeSegment(layout.SS, { selector: 16, base: 0, limit: 0xffff_ffff, attributes: 0xc93 });
  state.eip = eip;
  core.modeChanged();
  const exceptions: number[] = [];
  core.onException = (vector) => exceptions.push(vector);
  processor.run(20);
  return { exceptions, visited: (physical.read32(TABLE + 4 * (CODE_PAGE >> 12)) & ACCESSED) !== 0 };
}

test.each(['step', 'auto'] as const)('running off the end, tier %s', (tier) => {
  expect(run(0x4fff, 0x4ff8, tier).exceptions[0]).toBe(PROTECTION_FAULT);
  expect(run(0x5000, 0x4ff8, tier).exceptions[0]).toBe(PAGE_FAULT);
  expect(run(0x3fff, 0x4ff8, tier)).toMatchObject({ visited: false });
  expect(run(0x4ff8, 0x4ff8, tier)).toMatchObject({ visited: true });
});
