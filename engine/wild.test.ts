/**
 * Guests of random bytes, in random processor states, with all devices poked at random: whatever they do, the engine
 * throws nothing, comes back in time with a documented reason, and the tiers agree.
 *
 * WILD_GUESTS=10000 runs that many; WILD_SEED=123 begins there.
 */
import { expect, test } from 'vitest';
import type { ExitReason, Tier } from './config.js';
import type { BlockImage, DeviceState } from './devices/device.js';
import { createMachine, type Machine, type MachineState } from './machine.js';
import { TestRandom } from './test-random-guest.js';

const GUESTS = Number(process.env.WILD_GUESTS ?? 300);
const FIRST_SEED = Number(process.env.WILD_SEED ?? 1);
const MEMORY_BYTES = 1 << 20;
const CODE = 0x7c00;
const TICKS = 2000;
/** Virtual time that a HLT may skip in one run. */
const SKIP_NS = 2_000_000;
const HOST_MS_LIMIT = 5000;

const REASONS: ReadonlySet<ExitReason['kind']> = new Set(['limit', 'idle', 'powerOff', 'halted', 'debugExit', 'tripleFault']);

/** First port and count of what the board has. */
const PORTS: readonly (readonly [number, number])[] = [
  [0x00, 0x10],
  [0x20, 2],
  [0x40, 4],
  [0x60, 5],
  [0x70, 2],
  [0x80, 0x13],
  [0xa0, 2],
  [0xc0, 0x20],
  [0xf0, 2],
  [0x170, 8],
  [0x1f0, 8],
  [0x376, 1],
  [0x3f6, 1],
  [0x2f8, 8],
  [0x3f8, 8],
  [0x3b0, 0x30],
  [0x4d0, 2],
  [0xcf8, 8],
  [0x600, 0x40],
  [0xb000, 0x40],
  [0xc000, 0x10],
];

function image(sectors: number, sectorBytes: number): BlockImage {
  return { sizeBytes: sectors * sectorBytes, read: (offset, into) => into.fill((offset >>> 9) & 0xff) };
}

function machineFor(mode: 'real' | 'protected', tier: Tier): Machine {
  return createMachine({
    boot: { kind: 'raw', image: Uint8Array.of(0xf4), address: CODE, entry: CODE, mode },
    memoryBytes: MEMORY_BYTES,
    nsPerTick: 50,
    tier,
    disk: image(64, 512),
    cdrom: image(32, 2048),
  });
}

const le32 = (value: number): number[] => [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];

/** A port access with 16- or 32-bit code. */
function poke(random: TestRandom, wide: boolean): number[] {
  const [first, count] = random.pick(PORTS);
  const port = first + random.below(count);
  const value = random.chance(50) ? random.below(256) : random.next();
  const access = random.pick([[0xee], [0xee], [0xef], [0x66, 0xef], [0xec], [0xed], [0x66, 0xed]]);
  return [0x66, 0xba, port & 0xff, port >>> 8, ...(wide ? [] : [0x66]), 0xb8, ...le32(value), ...access].slice(wide ? 0 : 1);
}

function memoryOf(random: TestRandom, wide: boolean): Uint8Array {
  const memory = new Uint8Array(MEMORY_BYTES);
  const words = new Uint32Array(memory.buffer);
  const tables = random.chance(60);
  // Random all over, or small numbers and table entries with the present bit often set.
  for (let i = 0; i < 0x4000; i++) words[i] = tables ? ((random.next() & 0x000f_ffe7) | 7) >>> 0 : random.next();
  for (let at = 0x4000; at < words.length; at += 0x4000) words.copyWithin(at, 0, 0x4000);
  for (let at = CODE, n = 0; n < 60; n++) {
    const bytes = random.chance(50) ? poke(random, wide) : Array.from({ length: 1 + random.below(6) }, () => random.below(256));
    memory.set(bytes, at);
    at += bytes.length;
  }
  return memory;
}

/** The power-on state with random memory, registers, flags, tables, control registers. */
function wildState(powerOn: MachineState, random: TestRandom, wide: boolean): MachineState {
  const cpu = powerOn.cpu as DeviceState;
  const cells = { ...(cpu.cells as DeviceState) };
  const edit = (name: string, change: (words: Uint32Array) => void): void => {
    const bytes = (cells[name] as Uint8Array).slice();
    change(new Uint32Array(bytes.buffer));
    cells[name] = bytes;
  };
  edit('registers', (words) => {
    for (let i = 0; i < 8; i++) words[i * 2] = random.chance(50) ? random.below(MEMORY_BYTES) : random.next();
  });
  edit('control', (words) => {
    const protectedMode = wide ? 1 : 0;
    const paging = wide && random.chance(50) ? 0x8000_0000 : 0;
    words[0] = (protectedMode | paging | 0x10 | (random.next() & 0x0005_002e)) >>> 0;
    words[6] = random.below(0x100) * 4096;
    words[8] = random.next() & 0x6bf;
  });
  edit('gdtrBase', (words) => {
    words[0] = random.below(MEMORY_BYTES);
  });
  edit('idtrBase', (words) => {
    words[0] = random.chance(50) ? 0 : random.below(MEMORY_BYTES);
  });
  edit('idtrLimit', (words) => {
    words[0] = random.below(0x10000);
  });
  edit('gdtrLimit', (words) => {
    words[0] = random.below(0x10000);
  });
  if (random.chance(10)) {
    edit('debug', (words) => {
      for (let i = 0; i < 4; i++) words[i * 2] = CODE + random.below(64);
      words[14] = (random.next() & ~0xd800) | 0x400;
    });
  }
  const eflags = ((random.next() & 0x0004_7fd5) | 2) >>> 0;
  const contents = memoryOf(random, wide);
  return {
    ...powerOn,
    cpu: { ...cpu, cells, eflags: random.chance(80) ? (eflags & ~0x100) >>> 0 : eflags },
    frames: Array.from({ length: MEMORY_BYTES / 4096 }, (_, frame) => frame),
    contents,
  };
}

function visit(machine: Machine, seed: number): string {
  const random = new TestRandom(seed ^ 0x77777777);
  const log: string[] = [];
  for (let part = 1; part <= 4; part++) {
    const reason = machine.run({ tick: (TICKS * part) / 4, ns: machine.nowNs + SKIP_NS });
    if (!REASONS.has(reason.kind)) throw new Error(`undocumented: ${JSON.stringify(reason)}`);
    log.push(reason.kind);
    const device = random.pick(['serial0', 'serial1', 'keyboard', 'mouse', 'power']);
    machine.input(device, payloadFor(device, random));
  }
  return `${log.join(' ')} ${machine.tick} ${machine.nowNs} ${machine.digest()}`;
}

function payloadFor(device: string, random: TestRandom): Uint8Array {
  if (device === 'power') return Uint8Array.of(random.chance(50) ? 0 : 1);
  if (device === 'mouse') return Uint8Array.of(random.below(256), random.below(2), random.below(256), 0, random.below(4), random.below(32));
  return Uint8Array.of(device === 'keyboard' ? 0x1e : random.below(256));
}

test(`${GUESTS} guests of random bytes`, { timeout: 3_600_000 }, () => {
  const benches = (['real', 'protected'] as const).map((mode) => {
    const auto = machineFor(mode, 'auto');
    return { auto, step: machineFor(mode, 'step'), powerOn: auto.save() };
  });
  const seen = new Set<string>();
  let slowest = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + GUESTS; seed++) {
    const random = new TestRandom(seed);
    const wide = random.chance(60);
    const bench = benches[wide ? 1 : 0];
    if (bench === undefined) throw new Error('no bench');
    const state = wildState(bench.powerOn, random, wide);
    const since = performance.now();
    const results = [bench.auto, bench.step].map((machine) => {
      try {
        machine.restore(state);
        return visit(machine, seed);
      } catch (error) {
        throw new Error(`WILD_SEED=${seed} WILD_GUESTS=1: the engine has thrown at tick ${machine.tick}`, { cause: error });
      }
    });
    slowest = Math.max(slowest, performance.now() - since);
    expect(results[0], `WILD_SEED=${seed} WILD_GUESTS=1: auto and step differ`).toBe(results[1]);
    for (const kind of (results[0] as string).split(' ').slice(0, 4)) seen.add(kind);
  }
  expect(slowest).toBeLessThan(HOST_MS_LIMIT);
  if (GUESTS >= 300) expect([...seen].sort()).toEqual(expect.arrayContaining(['halted', 'limit', 'tripleFault']));
});
