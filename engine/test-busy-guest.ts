/**
 * A guest for tests that keeps every device busy: timers, clock, serial ports with FIFO interrupts, keyboard, mouse,
 * disk DMA, CD packets, VGA, ACPI. It sets them up, then goes through random port accesses for ever, while an interrupt
 * handler serves whatever fires.
 */
import type { MachineConfig } from './config.js';
import { TestRandom } from './test-random-guest.js';

const START = 0x10000;
const IDT = 0x8000;
const GDT = 0x9000;
const HANDLER = 0xa000;
const PRD_TABLE = 0xb000;
const BUFFER = 0x20000;
const BUS_MASTER = 0xc000;
const PM = 0xb000;

const le16 = (value: number): number[] => [value & 0xff, (value >>> 8) & 0xff];
const le32 = (value: number): number[] => [...le16(value), ...le16(value >>> 16)];
const port = (number: number): number[] => [0x66, 0xba, ...le16(number)];
const out8 = (to: number, ...values: number[]): number[] => [...port(to), ...values.flatMap((value) => [0xb0, value, 0xee])];
const out16 = (to: number, ...values: number[]): number[] => [
  ...port(to),
  ...values.flatMap((value) => [0x66, 0xb8, ...le16(value), 0x66, 0xef]),
];
const out32 = (to: number, value: number): number[] => [...port(to), 0xb8, ...le32(value), 0xef];
const in8 = (from: number): number[] => [...port(from), 0xec];
const in16 = (from: number): number[] => [...port(from), 0x66, 0xed];
const in32 = (from: number): number[] => [...port(from), 0xed];
/** A short wait, so that a drive gets on. */
const wait = (count: number): number[] => [0xb9, ...le32(count), 0x49, 0x75, 0xfd];

/** Everything that can hold up an interrupt is read, both controllers hear the end. */
const HANDLER_CODE = [
  0x60,
  ...[
    ...in8(0x60),
    ...out8(0x70, 0x0c),
    ...in8(0x71),
    ...in8(0x3fa),
    ...in8(0x3f8),
    ...in8(0x2fa),
    ...in8(0x2f8),
    ...in8(0x1f7),
    ...in8(0x177),
  ],
  ...[...out8(BUS_MASTER + 2, 4), ...out8(BUS_MASTER + 10, 4), ...in16(PM), 0x66, 0xef],
  ...[0xff, 0x05, ...le32(0x7000)],
  ...[...out8(0xa0, 0x20), ...out8(0x20, 0x20)],
  ...[0x61, 0xcf],
];

const SETUP = [
  ...[0x0f, 0x01, 0x15, ...le32(GDT + 0x100), 0x0f, 0x01, 0x1d, ...le32(GDT + 0x108), 0xbc, ...le32(0x1f000)],
  ...[...out8(0x20, 0x11), ...out8(0x21, 0x20, 4, 1, 0), ...out8(0xa0, 0x11), ...out8(0xa1, 0x28, 2, 1, 0)],
  // Counters 0 to 2: rate generator, refresh, square wave with the speaker's gate on.
  ...[
    ...out8(0x43, 0x34),
    ...out8(0x40, 77, 1),
    ...out8(0x43, 0x54),
    ...out8(0x41, 18),
    ...out8(0x43, 0xb6),
    ...out8(0x42, 33, 1),
    ...out8(0x61, 3),
  ],
  // Periodic, alarm and update interrupts.
  ...[...out8(0x70, 0x0a), ...out8(0x71, 0x26), ...out8(0x70, 0x0b), ...out8(0x71, 0x72)],
  // 115200 baud, FIFOs with a trigger level of four, all interrupts.
  ...[0x3f8, 0x2f8].flatMap((base) => [
    ...[
      ...out8(base + 3, 0x83),
      ...out8(base, 1),
      ...out8(base + 1, 0),
      ...out8(base + 3, 3),
      ...out8(base + 2, 0x47),
      ...out8(base + 4, 0x0b),
      ...out8(base + 1, 0x0f),
    ],
  ]),
  // Both ports of the keyboard controller with interrupts; the mouse reports.
  ...[...out8(0x64, 0x60), ...out8(0x60, 0x47), ...out8(0x64, 0xa8), ...out8(0x64, 0xd4), ...out8(0x60, 0xf4), ...wait(3000)],
  // ACPI: timer and power button interrupts.
  ...[...out16(PM + 2, 0x0101), ...out16(PM + 4, 1)],
];

const readDma = (lba: number, write: boolean): number[] => [
  ...[...out32(BUS_MASTER + 4, PRD_TABLE), ...out8(BUS_MASTER + 2, 6), ...out8(BUS_MASTER, write ? 0 : 8)],
  ...[
    ...out8(0x1f6, 0xe0),
    ...out8(0x1f2, 4),
    ...out8(0x1f3, lba),
    ...out8(0x1f4, 0),
    ...out8(0x1f5, 0),
    ...out8(0x1f7, write ? 0xca : 0xc8),
  ],
  ...out8(BUS_MASTER, write ? 1 : 9),
];
const readPacket = (lba: number): number[] => [
  ...[...out8(0x176, 0xa0), ...out8(0x171, 0), ...out8(0x174, 0), ...out8(0x175, 8), ...out8(0x177, 0xa0), ...wait(200)],
  ...out16(0x170, 0x28, 0, lba << 8, 0, 1, 0),
  ...[...wait(300), 0xbf, ...le32(BUFFER + 0x4000), 0xb9, ...le32(512), ...port(0x170), 0xf3, 0x66, 0x6d],
];

/** Ports that a random access leaves in a state worth saving, and that do not end the run. */
const PORTS = [
  0x20,
  0x21,
  0x40,
  0x41,
  0x42,
  0x43,
  0x60,
  0x61,
  0x70,
  0x71,
  0x81,
  0x87,
  0xc4,
  0x1f1,
  0x1f2,
  0x1f6,
  0x172,
  0x3d4,
  0x3d5,
  0x3c0,
  0x3c8,
  0x3c9,
  0x3da,
  0x3f9,
  0x3ff,
  0x3fc,
  0x2ff,
  0x2fb,
  0x4d0,
  PM + 8,
];

function activity(random: TestRandom): number[] {
  switch (random.below(12)) {
    case 0:
      return readDma(random.below(40), random.chance(40));
    case 1:
      return readPacket(random.below(20));
    case 2:
      return [...out8(0x3f8, random.below(256), random.below(256)), ...out8(0x2f8, random.below(256))];
    case 3:
      return [
        ...out8(0x3d4, random.below(0x19)),
        ...out8(0x3d5, random.below(256)),
        0x66,
        0xc7,
        0x05,
        ...le32(0xb8000 + random.below(0xfa0)),
        ...le16(random.next()),
      ];
    case 4:
      return [...out8(0x43, random.pick([0x00, 0x40, 0x80, 0xc2, 0xe8])), ...in8(0x40), ...in8(0x42)];
    case 5:
      return [...in32(PM + 8), 0xa3, ...le32(0x7010), 0x0f, 0x31, 0xa3, ...le32(0x7014)];
    case 6:
      return [...out8(0x64, random.pick([0x20, 0xa8, 0xa8, 0xd4, 0xd4])), ...out8(0x60, random.pick([0xf4, 0xf4, 0xe9, 0xeb, 0xf2, 0xf4]))];
    case 7:
      return [...out8(0x43, 0x34), ...out8(0x40, random.below(256), 1 + random.below(2))];
    case 8:
      return [...out8(0x70, random.below(14)), ...out8(0x71, random.below(60)), ...out8(0x70, 0x0b), ...out8(0x71, 0x72)];
    case 9:
      return [0xdb, 0xe3, 0xd9, 0xeb, 0xd9, 0xfe, 0xdd, 0x1d, ...le32(0x7020), 0x0f, 0x28, 0x05, ...le32(0x7020)];
    case 10:
      return wait(random.below(300));
    default:
      return random.chance(50) ? in8(random.pick(PORTS)) : out8(random.pick(PORTS.slice(2)), random.below(256));
  }
}

/** An image in which every sector differs. */
function drive(sectors: number, sectorBytes: number, seed: number): { sizeBytes: number; read(offset: number, into: Uint8Array): void } {
  return {
    sizeBytes: sectors * sectorBytes,
    read: (offset, into) => {
      for (let i = 0; i < into.length; i++) into[i] = ((offset + i) * seed) >>> 3;
    },
  };
}

export function busyMachineConfig(seed: number): MachineConfig {
  const random = new TestRandom(seed);
  const image = new Uint8Array(0x20000 - IDT);
  const put = (at: number, bytes: readonly number[]): void => image.set(bytes, at - IDT);
  for (let vector = 0; vector < 256; vector++) put(IDT + vector * 8, [...le16(HANDLER), 0x10, 0, 0, 0x8e, 0, 0]);
  put(GDT + 0x10, [0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0, 0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0]);
  put(GDT + 0x100, [...le16(0x1f), ...le32(GDT)]);
  put(GDT + 0x108, [...le16(0x7ff), ...le32(IDT)]);
  put(HANDLER, HANDLER_CODE);
  put(PRD_TABLE, [...le32(BUFFER), ...le32(1024), ...le32(BUFFER + 0x1400), ...le32((0x8000_0000 | 1024) >>> 0)]);
  const code = [...SETUP, ...[0xb8, ...le32(0x600), 0x0f, 0x22, 0xe0, 0x0f, 0x20, 0xc0, 0x83, 0xc8, 0x22, 0x0f, 0x22, 0xc0], 0xfb];
  const loop = code.length;
  for (let i = 0; i < 200; i++) code.push(...activity(random));
  code.push(0xf4, 0xe9, ...le32(loop - code.length - 6));
  put(START, code);
  return {
    boot: { kind: 'raw', image, address: IDT, entry: START, mode: 'protected' },
    memoryBytes: 1 << 20,
    nsPerTick: 400,
    disk: drive(64, 512, 2654435761),
    cdrom: drive(32, 2048, 40503),
  };
}
