/**
 * The real-time clock (MC146818A data sheet): the date at power-on, 128 periodic interrupts, the alarm of the next second,
 * the update-ended interrupt. Nearly all of its time passes in HLT.
 */
import { al, byte, dword, eax, ebx } from '../../../properties/index.js';
import { type CorpusGuest, multiboot, passed } from '../guest.js';
import { endInterrupt, exit, exitSuccess, must, protectedGuest, say, sayValue, setGate, setUpPics, slaveVector, write8 } from '../kit.js';

const address = 0x70;
const data = 0x71;
const registerA = 0x0a;
const registerB = 0x0b;
const registerC = 0x0c;
const periodic = 0x40;
const alarm = 0x20;
const updateEnded = 0x10;
const hours24 = 0x02;

const image = () =>
  protectedGuest({}, (a) => {
    setGate(a, slaveVector, 'clock');
    setUpPics(a, 0xff & ~0x04, 0xff & ~0x01);
    const cmos = (register: number, value: number): void => {
      write8(a, address, register);
      write8(a, data, value);
    };

    // 2024-01-01, a Monday (day 2 of the week), in BCD.
    a.xor(eax, eax);
    for (const register of [0x32, 0x09, 0x08, 0x07]) {
      a.shl(eax, 8);
      a.mov(ebx, eax);
      write8(a, address, register);
      a.xor(eax, eax);
      a.in(al, data);
      a.or(eax, ebx);
    }
    sayValue(a, 'date ');

    // 1024 Hz: rate 6 of the divider chain.
    cmos(registerA, 0x26);
    cmos(registerB, periodic | hours24);
    a.sti();
    a.label('periodic');
    a.hlt();
    a.cmp(dword('interrupts'), 128);
    a.jb('periodic');
    say(a, 'periodic\n');

    // The alarm rings in every second: all its fields are "don't care".
    a.cli();
    for (const register of [1, 3, 5]) cmos(register, 0xff);
    cmos(registerB, alarm | hours24);
    a.call('acknowledge');
    a.mov(dword('interrupts'), 0);
    a.sti();
    a.label('alarm');
    a.hlt();
    a.cmp(dword('interrupts'), 2);
    a.jb('alarm');
    a.test(byte('cause'), alarm);
    must(a, 'ne', 'the alarm says that it was the alarm');
    say(a, 'alarm\n');

    a.cli();
    cmos(registerB, updateEnded | hours24);
    a.call('acknowledge');
    a.mov(dword('interrupts'), 0);
    a.sti();
    a.label('update');
    a.hlt();
    a.cmp(dword('interrupts'), 1);
    a.jb('update');
    a.test(byte('cause'), updateEnded);
    must(a, 'ne', 'the update says that it was the update');
    write8(a, address, 0);
    a.xor(eax, eax);
    a.in(al, data);
    sayValue(a, 'second ');
    exit(a, exitSuccess);

    a.label('acknowledge');
    write8(a, address, registerC);
    a.in(al, data);
    a.ret();

    a.label('clock');
    a.push(eax);
    a.call('acknowledge');
    a.mov(byte('cause'), al);
    a.inc(dword('interrupts'));
    // Some work, so that the trace has something to execute.
    a.mov(eax, 500);
    a.label('work');
    a.dec(eax);
    a.jnz('work');
    endInterrupt(a, 8);
    a.pop(eax);
    a.iret();

    a.align(4, 0);
    a.label('interrupts');
    a.dd(0);
    a.label('cause');
    a.dd(0);
  });

export const clock: CorpusGuest = {
  name: 'clock',
  title: 'real-time clock: date, periodic interrupt, alarm, update-ended interrupt',
  config: () => ({ boot: multiboot(image()) }),
  end: passed,
  serial: 'date 20240101\nperiodic\nalarm\nsecond 00000003\n',
};
