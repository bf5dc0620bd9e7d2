/**
 * The lines noted as written are those that watches tell of, no more and no less, in every tier; the pages noted as
 * executed are those in which single steps have found an instruction.
 */
import { describe, expect, test } from 'vitest';
import type { Machine } from '../machine.js';
import { MODES, observedGuests, runTo, slicesOf } from '../test-observed-guest.js';
import { WRITTEN_SET_LENGTH } from './written-lines.js';

/** Addresses of the lines. */
function takeLines(machine: Machine): number[] {
  const lines: number[] = [];
  for (let frame = 0; frame < machine.frameCount; frame++) {
    const set = new Uint32Array(WRITTEN_SET_LENGTH);
    machine.takeWrittenLines(frame, set);
    for (let line = 0; line < 64; line++) if (((set[line >>> 5] as number) >>> (line & 31)) & 1) lines.push(frame * 4096 + line * 64);
  }
  return lines;
}

describe.each(observedGuests([3, 4]))('$name', (guest) => {
  const watched = guest.machine('step');
  const lines = new Set<number>();
  watched.setWatches([{ address: 0, bytes: 1 << 20, reads: false, writes: true }]);
  watched.onAccess = ({ address, bytes }) => {
    for (let at = address; at < address + bytes; at++) lines.add(at - (at % 64));
  };
  runTo(watched, guest.ticks);
  const written = [...lines].sort((a, b) => a - b);
  const stepped = watched.takeExecutedPages();

  test.each(MODES)('$title', (mode) => {
    const machine = guest.machine(mode.tier);
    takeLines(machine);
    machine.takeExecutedPages();
    let interrupts = 0;
    machine.onInterrupt = () => interrupts++;
    runTo(machine, guest.ticks, slicesOf(mode));
    expect(takeLines(machine)).toEqual(written);
    expect(takeLines(machine)).toEqual([]);
    const pages = new Set(machine.takeExecutedPages());
    expect([...stepped].filter((page) => !pages.has(page))).toEqual([]);
    // Beyond these, where an interrupt or the end came before the first instruction of a page.
    if (!mode.sliced) expect(pages.size - stepped.length).toBeLessThanOrEqual(interrupts + 1);
    expect([...machine.takeExecutedPages()]).toEqual([]);
  });

  test('what is forgotten is not told of', () => {
    const machine = guest.machine('auto');
    runTo(machine, guest.ticks);
    for (let frame = 1; frame < machine.frameCount; frame++) machine.forgetWrittenLines(frame);
    expect(takeLines(machine)).toEqual(written.filter((address) => address < 4096));
  });
});
