/**
 * The main job on real input: Debian's kernel boots to a shell script and switches the machine off; the recorded run
 * replays with equal digests on both tiers and on another V8. Each `npm test` takes the quickest way to user space; CI,
 * and whoever sets LINUX_STOCK, boots the stock bzImage as well.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { requireNode26 } from '../../properties/testing/node26.js';
import { isCi, missing } from '../../properties/testing/system-tool.js';
import {
  createMachine,
  type Machine,
  type MachineConfig,
  openTimeline,
  openTraceFile,
  Queries,
  type RecordResult,
  record,
  replay,
} from '../../replay/index.js';
import { walkBack } from './walk.js';

const fromHere = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const imagePaths = (kernel: string) => ({ kernel: fromHere(`build/${kernel}`), initrd: fromHere('build/initramfs.cpio') });

const folder = mkdtempSync(join(tmpdir(), 'replay86-linux-'));
afterAll(() => rmSync(folder, { recursive: true }));

const traceBytesMax = 20_000;
const digestIntervalTicks = 2 ** 27;
const stockAsked = isCi() || (process.env.LINUX_STOCK ?? '') !== '';

interface Boot {
  readonly kernel: string;
  readonly commandLine: string;
  /** How much of the run the step tier repeats, at two or three million ticks a second. */
  readonly stepTicks: number;
}

const boots: readonly Boot[] = [
  { kernel: 'vmlinux', commandLine: 'console=ttyS0 cryptomgr.notests', stepTicks: 3e6 },
  ...(stockAsked ? [{ kernel: 'vmlinuz', commandLine: 'console=ttyS0', stepTicks: 50e6 }] : []),
];

function configOf({ kernel, commandLine }: Boot): MachineConfig {
  const paths = imagePaths(kernel);
  return { boot: { kind: 'linux', kernel: readFileSync(paths.kernel), initrd: readFileSync(paths.initrd), commandLine } };
}

interface Recorded {
  readonly result: RecordResult;
  readonly serial: string;
  readonly path: string;
}

async function recordBoot(boot: Boot): Promise<Recorded> {
  const path = join(folder, `${boot.kernel}.trace`);
  const sent: number[] = [];
  const result = await record({
    config: configOf(boot),
    to: path,
    imagePaths: imagePaths(boot.kernel),
    digestIntervalTicks,
    prepare: (machine) => {
      machine.onSerial = (_port, byte) => sent.push(byte);
    },
  });
  return { result, path, serial: Buffer.from(sent).toString('latin1').replaceAll('\r\n', '\n') };
}

/** Runs on to a tick. @returns what can be compared: the state, and every interrupt on the way. */
function outcomeAt(machine: Machine, tick: number): unknown {
  const interrupts: number[] = [];
  machine.onInterrupt = ({ tick, vector }) => interrupts.push(tick, vector);
  const reason = machine.run({ tick });
  return { reason, tick: machine.tick, ns: machine.nowNs, digest: machine.digest(), interrupts };
}

describe.each(boots)('a boot of $kernel', (boot) => {
  let recording: Promise<Recorded> | undefined;
  /** The recording that all tests share. */
  async function recorded(): Promise<Recorded> {
    if (!existsSync(fromHere('build/SHA256SUMS'))) missing('the Linux guest is not there (run examples/linux/fetch.sh)');
    recording ??= recordBoot(boot);
    return await recording;
  }

  it('runs the demo script, switches the machine off and leaves a small trace', { timeout: 600_000 }, async () => {
    const { result, serial, path } = await recorded();
    expect(result).toMatchObject({ reason: 'powerOff', status: 0 });
    expect(serial).toContain('Linux version 6.1.');
    const markers = ['replay86: user space reached', '== system', '== arithmetic', '== sort', '== digest', '== interrupts', '== end'];
    const lines = serial.split('\n');
    expect(lines.filter((line) => line.startsWith('== ') || line.startsWith('replay86: '))).toEqual([
      ...markers,
      'replay86: demo finished with status 0',
    ]);
    expect(lines).toContain('502');
    expect(serial).not.toMatch(/panic|BUG:|Oops|Call Trace|WARNING:/);
    expect(statSync(path).size).toBeLessThanOrEqual(traceBytesMax);
  });

  it('replays to the same digests on the interpreter, and a stretch of it on the step tier', { timeout: 600_000 }, async () => {
    const { result, path } = await recorded();
    // The last digest that leaves room for the stretch: user space, with interrupts, processes and page faults.
    const startTick = Math.floor((result.tick - boot.stepTicks) / digestIntervalTicks) * digestIntervalTicks;
    const endTick = startTick + boot.stepTicks;
    let interpreted: unknown;
    const step = createMachine({ ...configOf(boot), tier: 'step' });
    let replaying: Machine | undefined;
    const trace = openTraceFile(path);
    const replayed = replay(trace, {
      tier: 'interpreter',
      prepare: (machine) => {
        replaying = machine;
      },
      onDigest: (tick) => {
        if (tick !== startTick) return;
        const state = (replaying as Machine).save();
        step.restore(state);
        const interpreter = createMachine({ ...configOf(boot), tier: 'interpreter' });
        interpreter.restore(state);
        interpreted = outcomeAt(interpreter, endTick);
      },
    });
    trace.close();
    expect(replayed).toMatchObject({ divergence: undefined, reason: 'powerOff', tick: result.tick, ns: result.ns, digest: result.digest });
    expect(replayed.digestCount).toBe(Math.floor(result.tick / digestIntervalTicks));
    expect(replayed.interruptCount).toBeGreaterThan(100);
    expect(step.tick).toBe(startTick);
    expect(outcomeAt(step, endTick)).toEqual(interpreted);
    expect(interpreted).toMatchObject({ reason: { kind: 'limit' }, tick: endTick });
  });

  it.runIf(boot.kernel === 'vmlinux')('leads from a digit on the console to where it comes from', { timeout: 600_000 }, async () => {
    const trace = openTraceFile((await recorded()).path);
    const timeline = openTimeline(trace);
    const queries = new Queries(timeline);
    try {
      const places = await walkBack(timeline, queries);
      expect(places[0]).toMatchObject({
        text: 'out dx, al',
        what: expect.stringMatching(/^the driver sends the end of the line "sum \d+"$/),
      });
      expect(places[1]).toMatchObject({ text: 'sysenter', what: expect.stringMatching(/^the shell calls write\(1, "sum \d+"\)$/) });
      const copies = places.slice(2, -1);
      expect(copies.length).toBeGreaterThan(2);
      for (const { what } of copies) expect(what).toMatch(/^it is copied to /);
      expect(places.at(-1)?.what).toMatch(/^the kernel loads the program/);
      const ticks = places.map(({ tick }) => tick);
      expect(ticks).toEqual([...ticks].sort((a, b) => b - a));
    } finally {
      await queries.close();
      timeline.close();
      trace.close();
    }
  });

  it('replays to the same digest on Node 26', { timeout: 600_000 }, async () => {
    const { result, path } = await recorded();
    const node26 = requireNode26();
    const jsonPath = join(folder, `${boot.kernel}.json`);
    const program = ['--import', import.meta.resolve('tsx'), fromHere('../../replay/cli/main.ts')];
    await promisify(execFile)(node26, [...program, 'replay', path, '--json', jsonPath]);
    const { reason, ticks, digest } = JSON.parse(readFileSync(jsonPath, 'utf8')) as Record<string, unknown>;
    expect({ reason, ticks, digest }).toEqual({
      reason: 'powerOff',
      ticks: result.tick,
      digest: result.digest.toString(16).padStart(16, '0'),
    });
  });
});
