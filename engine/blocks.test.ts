/** What decoded blocks must not get wrong: cases in which the step tier and the auto tier have differed. */
import { expect, test } from 'vitest';
import {
  al,
  assemble,
  ax,
  byte,
  cr0,
  cr3,
  ds,
  dword,
  eax,
  ebx,
  ecx,
  edi,
  edx,
  esp,
  far,
  offset,
  sp,
  ss,
  word,
} from '../properties/assembler/index.js';
import type { Tier } from './config.js';
import { createMachine, type Machine } from './machine.js';

const MIB = 1 << 20;
const INC_EAX = 0x40;
const INC_ECX = 0x41;

function machineOf(bytes: Uint8Array, address: number, mode: 'real' | 'protected', tier: Tier = 'auto', memoryBytes = MIB): Machine {
  return createMachine({ boot: { kind: 'raw', image: bytes, address, entry: address, mode }, memoryBytes, tier });
}

test('when there is no room for further blocks, nothing leads to the ones forgotten', () => {
  // Two passes over more instructions than the arena has records.
  const half = 530_000;
  const { bytes } = assemble({ bits: 32, origin: MIB }, (a) => {
    a.label('start');
    a.raw(new Uint8Array(half).fill(INC_EAX));
    a.raw(new Uint8Array(half).fill(INC_ECX));
    a.inc(ebx);
    a.cmp(ebx, 2);
    a.jb('start');
    a.cli();
    a.hlt();
  });
  const machine = machineOf(bytes, MIB, 'protected', 'auto', 4 * MIB);
  expect(machine.run({})).toEqual({ kind: 'halted' });
  expect([machine.registers.get('eax'), machine.registers.get('ecx')]).toEqual([2 * half, 2 * half]);
});

test('a block that fits one code segment goes beyond the end of another', () => {
  // The NOPs at 110F0-1110F are run with CS 1000, then with CS 0110, whose last byte is 110FF.
  const results = (['auto', 'step'] as const).map((tier) => {
    const { bytes } = assemble({ bits: 16, origin: 0 }, (a) => {
      a.xor(ax, ax);
      a.mov(ds, ax);
      a.mov(ss, ax);
      a.mov(sp, 0x7000);
      a.mov(word(13 * 4), offset('fault'));
      a.mov(word(13 * 4 + 2), 0x1000);
      a.jmp('sled');
      a.label('back');
      a.cmp(byte(0x600), 1);
      a.mov(byte(0x600), 1);
      a.jne('again');
      a.mov(byte(0x601), 1);
      a.label('again');
      a.jmp(far(0x110, 0xfff0));
      a.label('fault');
      a.mov(byte(0x602), 1);
      a.cli();
      a.hlt();
      a.padTo(0x10f0);
      a.label('sled');
      for (let i = 0; i < 32; i++) a.nop();
      a.jmp('back');
    });
    const machine = machineOf(bytes, 0x10000, 'real', tier);
    expect(machine.run({ tick: 1000 })).toEqual({ kind: 'halted' });
    expect([0x600, 0x601, 0x602].map((address) => machine.memory.read8(address))).toEqual([1, 0, 1]);
    return machine.digest();
  });
  expect(results[0]).toBe(results[1]);
});

test('an undefined instruction well within its page leaves the next page alone', () => {
  const results = (['auto', 'step'] as const).map((tier) => {
    const origin = 0x10000;
    const { bytes } = assemble({ bits: 32, origin }, (a) => {
      a.mov(esp, 0x20000);
      a.mov(edi, 0x5000);
      a.mov(eax, 3);
      a.mov(ecx, 256);
      a.label('entry');
      a.mov(dword(edi), eax);
      a.add(eax, 0x1000);
      a.add(edi, 4);
      a.dec(ecx);
      a.jne('entry');
      a.mov(dword(0x4000), 0x5003);
      a.mov(eax, 0x4000);
      a.mov(cr3, eax);
      a.mov(eax, cr0);
      a.or(eax, 0x8000_0000 | 0);
      a.mov(cr0, eax);
      a.ud2();
    });
    const machine = machineOf(bytes, origin, 'protected', tier);
    expect(machine.run({ tick: 10_000 })).toEqual({ kind: 'tripleFault' });
    // The accessed bits of the program's page and of the next one.
    expect([0x10, 0x11].map((page) => machine.memory.read8(0x5000 + page * 4) & 0x20)).toEqual([0x20, 0]);
    return machine.digest();
  });
  expect(results[0]).toBe(results[1]);
});

test('the last byte of memory can be read', () => {
  const { bytes } = assemble({ bits: 32, origin: 0x1000 }, (a) => {
    a.mov(byte(MIB - 1), 0x5a);
    a.mov(al, byte(MIB - 1));
    a.mov(edx, dword(MIB - 4));
    a.cli();
    a.hlt();
  });
  const machine = machineOf(bytes, 0x1000, 'protected');
  expect(machine.run({ tick: 100 })).toEqual({ kind: 'halted' });
  expect([machine.registers.get('eax') & 0xff, machine.registers.get('edx')]).toEqual([0x5a, 0x5a00_0000]);
});
