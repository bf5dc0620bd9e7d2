/** FERR# as IRQ 13, port F0 as IGNNE# (Intel SDM volume 1, appendix D), for a guest with CR0.NE clear, in both tiers. */
import { expect, test } from 'vitest';
import { al, assemble, ax, byte, ds, offset, sp, ss, st0, st1, word } from '../properties/assembler/index.js';
import { createMachine, type Machine } from './machine.js';

const ORIGIN = 0x7c00;
const VECTOR = 0x75;
const CONTROL_WORD = 0x600;
const HANDLED = 0x604;
const STACK = 0x7000;
const UNMASK_ZERO_DIVIDE = 0x37b;

/** 1/0 with the zero divide unmasked, then an instruction that waits. */
function guest(
  tier: 'auto' | 'step',
  { clears, interrupts }: { clears: boolean; interrupts: boolean },
): { machine: Machine; vectors: number[]; labels: ReadonlyMap<string, number> } {
  const { bytes, labels } = assemble({ bits: 16, origin: ORIGIN }, (a) => {
    a.xor(ax, ax);
    a.mov(ds, ax);
    a.mov(ss, ax);
    a.mov(sp, STACK);
    a.mov(word(VECTOR * 4), offset('handler'));
    a.mov(word(VECTOR * 4 + 2), 0);
    a.mov(word(CONTROL_WORD), UNMASK_ZERO_DIVIDE);
    // Only the cascade: no timer.
    a.mov(al, 0xfb);
    a.out(0x21, al);
    a.fninit();
    a.fldcw(word(CONTROL_WORD));
    a.fld1();
    a.fldz();
    if (interrupts) a.sti();
    a.nop();
    a.fdivp(st1, st0);
    a.label('after');
    a.nop();
    a.label('waits');
    a.wait();
    a.cli();
    a.hlt();
    a.label('handler');
    a.inc(byte(HANDLED));
    a.out(0xf0, al);
    if (clears) a.fnclex();
    a.mov(al, 0x20);
    a.out(0xa0, al);
    a.out(0x20, al);
    a.iret();
  });
  const machine = createMachine({
    boot: { kind: 'raw', image: bytes, address: ORIGIN, entry: ORIGIN, mode: 'real' },
    memoryBytes: 1 << 20,
    tier,
  });
  const vectors: number[] = [];
  machine.onInterrupt = ({ vector }) => vectors.push(vector);
  return { machine, vectors, labels };
}

for (const clears of [true, false]) {
  test(`an unmasked exception is IRQ 13 right after its instruction; the handler ${clears ? 'clears it' : 'has it ignored'}`, () => {
    const digests = (['auto', 'step'] as const).map((tier) => {
      const { machine, vectors, labels } = guest(tier, { clears, interrupts: true });
      expect(machine.run({ tick: 10_000 })).toEqual({ kind: 'halted' });
      expect(vectors).toEqual([VECTOR]);
      expect(machine.memory.read8(HANDLED)).toBe(1);
      expect(machine.memory.read16(STACK - 6)).toBe(labels.get('after'));
      return machine.digest();
    });
    expect(digests[0]).toBe(digests[1]);
  });
}

test('without interrupts the next waiting instruction waits', () => {
  const digests = (['auto', 'step'] as const).map((tier) => {
    const { machine, vectors, labels } = guest(tier, { clears: true, interrupts: false });
    expect(machine.run({ tick: 10_000 })).toEqual({ kind: 'limit' });
    expect([vectors, machine.registers.get('eip')]).toEqual([[], labels.get('waits')]);
    return machine.digest();
  });
  expect(digests[0]).toBe(digests[1]);
});
