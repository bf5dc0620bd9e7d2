/**
 * The interval timer (8254 data sheet): interrupts that end HLT, interrupts into a busy loop, a one-shot, and a latched
 * count that goes down. The time stamp counter never goes back.
 */
import { al, dword, eax, ebx, ecx, edx } from '../../../properties/index.js';
import { type CorpusGuest, multiboot, passed } from '../guest.js';
import {
  endInterrupt,
  exit,
  exitSuccess,
  masterVector,
  must,
  protectedGuest,
  say,
  setGate,
  setUpPics,
  startTimer,
  write8,
} from '../kit.js';

const interruptsInHlt = 50;
const interruptsInLoop = 8;

const image = () =>
  protectedGuest({}, (a) => {
    setGate(a, masterVector, 'timer');
    setUpPics(a, 0xfe, 0xff);
    startTimer(a, 10_000);
    a.sti();

    say(a, 'halted until');
    a.label('sleep');
    a.hlt();
    a.cmp(dword('interrupts'), interruptsInHlt);
    a.jb('sleep');
    say(a, ' enough\n');

    say(a, 'busy until');
    a.xor(ecx, ecx);
    a.label('busy');
    a.inc(ecx);
    a.cmp(dword('interrupts'), interruptsInHlt + interruptsInLoop);
    a.jb('busy');
    say(a, ' enough\n');
    a.cmp(ecx, 1000);
    must(a, 'a', 'the busy loop ran between the interrupts');

    // Mode 0 interrupts once, at the end of the count.
    a.cli();
    write8(a, 0x43, 0x30);
    write8(a, 0x40, 0x00);
    write8(a, 0x40, 0x10);
    a.mov(dword('interrupts'), 0);
    a.sti();
    a.hlt();
    a.mov(ecx, 100_000);
    a.label('more');
    a.loop('more');
    a.cmp(dword('interrupts'), 1);
    must(a, 'e', 'a one-shot interrupts once');
    say(a, 'one-shot\n');

    // Two latched counts in mode 2.
    a.cli();
    write8(a, 0x43, 0x34);
    write8(a, 0x40, 0xff);
    write8(a, 0x40, 0xff);
    a.mov(ecx, 1000);
    a.label('settle');
    a.loop('settle');
    a.call('latch');
    a.mov(ebx, eax);
    a.mov(ecx, 20_000);
    a.label('count');
    a.loop('count');
    a.call('latch');
    a.cmp(eax, ebx);
    must(a, 'b', 'the latched count goes down');
    say(a, 'latched\n');

    a.rdtsc();
    a.mov(ebx, eax);
    a.mov(ecx, edx);
    a.rdtsc();
    a.sub(eax, ebx);
    a.sbb(edx, ecx);
    must(a, 'ae', 'the time stamp counter goes up');
    exit(a, exitSuccess);

    a.label('latch');
    write8(a, 0x43, 0x00);
    a.xor(eax, eax);
    a.in(al, 0x40);
    a.mov(edx, eax);
    a.in(al, 0x40);
    a.shl(eax, 8);
    a.or(eax, edx);
    a.ret();

    a.label('timer');
    a.push(eax);
    a.inc(dword('interrupts'));
    endInterrupt(a, 0);
    a.pop(eax);
    a.iret();

    a.align(4, 0);
    a.label('interrupts');
    a.dd(0);
  });

export const timer: CorpusGuest = {
  name: 'timer',
  title: 'timer interrupts in HLT and in a busy loop, one-shot, latched counts',
  config: () => ({ boot: multiboot(image()) }),
  end: passed,
  serial: 'halted until enough\nbusy until enough\none-shot\nlatched\n',
};
