import { expect, it } from 'vitest';
import { createMachine } from '../../engine/index.js';
import { type BreakpointReport, breakpointTable, quantile, type TravelReport, travelTable } from './time-travel.js';
import { buildLoopGuest, loopHits, loopTicks } from './time-travel-guest.js';

it('takes quantiles that are among the values', () => {
  const values = Array.from({ length: 200 }, (_, index) => 200 - index);
  expect([0.5, 0.98, 0.99, 1].map((part) => quantile(values, part))).toEqual([100, 196, 198, 200]);
  expect(quantile([7], 0.5)).toBe(7);
  expect(quantile([], 0.5)).toBeNaN();
});

it('has a guest whose breakpoint is met as often, and as far apart, as it says', () => {
  const { bytes, labels } = buildLoopGuest();
  const hit = labels.get('hit') as number;
  const machine = createMachine({ boot: { kind: 'multiboot', kernel: bytes, modules: [], commandLine: '' }, memoryBytes: 4 * 2 ** 20 });
  while (machine.registers.get('eip') !== hit) machine.run({ tick: machine.tick + 1 });
  const first = machine.tick;
  for (const times of [1, 2, loopHits - 1]) {
    machine.run({ tick: first + times * loopTicks });
    expect(machine.registers.get('eip')).toBe(hit);
    expect(machine.registers.get('ecx')).toBe(loopHits - times);
  }
  expect(machine.run({ tick: first + 2 * loopHits * loopTicks })).toEqual({ kind: 'debugExit', value: 0 });
  expect(machine.tick - first).toBe(loopHits * loopTicks + 2);
});

const cost = (cpuSeconds: number, wallSeconds: number) => ({ cpuSeconds, wallSeconds });

it('prints the figures of a boot', () => {
  const report: TravelReport = {
    boot: 'vmlinux',
    title: 'a boot',
    replay: cost(10, 11),
    explore: cost(10.25, 12),
    overhead: { cpu: 0.025, wall: 0.031 },
    exploration: { ...cost(10.25, 12), ticks: 2e9, checkpoints: 500, checkpointBytes: 2 ** 28, fileBytes: 2 ** 27, keepSeconds: 1.5 },
    travels: {
      opening: cost(0.2, 0.3),
      seeks: [cost(0.01, 0.02), cost(0.01, 0.04)],
      reverseSteps: [cost(0.001, 0.002), cost(0.001, 0.003)],
      lastWrites: [cost(0.5, 1)],
      found: 1,
    },
  };
  const lines = travelTable(report).split('\n');
  expect(lines[0]).toBe('time travel: a boot, 2.00 thousand million ticks');
  expect(lines).toContain('checkpoints over replaying: 2.5 % CPU, 3.1 % wall; 500 in 256 MiB, kept in 128 MiB in 1.5 s');
  expect(lines.find((line) => line.startsWith('both'))?.split(/ {2,}/)).toEqual(['both', '22', '43', '43', '43', '11', '11']);
});

it('puts QEMU beside, where it is', () => {
  const own = { last: cost(0.004, 0.005), all: cost(0.7, 0.8), hits: loopHits };
  const without: BreakpointReport = { own, qemu: undefined };
  const rows = (report: BreakpointReport) =>
    breakpointTable(report)
      .split('\n')
      .map((line) => line.split(/ {2,}/));
  expect(rows(without)).toEqual([
    ['time travel: ten million ticks, ms', 'replay86', 'its CPU', 'QEMU'],
    [`back to the last of ${loopHits} hits of a breakpoint`, '5.00', '4.00', '-'],
    ['back to the beginning, a condition never true', '800', '700', '-'],
  ]);
  const qemu = { breakpointMs: 5000, reverseSteps: [{ part: 0.5, ms: 445 }] };
  expect(rows({ own, qemu }).at(-1)).toEqual(['one step back at 50 % of the run', '445']);
});
