/**
 * A ROM of 64 KiB that starts at the reset vector in real mode, as a BIOS does, with nothing prepared (Intel SDM volume 3,
 * section 9.1): it programs the interrupt controllers and the timer, serves interrupts through the vector table at 0,
 * tells ROM from RAM, calls its own INT, reaches the first megabyte's end through big real mode, and halts for good.
 */
import {
  type Assembler,
  al,
  assemble,
  ax,
  byte,
  cr0,
  cs,
  cx,
  ds,
  dword,
  dx,
  eax,
  ebx,
  es,
  far,
  fs,
  offset,
  ptr,
  si,
  sp,
  ss,
  word,
} from '../../../properties/index.js';
import type { CorpusGuest } from '../guest.js';
import { endInterrupt, setUpPics, startTimer, write8 } from '../kit.js';

const romBytes = 0x10000;
const romSegment = 0xf000;
const timerVector = 0x20;
const printVector = 0x40;
const rounds = 40;

/** Points a vector of the table at 0 at a label of the ROM. Expects DS to be 0. */
function setVector(a: Assembler, vector: number, handler: string): void {
  a.mov(word(4 * vector), handler);
  a.mov(word(4 * vector + 2), romSegment);
}

/** The text stands in the code; the interrupt handler prints it. */
function print(a: Assembler, text: string): void {
  const start = a.fresh('text');
  const end = a.fresh('behind');
  a.mov(si, start);
  a.int(printVector);
  a.jmp(end);
  a.label(start);
  a.asciz(text);
  a.label(end);
}

const image = () =>
  assemble({ bits: 16, origin: 0 }, (a) => {
    a.label('start');
    a.cli();
    a.xor(ax, ax);
    a.mov(ds, ax);
    a.mov(ss, ax);
    a.mov(sp, 0x7c00);
    write8(a, 0x3fb, 0x03);
    setVector(a, timerVector, 'timer');
    setVector(a, printVector, 'print');
    a.mov(word(0x500), 0);

    print(a, 'rom\n');
    // The ROM does not change, RAM does.
    a.mov(ax, cs);
    a.mov(es, ax);
    a.mov(al, byte('start').seg(es));
    a.not(byte('start').seg(es));
    a.cmp(al, byte('start').seg(es));
    a.jne('bad');
    a.mov(ax, 0x3000);
    a.mov(es, ax);
    a.mov(word(0).seg(es), 0x1234);
    a.cmp(word(0).seg(es), 0x1234);
    a.jne('bad');
    print(a, 'memory\n');

    setUpPics(a, 0xfe, 0xff);
    startTimer(a, 10_000);
    a.sti();
    a.label('wait');
    a.mov(cx, 3000);
    a.label('work');
    a.loop('work');
    a.hlt();
    a.cmp(word(0x500), rounds);
    a.jb('wait');
    a.cli();
    print(a, 'interrupts\n');

    // Big real mode: a limit of 4 GiB in FS survives the way back.
    a.lgdt(ptr('gdtr').seg(cs));
    a.mov(eax, cr0);
    a.or(al, 1);
    a.mov(cr0, eax);
    a.mov(ax, 8);
    a.mov(fs, ax);
    a.mov(eax, cr0);
    a.and(al, 0xfe);
    a.mov(cr0, eax);
    a.mov(ebx, 0x345678);
    a.mov(dword(ebx).seg(fs), 0x5aa5c33c);
    a.mov(eax, dword(ebx).seg(fs));
    a.cmp(eax, 0x5aa5c33c);
    a.jne('bad');
    print(a, 'big real mode\n');
    a.label('end');
    a.hlt();
    a.jmp('end');
    a.label('bad');
    print(a, 'FAILED\n');
    a.jmp('end');

    // INT 40h: prints the text at CS:SI.
    a.label('print');
    a.segment(cs).lodsb();
    a.test(al, al);
    a.jz('print.end');
    a.mov(dx, 0x3f8);
    a.out(dx, al);
    a.jmp('print');
    a.label('print.end');
    a.iret();

    a.label('timer');
    a.push(ax);
    a.inc(word(0x500));
    endInterrupt(a, 0);
    a.pop(ax);
    a.iret();

    a.align(8, 0);
    a.label('gdt');
    a.dq(0, 0x008f92000000ffffn);
    a.label('gdtr');
    a.dw(15);
    a.dd(offset('gdt', romSegment << 4));

    a.padTo(0xfff0, 0xff);
    a.jmp(far(romSegment, 'start'));
    a.padTo(romBytes, 0xff);
  });

export const rom: CorpusGuest = {
  name: 'rom',
  title: 'a ROM from the reset vector: real mode, its interrupts, big real mode, halt',
  config: () => ({ boot: { kind: 'bios', rom: image().bytes } }),
  end: { kind: 'halted' },
  serial: 'rom\nmemory\ninterrupts\nbig real mode\n',
};
