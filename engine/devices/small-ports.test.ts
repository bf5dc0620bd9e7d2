import { describe, expect, it } from 'vitest';
import { installDebugPorts } from './debug-ports.js';
import { StateError } from './device.js';
import { Port92 } from './port92.js';
import { TestBench } from './test-bench.js';

describe('port 92h', () => {
  function build(): { bench: TestBench; port: Port92 } {
    const bench = new TestBench();
    const port: Port92 = new Port92({
      ports: bench,
      onA20Change: () => bench.record('a20', port.a20),
      onCpuReset: () => bench.record('reset', true),
    });
    return { bench, port };
  }

  it('opens and closes A20, telling changes only', () => {
    const { bench } = build();
    for (const value of [0x02, 0xfe, 0x00, 0x00]) bench.out(0x92, value);
    expect(bench.take('a20').map((event) => event.value)).toEqual([true, false]);
    expect(bench.in(0x92)).toBe(0);
  });

  it('resets the CPU when bit 0 rises, once', () => {
    const { bench } = build();
    for (const value of [0x01, 0x01, 0x00, 0x03]) bench.out(0x92, value);
    expect(bench.take('reset')).toHaveLength(2);
    expect(bench.in(0x92)).toBe(0x03);
  });

  it('restores what it saved, and nothing else', () => {
    const { bench, port } = build();
    bench.out(0x92, 0x03);
    const fresh = build();
    fresh.port.restore(port.save());
    expect(fresh.bench.in(0x92)).toBe(0x03);
    expect(fresh.bench.events).toEqual([]);
    expect(() => fresh.port.restore({ value: 4 })).toThrow(StateError);
    expect(() => fresh.port.restore({ value: 1, other: 1 })).toThrow(StateError);
    expect(() => fresh.port.restore({})).toThrow(StateError);
  });
});

describe('debug ports', () => {
  it('are a console that can be detected and an exit of any width', () => {
    const bench = new TestBench();
    installDebugPorts({
      ports: bench,
      onConsole: (byte) => bench.record('console', byte),
      onExit: (value) => bench.record('exit', value),
    });
    bench.out(0xe9, 0x41);
    bench.out(0xf4, 0x12345678, 4);
    bench.out(0xf5, 1);
    expect(bench.events.map((event) => [event.what, event.value])).toEqual([
      ['console', 0x41],
      ['exit', 0x12345678],
    ]);
    expect([bench.in(0xe9), bench.in(0xf4), bench.in(0xf4, 4)]).toEqual([0xe9, 0xff, 0xffffffff]);
  });
});
