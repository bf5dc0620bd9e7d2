import { describe, expect, it } from 'vitest';
import type { AccessSize, PortHandler } from './device.js';
import { PortBus, type UnclaimedPortAccess } from './port-bus.js';

class Recorder implements PortHandler {
  readonly accesses: unknown[] = [];
  constructor(
    readonly byteWide: boolean,
    private readonly answer: (port: number) => number,
  ) {}
  read(port: number, size: AccessSize): number {
    this.accesses.push(['read', port, size]);
    return this.answer(port);
  }
  write(port: number, size: AccessSize, value: number): void {
    this.accesses.push(['write', port, size, value]);
  }
}

function busWithLog(): { bus: PortBus; unclaimed: UnclaimedPortAccess[] } {
  const bus = new PortBus();
  const unclaimed: UnclaimedPortAccess[] = [];
  bus.onUnclaimed = (access) => unclaimed.push(access);
  return { bus, unclaimed };
}

describe('port bus', () => {
  it('reads ones from unclaimed ports, ignores writes and reports both', () => {
    const { bus, unclaimed } = busWithLog();
    expect([bus.read(0x10, 1), bus.read(0x10, 2), bus.read(0xffff, 4)]).toEqual([0xff, 0xffff, 0xffffffff]);
    bus.write(0x10, 2, 0x1234);
    expect(unclaimed).toEqual([
      { kind: 'port', port: 0x10, size: 1, write: false },
      { kind: 'port', port: 0x10, size: 2, write: false },
      { kind: 'port', port: 0xffff, size: 4, write: false },
      { kind: 'port', port: 0x10, size: 2, write: true, value: 0x1234 },
    ]);
  });

  it('passes wide accesses whole to a handler that takes them', () => {
    const bus = new PortBus();
    const wide = new Recorder(false, () => 0x89abcdef);
    bus.claim(0xcf8, 8, wide);
    expect(bus.read(0xcf8, 4)).toBe(0x89abcdef);
    bus.write(0xcfc, 2, 0xbeef);
    expect(wide.accesses).toEqual([
      ['read', 0xcf8, 4],
      ['write', 0xcfc, 2, 0xbeef],
    ]);
  });

  it('splits wide accesses to a byte-wide handler in ascending order', () => {
    const bus = new PortBus();
    const narrow = new Recorder(true, (port) => 0x80 | (port & 0xf));
    bus.claim(0x40, 4, narrow);
    expect(bus.read(0x40, 4)).toBe(0x83828180);
    bus.write(0x41, 2, 0xaa55);
    expect(narrow.accesses.slice(4)).toEqual([
      ['write', 0x41, 1, 0x55],
      ['write', 0x42, 1, 0xaa],
    ]);
  });

  it('splits an access that straddles handlers, and reports the bytes nobody has', () => {
    const { bus, unclaimed } = busWithLog();
    bus.claim(0x60, 1, new Recorder(true, () => 0x11));
    bus.claim(0x61, 1, new Recorder(false, () => 0x22));
    expect(bus.read(0x60, 4)).toBe(0xffff2211);
    expect(unclaimed.map((access) => access.port)).toEqual([0x62, 0x63]);
    bus.claim(0xffff, 1, new Recorder(false, () => 0x33));
    expect(bus.read(0xffff, 2)).toBe(0xff33);
  });

  it('refuses overlapping claims without changing anything, and takes released ports again', () => {
    const bus = new PortBus();
    const first = new Recorder(true, () => 1);
    bus.claim(0x100, 4, first);
    expect(() => bus.claim(0xfe, 3, new Recorder(true, () => 2))).toThrow(/0x100 is already claimed/);
    expect(bus.read(0xfe, 1)).toBe(0xff);
    bus.release(0x100, 2);
    expect(() => bus.release(0x101, 1)).toThrow(/not claimed/);
    bus.claim(0x100, 2, new Recorder(true, () => 3));
    expect([bus.read(0x101, 1), bus.read(0x102, 1)]).toEqual([3, 1]);
    expect(() => bus.claim(0xffff, 2, first)).toThrow(RangeError);
  });

  it('survives a base address that moves more often than there are handler numbers', () => {
    const bus = new PortBus();
    for (let round = 0; round < 70_000; round++) {
      bus.claim(0xc000, 4, new Recorder(true, () => round & 0xff));
      bus.release(0xc000, 4);
    }
    bus.claim(0xc000, 4, new Recorder(true, () => 0x77));
    expect(bus.read(0xc003, 1)).toBe(0x77);
  });
});
