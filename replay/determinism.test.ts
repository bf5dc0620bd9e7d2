/**
 * Nothing of the host reaches the guest: however busy the processors, whatever else turns in the event loop and wherever
 * slices end, a run is the same; and so is its replay, even of what a killed recorder has left.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, it } from 'vitest';
import { serial } from '../examples/corpus/guests/serial.js';
import { bytesSource, nodeCodec, readTrace, traceIdentity } from '../traces/index.js';
import { type MachineConfig, openTraceFile, record, replay, type ScriptLine } from './index.js';
import { testGuest } from './test-guest.js';

const folder = mkdtempSync(join(tmpdir(), 'replay86-determinism-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Computes and allocates for as long as it lives. */
const busyThread = `
  let held = [];
  for (let i = 0; ; i++) {
    held.push(new Array(1000).fill(Math.sqrt(i)));
    if (held.length > 2000) held = [];
  }`;

/** Keeps the host busy until the returned function is called, which says how often the event loop was disturbed. */
function disturbHost(): () => Promise<number> {
  const threads = [1, 2].map(() => new Worker(busyThread, { eval: true }));
  let turns = 0;
  let held: unknown[] = [];
  const disturb = (): void => {
    turns++;
    held.push(new Float64Array(2000), { text: `turn ${turns}` });
    if (held.length > 2000) held = [];
  };
  const timers = [0, 1, 3].map((delayMs) => setInterval(disturb, delayMs));
  let immediate = setImmediate(function again() {
    disturb();
    immediate = setImmediate(again);
  });
  return async () => {
    for (const timer of timers) clearInterval(timer);
    clearImmediate(immediate);
    await Promise.all(threads.map((thread) => thread.terminate()));
    return turns;
  };
}

const testConfig: MachineConfig = { boot: { kind: 'multiboot', kernel: testGuest(), modules: [], commandLine: '' }, memoryBytes: 4 << 20 };
const testInputs = [
  { at: 2000, serial: 'abc' },
  { at: 30_000, serial: 'def' },
  { after: 'def', serial: 'ijk' },
];

const guests: readonly { title: string; config: MachineConfig; inputs: readonly ScriptLine[] }[] = [
  { title: 'timer interrupts into a busy loop', config: testConfig, inputs: [...testInputs, { after: 'ijk', serial: 's' }] },
  { title: 'a line server by interrupt', config: { ...serial.config(), memoryBytes: 4 << 20 }, inputs: serial.inputs ?? [] },
];

describe.each(guests)('$title', ({ config, inputs }) => {
  async function recordOnce(sliceMs: number) {
    const pieces: Uint8Array[] = [];
    let slices = 0;
    const { digest, tick, end } = await record({
      config,
      to: { write: (bytes) => pieces.push(bytes.slice()) },
      inputs,
      maxTicks: 200_000,
      digestIntervalTicks: 10_000,
      sliceMs,
      onProgress: () => slices++,
    });
    const trace = readTrace(bytesSource(Uint8Array.from(Buffer.concat(pieces))), nodeCodec);
    return { outcome: { digest, tick, end, identity: traceIdentity(trace, nodeCodec) }, trace, slices };
  }

  it('gives the same digest 20 times on a disturbed host', { timeout: 300_000 }, async () => {
    const { outcome, trace } = await recordOnce(50);
    expect(trace.inputs).toHaveLength(inputs.length);
    expect(trace.interrupts.ticks.length).toBeGreaterThan(100);
    const stop = disturbHost();
    const slices = new Set<number>();
    try {
      for (let run = 0; run < 20; run++) {
        const disturbed = await recordOnce(2 ** ((run * 7) % 9) / 5);
        expect(disturbed.outcome).toEqual(outcome);
        slices.add(disturbed.slices);
      }
    } finally {
      expect(await stop()).toBeGreaterThan(20);
    }
    // The host did have its way with the slices.
    expect(slices.size).toBeGreaterThan(2);
  });
});

it('what a killed recorder leaves of a run with scripted input is the run itself', { timeout: 300_000 }, async () => {
  const at = (name: string): string => join(folder, name);
  writeFileSync(at('guest.bin'), testGuest());
  writeFileSync(at('input.jsonl'), testInputs.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const program = ['--import', import.meta.resolve('tsx'), fileURLToPath(new URL('cli/main.ts', import.meta.url)), 'record'];
  const options = ['--kernel', at('guest.bin'), '--memory', '4M', '--input', at('input.jsonl')];
  const recorder = spawn(process.execPath, [...program, '-o', at('killed.trace'), ...options], { stdio: 'ignore' });
  const ended = once(recorder, 'exit');
  const size = (): number => statSync(at('killed.trace'), { throwIfNoEntry: false })?.size ?? 0;
  while (size() === 0) await sleep(20);
  for (const header = size(); size() === header; ) await sleep(20);
  recorder.kill('SIGKILL');
  expect(await ended).toEqual([null, 'SIGKILL']);

  const whole = await record({ config: testConfig, to: { write() {} }, inputs: testInputs, maxTicks: 100_000 });
  const trace = openTraceFile(at('killed.trace'));
  try {
    expect(trace.complete).toBe(false);
    expect(trace.coveredTo.tick).toBeGreaterThan(100_000);
    expect(replay(trace, { to: 100_000 })).toMatchObject({ divergence: undefined, inputCount: 3, digest: whole.digest });
  } finally {
    trace.close();
  }
});
