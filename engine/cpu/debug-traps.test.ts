import { expect, test } from 'vitest';
import { Processor } from '../processor.js';
import * as layout from './layout.js';
import { EFLAG } from './state.js';

const CODE = 0x1000;
const HANDLER = 0x2000;
const HLT = 0xf4;

/** Real mode with TF set; #DB goes to a handler at HANDLER, which halts. */
function singleStep(code: readonly number[], flags = 0): Processor {
  const processor = new Processor({ memoryBytes: 1 << 16, tier: 'step' });
  const { core, physical, ram } = processor;
  const { state } = core;
  ram.fill(HLT);
  code.forEach((byte, i) => physical.write8(CODE + i, byte));
  physical.write32(4, HANDLER);
  state.writeSegment(layout.CS, { selector: 0, base: 0, limit: 0xffff, attributes: 0x93 });
  state.eip = CODE;
  state.setReg32(4, 0x8000);
  state.eflags = EFLAG.tf | flags;
  core.modeChanged();
  return processor;
}
const returnAddress = ({ ram }: Processor): number => (ram[0x7ffa] as number) | ((ram[0x7ffb] as number) << 8);

test('a debug trap follows STI, but not MOV SS', () => {
  const sti = singleStep([0xfb, 0x90]);
  sti.run(100);
  expect(returnAddress(sti)).toBe(CODE + 1);
  const movSs = singleStep([0x8e, 0xd0, 0x90]);
  movSs.run(100);
  expect(returnAddress(movSs)).toBe(CODE + 3);
});

test('a debug trap follows INTO that does nothing', () => {
  const into = singleStep([0xce, 0x90]);
  into.run(100);
  expect(returnAddress(into)).toBe(CODE + 1);
});

test('a debug trap ends HLT', () => {
  const hlt = singleStep([0xf4]);
  expect(hlt.run(100)).toBe('halted');
  expect(hlt.core.state.eip).toBe(HANDLER + 1);
  expect(returnAddress(hlt)).toBe(CODE + 1);
});

test('EIP is not cut to 16 bits behind an instruction of a 16-bit segment', () => {
  const processor = singleStep([]);
  const { core, physical } = processor;
  core.state.writeSegment(layout.CS, { selector: 0, base: 0xffff_0000, limit: 0xf_ffff, attributes: 0x93 });
  core.state.eip = 0x1_1000;
  physical.write8(0x1000, 0xfa);
  core.state.eflags = 0;
  core.modeChanged();
  processor.run(1);
  expect(core.state.eip).toBe(0x1_1001);
});
