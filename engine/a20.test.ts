/**
 * The A20 gate (Intel 82371SB data sheet, section 2.5.5.3 "PORT 92"): while neither port 92h nor the keyboard controller
 * opens it, the second MiB is the first one, for data and for code, whatever has been translated before.
 */
import { expect, test } from 'vitest';
import { al, assemble, dword, eax, ebx, esi, esp } from '../properties/assembler/index.js';
import { createMachine } from './machine.js';

const CODE = 0x7c00;
const MIB = 1 << 20;
const DATA = 0x600;
const ROUTINE = 0x700;
const INC_ECX_RET = 0xc341;
const INC_EDX_RET = 0xc342;

test.each(['auto', 'step'] as const)('opened and closed with translations at hand, %s', (tier) => {
  const { bytes } = assemble({ bits: 32, origin: CODE }, (a) => {
    const gate = (value: number): void => {
      a.mov(al, value);
      a.out(0x92, al);
    };
    a.mov(esp, 0x7000);
    // The keyboard controller has opened it: from here on, port 92h alone does.
    gate(2);
    a.mov(al, 0xd1);
    a.out(0x64, al);
    a.mov(al, 0xdd);
    a.out(0x60, al);
    a.mov(esi, MIB + ROUTINE);
    a.mov(dword(DATA), 0x11);
    a.mov(dword(ROUTINE), INC_EDX_RET);
    a.mov(dword(MIB + DATA), 0x22);
    a.mov(dword(MIB + ROUTINE), INC_ECX_RET);
    a.call(esi);
    gate(0);
    a.mov(ebx, dword(MIB + DATA));
    a.call(esi);
    a.mov(dword(MIB + DATA), 0x33);
    gate(2);
    a.mov(eax, dword(MIB + DATA));
    a.call(esi);
    a.cli();
    a.hlt();
  });
  const boot = { kind: 'raw', image: bytes, address: CODE, entry: CODE, mode: 'protected' } as const;
  const machine = createMachine({ boot, memoryBytes: 2 * MIB, tier });
  expect(machine.run({})).toEqual({ kind: 'halted' });
  const { registers } = machine;
  const found = (['eax', 'ebx', 'ecx', 'edx'] as const).map((name) => registers.get(name));
  expect(found).toEqual([0x22, 0x11, 2, 1]);
  expect(machine.peekPhysical(DATA, 1)).toEqual(Uint8Array.of(0x33));
});
