import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { requireTool } from '../properties/testing/system-tool.js';
import { nodeCodec, traceIdentity } from '../traces/index.js';
import { type MachineConfig, openTraceFile, packTraceFile, record, replay } from './index.js';
import { testGuest } from './test-guest.js';

const folder = mkdtempSync(join(tmpdir(), 'replay86-record-'));
afterAll(() => rmSync(folder, { recursive: true }));

const config: MachineConfig = { boot: { kind: 'multiboot', kernel: testGuest(), modules: [], commandLine: '' }, memoryBytes: 4 << 20 };
const tracePath = join(folder, 'run.trace');
const kernelPath = join(folder, 'guest.bin');
writeFileSync(kernelPath, testGuest());

it('has the test guest that its source says', () => {
  const source = fileURLToPath(new URL('test-guest.s', import.meta.url));
  const object = join(folder, 'guest.o');
  execFileSync(requireTool('as'), ['--32', '-o', object, source]);
  execFileSync(requireTool('objcopy'), ['-O', 'binary', object, kernelPath]);
  expect(Uint8Array.from(readFileSync(kernelPath))).toEqual(testGuest());
});

it('records and replays a guest with random inputs, in every tier', async () => {
  const inputs = fc.array(fc.tuple(fc.integer({ min: 0, max: 600 }), fc.stringMatching(/^[a-gi-p]{1,5}$/)), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(inputs, fc.constantFrom('auto' as const, 'step' as const), async (inputs, tier) => {
      let tick = 0;
      const lines = inputs.map(([delay, serial]) => {
        tick += delay;
        return { at: tick, serial };
      });
      const output: number[] = [];
      const result = await record({
        config,
        to: tracePath,
        imagePaths: { kernel: kernelPath },
        inputs: lines,
        maxTicks: 4000,
        digestIntervalTicks: 512,
        prepare: (machine) => {
          machine.onSerial = (_port, byte) => output.push(byte);
        },
      });
      const again: number[] = [];
      const trace = openTraceFile(tracePath);
      const replayed = replay(trace, {
        tier,
        prepare: (machine) => {
          machine.onSerial = (_port, byte) => again.push(byte);
        },
      });
      trace.close();
      expect(replayed).toMatchObject({ divergence: undefined, digest: result.digest, tick: 4000, status: 10, inputCount: lines.length });
      expect(replayed.interruptCount).toBeGreaterThan(100);
      expect(again).toEqual(output);
    }),
    { seed: 5, numRuns: 4 },
  );
});

it('records the same however the host slices and paces the run', async () => {
  const inputs = [
    { at: 300, serial: 'abc' },
    { after: 'c', serial: 'def' },
  ];
  const identities: string[] = [];
  for (const host of [{}, { sliceMs: 1e-6 }, { realtime: true, sliceMs: 1 }]) {
    await record({ config, to: tracePath, imagePaths: { kernel: kernelPath }, inputs, maxTicks: 2000, digestIntervalTicks: 300, ...host });
    const trace = openTraceFile(tracePath);
    expect(trace.inputs).toHaveLength(2);
    identities.push(traceIdentity(trace, nodeCodec));
    trace.close();
  }
  expect(new Set(identities).size).toBe(1);
});

it('answers what the guest says, and ends as it does', async () => {
  const result = await record({
    config,
    to: tracePath,
    imagePaths: { kernel: kernelPath },
    inputs: [
      { after: '>', serial: 'login' },
      { after: { pattern: 'g[i]n$', regex: true }, serial: 'q' },
    ],
    maxTicks: 1_000_000,
  });
  expect(result).toMatchObject({ end: { kind: 'debugExit', value: 3 }, status: 7, reason: 'debugExit' });
  const trace = openTraceFile(tracePath);
  expect(trace.inputs).toHaveLength(2);
  expect(replay(trace)).toMatchObject({ divergence: undefined, reason: 'debugExit', status: 7 });

  // Its image gone, the trace names it; packed, it needs none.
  packTraceFile(tracePath, join(folder, 'packed.trace'));
  writeFileSync(kernelPath, 'something else');
  expect(() => replay(trace)).toThrow(/guest\.bin.*changed since the recording/);
  trace.close();
  const packed = openTraceFile(join(folder, 'packed.trace'));
  expect(replay(packed).divergence).toBeUndefined();
  packed.close();
  writeFileSync(kernelPath, testGuest());
});

it.each([
  ['h', 'halted', 0],
  ['t', 'tripleFault', 8],
] as const)('records a guest that ends by %s', async (command, reason, status) => {
  const result = await record({ config, to: tracePath, imagePaths: { kernel: kernelPath }, inputs: [{ after: '>', serial: command }] });
  expect(result).toMatchObject({ reason, status });
  const trace = openTraceFile(tracePath);
  expect(replay(trace)).toMatchObject({ divergence: undefined, reason, status });
  trace.close();
});

it('refuses a trace of a later version', async () => {
  await record({ config, to: tracePath, imagePaths: { kernel: kernelPath }, maxTicks: 10 });
  const trace = openTraceFile(tracePath);
  expect(() => replay({ ...trace, header: { ...trace.header, engineVersion: '99.0.0' } })).toThrow(
    /run\.trace: recorded by version 99\.0\.0/,
  );
  const machine = { ...trace.header.machine, memoryBytes: 5 };
  expect(() => replay({ ...trace, header: { ...trace.header, machine } })).toThrow(/run\.trace: the machine in the header: memoryBytes/);
  expect(() => replay({ ...trace, header: { ...trace.header, machine: {} } })).toThrow(/run\.trace: the machine in the header, boot/);
  expect(() => replay({ ...trace, header: { ...trace.header, images: [] } })).toThrow(/run\.trace: the trace names 0 images for kernel/);
  trace.close();
});
