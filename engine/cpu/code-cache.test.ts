/**
 * Self-modifying code (Intel SDM volume 3, section 11.6; a processor that snoops, as the Pentium and its successors do for
 * code at the same linear address): what was decoded is never executed once its bytes have changed. Every guest tells
 * by the value it writes to port F4 which bytes it has executed.
 */
import { describe, expect, it } from 'vitest';
import {
  type Assembler,
  al,
  assemble,
  byte,
  cl,
  cr0,
  cr3,
  cr4,
  cx,
  dl,
  dword,
  eax,
  ebx,
  ecx,
  edi,
  esp,
  far,
  fword,
  offset,
  word,
} from '../../properties/assembler/index.js';
import { createMachine, type Machine } from '../machine.js';

const CODE = 0x8000;
const STACK = 0x8000;
/** MOV ESP, imm32, with which every 32-bit guest begins. */
const STACK_SETUP_BYTES = 5;
const EXIT_PORT = 0xf4;
const TIERS = ['auto', 'step'] as const;
type Tier = (typeof TIERS)[number];

function machineWith(tier: Tier, program: (a: Assembler) => void, bits: 16 | 32 = 32): Machine {
  const { bytes } = assemble({ bits, origin: bits === 32 ? CODE : 0x7c00 }, (a) => {
    if (bits === 32) a.mov(esp, STACK);
    program(a);
  });
  const address = bits === 32 ? CODE : 0x7c00;
  return createMachine({
    boot: { kind: 'raw', image: bytes, address, entry: address, mode: bits === 32 ? 'protected' : 'real' },
    memoryBytes: 1 << 20,
    tier,
  });
}

const exitValue = (machine: Machine): unknown => machine.run({ tick: machine.tick + 10_000 });
const exited = (value: number): unknown => ({ kind: 'debugExit', value });

describe.each(TIERS)('%s: changed code', (tier) => {
  it('is executed by the very next instruction', () => {
    const machine = machineWith(tier, (a) => {
      a.mov(byte(offset('load', 1)), 5);
      a.label('load');
      a.mov(al, 1);
      a.out(EXIT_PORT, al);
    });
    expect(exitValue(machine)).toEqual(exited(5));
  });

  it('is executed in the next round of a loop, each time it changes', () => {
    const machine = machineWith(tier, (a) => {
      a.mov(ecx, 10);
      a.xor(eax, eax);
      a.label('again');
      a.label('add');
      a.add(al, 1);
      a.inc(byte(offset('add', 1)));
      a.loop('again');
      a.out(EXIT_PORT, al);
    });
    expect(exitValue(machine)).toEqual(exited(55));
  });

  it('is executed when the written instruction was branched to before', () => {
    const machine = machineWith(tier, (a) => {
      a.mov(ecx, 3);
      a.xor(ebx, ebx);
      a.label('again');
      a.call('function');
      a.add(ebx, eax);
      a.add(byte(offset('function', 1)), 10);
      a.loop('again');
      a.mov(eax, ebx);
      a.out(EXIT_PORT, al);
      a.align(64);
      a.label('function');
      a.mov(eax, 1);
      a.ret();
    });
    expect(exitValue(machine)).toEqual(exited(1 + 11 + 21));
  });

  it('may have other instruction boundaries', () => {
    // First round B0 04 (MOV AL, 4), NOPs; second 04 B0 (ADD AL, B0).
    const machine = machineWith(tier, (a) => {
      a.mov(ecx, 2);
      a.label('again');
      a.label('place');
      a.mov(al, 4);
      a.nop();
      a.mov(word('place'), 0xb004);
      a.loop('again');
      a.out(EXIT_PORT, al);
    });
    expect(exitValue(machine)).toEqual(exited(0xb4));
  });

  it.each([1, 2, 3, 4])('may lie across a page boundary, %i bytes of it behind', (behind) => {
    const machine = machineWith(tier, (a) => {
      a.mov(ecx, 4);
      a.xor(ebx, ebx);
      a.jmp('across');
      a.reserve(0x1000 - 5 + behind - 17, 0x90);
      a.label('across');
      a.mov(eax, 0x0101_0101);
      a.add(ebx, eax);
      // The last byte, in the second page, and the first byte of the immediate.
      a.inc(byte(offset('across', 4)));
      a.add(byte(offset('across', 1)), 3);
      a.loop('across');
      a.mov(eax, ebx);
      a.shr(ebx, 24);
      a.add(al, cl);
      a.label('sum');
      a.add(eax, ebx);
      a.out(EXIT_PORT, al);
    });
    expect(exitValue(machine)).toEqual(exited(1 + 4 + 7 + 10 + (1 + 2 + 3 + 4)));
  });

  it('may be written through another linear address', () => {
    const directory = 0x18000;
    const table = 0x19000;
    const machine = machineWith(tier, (a) => {
      a.mov(dword(directory), 0x83);
      a.mov(dword(directory + 4), table + 3);
      a.mov(dword(table), CODE + 3);
      a.mov(eax, 0x10);
      a.mov(cr4, eax);
      a.mov(eax, directory);
      a.mov(cr3, eax);
      a.mov(eax, 0x8000_0011);
      a.mov(cr0, eax);
      a.mov(ecx, 2);
      a.label('again');
      a.label('load');
      a.mov(al, 1);
      a.mov(ebx, 'load');
      a.mov(byte(ebx, 0x40_0000 - CODE + 1), 9);
      a.loop('again');
      a.out(EXIT_PORT, al);
    });
    expect(exitValue(machine)).toEqual(exited(9));
  });

  it('may come from a new mapping of its page', () => {
    const directory = 0x18000;
    const table = 0x19000;
    const [first, second] = [0x1a000, 0x1b000];
    const machine = machineWith(tier, (a) => {
      a.mov(dword(directory), 0x83);
      a.mov(dword(directory + 4), table + 3);
      a.mov(dword(table), first + 3);
      // MOV DL, 1; RET and ADD DL, 2; RET
      a.mov(dword(first), 0xc301b2);
      a.mov(dword(second), 0xc302c280 | 0);
      a.mov(eax, 0x10);
      a.mov(cr4, eax);
      a.mov(eax, directory);
      a.mov(cr3, eax);
      a.mov(eax, 0x8000_0011);
      a.mov(cr0, eax);
      a.mov(ebx, 0x40_0000);
      a.mov(ecx, 3);
      a.label('again');
      a.call(ebx);
      a.mov(dword(table), second + 3);
      a.loop('again');
      a.mov(al, dl);
      a.out(EXIT_PORT, al);
    });
    expect(exitValue(machine)).toEqual(exited(1 + 2 + 2));
  });

  it('may be filled in by REP STOS, itself and all', () => {
    const machine = machineWith(tier, (a) => {
      a.mov(edi, 'stos');
      a.mov(ecx, 16);
      // INC EAX, from the second byte of REP STOSB on: the next iteration is not one.
      a.mov(eax, 0x40);
      a.label('stos');
      a.rep().stosb();
      a.reserve(14, 0x90);
      a.out(EXIT_PORT, al);
    });
    // The first iteration overwrites the prefix: INC EAX, STOSB, and then the NOPs.
    expect(exitValue(machine)).toEqual(exited(0x41));
  });

  it('may come from a bus master', () => {
    const machine = machineWith(tier, (a) => {
      a.label('load');
      a.mov(al, 1);
      a.out(EXIT_PORT, al);
      a.jmp('load');
    });
    expect(exitValue(machine)).toEqual(exited(1));
    const immediate = CODE + STACK_SETUP_BYTES + 1;
    machine.memory.writeBytes(immediate, Uint8Array.of(7));
    expect(exitValue(machine)).toEqual(exited(7));
    machine.memory.write8(immediate, 8);
    expect(exitValue(machine)).toEqual(exited(8));
  });

  it('is decoded by the size of its code segment', () => {
    const machine = machineWith(tier, (a) => {
      a.lgdt(fword('pointer'));
      a.mov(eax, 0x5555_5555);
      a.mov(ebx, 2);
      a.jmp(far(0x08, 'body'));
      // MOV AX, 1234; NOP; NOP in 32-bit code, MOV EAX, 90901234 in 16-bit code; then DEC (E)BX; JE.
      a.label('body');
      a.db(0x66, 0xb8, 0x34, 0x12, 0x90, 0x90);
      a.dec(ebx);
      a.je('end');
      a.mov(ecx, eax);
      a.jmp(far(0x10, 'body'));
      a.bits(16);
      a.label('end');
      a.shr(eax, 24);
      a.out(EXIT_PORT, al);
      a.align(8);
      a.label('pointer');
      a.dw(23);
      a.dd('table');
      a.label('table');
      a.dd(0, 0);
      // Flat code of 32 bits and of 16 bits.
      a.dd(0x0000_ffff, 0x00cf_9b00);
      a.dd(0x0000_ffff, 0x008f_9b00);
    });
    expect(exitValue(machine)).toEqual(exited(0x90));
    expect(machine.registers.get('ecx')).toBe(0x5555_1234);
  });

  it('works the same in real mode', () => {
    const machine = machineWith(
      tier,
      (a) => {
        a.mov(cx, 5);
        a.mov(al, 0);
        a.label('again');
        a.label('add');
        a.add(al, 1);
        a.inc(byte(offset('add', 1)));
        a.loop('again');
        a.out(EXIT_PORT, al);
      },
      16,
    );
    expect(exitValue(machine)).toEqual(exited(15));
  });
});
