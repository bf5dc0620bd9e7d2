/**
 * The DMA controllers' registers as a BIOS and a kernel use them.
 */
import { describe, expect, it } from 'vitest';
import { Dma8237 } from './dma8237.js';
import { TestBench } from './test-bench.js';

function build() {
  const bench = new TestBench();
  const dma = new Dma8237(bench);
  dma.reset();
  return { bench, dma };
}

/** First port, distance between registers. */
describe.each([
  [0x00, 1],
  [0xc0, 2],
])('controller at port %i', (first, spacing) => {
  const port = (register: number): number => first + register * spacing;

  it('takes addresses and counts low byte first', () => {
    const { bench } = build();
    bench.out(port(12), 0);
    for (let register = 0; register < 8; register++) {
      bench.out(port(register), 0x10 + register);
      bench.out(port(register), 0x20 + register);
    }
    for (let register = 0; register < 8; register++) {
      expect([bench.in(port(register)), bench.in(port(register))]).toEqual([0x10 + register, 0x20 + register]);
    }
    bench.in(port(0));
    bench.out(port(12), 0);
    expect(bench.in(port(0))).toBe(0x10);
  });

  it('masks channels one by one and together', () => {
    const { bench } = build();
    const mask = (): number => bench.in(port(15)) & 0x0f;
    expect(mask()).toBe(0x0f);
    bench.out(port(10), 2);
    expect(mask()).toBe(0x0b);
    bench.out(port(14), 0);
    expect(mask()).toBe(0x00);
    bench.out(port(10), 5);
    expect(mask()).toBe(0x02);
    bench.out(port(15), 0x06);
    expect(mask()).toBe(0x06);
    bench.out(port(13), 0);
    expect(mask()).toBe(0x0f);
  });

  it('shows software requests in the status until they are withdrawn or cleared', () => {
    const { bench } = build();
    bench.out(port(9), 5);
    bench.out(port(9), 6);
    expect(bench.in(port(8))).toBe(0x60);
    bench.out(port(9), 1);
    expect(bench.in(port(8))).toBe(0x40);
    bench.out(port(13), 0);
    expect(bench.in(port(8))).toBe(0x00);
  });
});

it('has page registers and latches at 80h-8Fh', () => {
  const { bench } = build();
  for (let port = 0x80; port < 0x90; port++) bench.out(port, port ^ 0x5a);
  for (let port = 0x80; port < 0x90; port++) expect(bench.in(port)).toBe(port ^ 0x5a);
});

it('keeps its two controllers apart and comes back with the state', () => {
  const { bench, dma } = build();
  bench.out(0x04, 0x34);
  bench.out(0xd4, 1);
  bench.out(0x0b, 0x46);
  bench.out(0x81, 0x12);
  const other = build();
  other.dma.restore(dma.save());
  expect(other.dma.save()).toEqual(dma.save());
  for (const { bench: each } of [{ bench }, other]) each.out(0x04, 0x12);
  expect([other.bench.in(0x04), other.bench.in(0x04)]).toEqual([0x34, 0x12]);
  expect([other.bench.in(0x0f) & 15, other.bench.in(0xde) & 15]).toEqual([0x0f, 0x0d]);
  expect(() => other.dma.restore({ controllers: [], pages: new Uint8Array(16) })).toThrow('controllers');
});
