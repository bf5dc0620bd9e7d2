/**
 * The two interrupt controllers (8259A data sheet): a more important interrupt nests in a less important one and not the
 * other way round, the slave behind line 2, masks, the in-service and request registers, a specific end of interrupt,
 * rotation, the poll command. The requests come from the timer, the clock and the serial port.
 */
import { al, byte, dword, eax, ebx, offset } from '../../../properties/index.js';
import { type CorpusGuest, multiboot, passed } from '../guest.js';
import {
  endInterrupt,
  exit,
  exitSuccess,
  in8,
  masterVector,
  must,
  protectedGuest,
  say,
  sayValue,
  setGate,
  setUpPics,
  slaveVector,
  startTimer,
  write8,
} from '../kit.js';

const serial = 0x3f8;
const timerLine = 0;
const serialLine = 4;
const clockLine = 8;
const serialRequests = 20;

const image = () =>
  protectedGuest({}, (a) => {
    setGate(a, masterVector + timerLine, 'timer');
    setGate(a, masterVector + serialLine, 'serial');
    setGate(a, slaveVector, 'clock');
    setUpPics(a, 0xff, 0xff);

    // Serial (4) is in service; the timer (0) nests in it; another serial request has to wait.
    write8(a, serial + 4, 0x0b);
    startTimer(a, 20_000);
    write8(a, 0x21, 0xff & ~(1 << timerLine) & ~(1 << serialLine) & ~4);
    a.call('kick.serial');
    a.sti();
    a.label('nesting');
    a.cmp(dword('serials'), serialRequests);
    a.jb('nesting');
    a.cli();
    a.cmp(dword('nested'), 0);
    must(a, 'a', 'the timer nests in the serial interrupt');
    a.cmp(dword('wrong'), 0);
    must(a, 'e', 'the serial interrupt does not nest in the timer');
    say(a, 'nesting\n');

    // Masked requests stay in the request register.
    write8(a, 0x21, 0xff);
    write8(a, 0x20, 0x0a);
    a.label('request');
    a.in(al, 0x20);
    a.test(al, 1 << timerLine);
    a.jz('request');
    say(a, 'masked\n');

    // The clock comes through line 2.
    write8(a, 0x70, 0x0a);
    write8(a, 0x71, 0x26);
    write8(a, 0x70, 0x0b);
    write8(a, 0x71, 0x42);
    write8(a, 0x70, 0x0c);
    a.in(al, 0x71);
    write8(a, 0x21, 0xff & ~4);
    write8(a, 0xa1, 0xff & ~1);
    a.sti();
    a.label('cascade');
    a.hlt();
    a.cmp(dword('clocks'), 5);
    a.jb('cascade');
    a.cli();
    a.mov(eax, dword('in.service'));
    sayValue(a, 'in service ');

    // Poll: the controller acknowledges without the processor.
    write8(a, 0xa1, 0xff);
    write8(a, 0x21, 0xff & ~(1 << timerLine));
    a.label('poll');
    write8(a, 0x20, 0x0c);
    a.in(al, 0x20);
    a.test(al, 0x80);
    a.jz('poll');
    a.movzx(eax, al);
    sayValue(a, 'poll ');
    write8(a, 0x20, 0x0b);
    a.in(al, 0x20);
    a.movzx(eax, al);
    sayValue(a, 'polled in service ');
    write8(a, 0x20, 0x60 | timerLine);
    a.in(al, 0x20);
    a.movzx(eax, al);
    sayValue(a, 'after its end ');

    // Rotation: with 2 the lowest, the serial line (4) comes before the timer (0), which cannot nest in it any more.
    a.mov(dword('nested'), 0);
    a.mov(dword('serials'), 0);
    write8(a, 0x20, 0xc0 | 2);
    write8(a, 0x21, 0xff & ~(1 << timerLine) & ~(1 << serialLine));
    a.call('kick.serial');
    a.sti();
    a.label('rotated');
    a.cmp(dword('serials'), serialRequests);
    a.jb('rotated');
    a.cli();
    a.cmp(dword('nested'), 0);
    must(a, 'e', 'after a rotation the timer does not nest in the serial interrupt');
    say(a, 'rotation\n');
    exit(a, exitSuccess);

    // "Transmitter empty" becomes pending when it is enabled.
    a.label('kick.serial');
    write8(a, serial + 1, 0);
    write8(a, serial + 1, 2);
    a.ret();

    a.label('timer');
    a.push(eax);
    a.cmp(dword('depth'), 0);
    a.je('timer.alone');
    a.inc(dword('nested'));
    a.label('timer.alone');
    a.inc(dword('in.timer'));
    // Interrupts on: nothing less important may come.
    a.sti();
    a.mov(eax, 200);
    a.label('timer.work');
    a.dec(eax);
    a.jnz('timer.work');
    a.cli();
    a.dec(dword('in.timer'));
    endInterrupt(a, timerLine);
    a.pop(eax);
    a.iret();

    a.label('serial');
    a.pushad();
    in8(a, serial + 2);
    a.inc(dword('serials'));
    a.cmp(dword('in.timer'), 0);
    a.je('serial.right');
    a.cmp(dword('depth'), 0);
    a.jne('serial.right');
    a.inc(dword('wrong'));
    a.label('serial.right');
    a.inc(dword('depth'));
    // The next request comes in the middle of this one, and would starve the main program if there were no last one.
    a.cmp(dword('serials'), serialRequests);
    a.jae('serial.last');
    a.call('kick.serial');
    a.label('serial.last');
    a.sti();
    a.mov(ebx, 30_000);
    a.label('serial.work');
    a.dec(ebx);
    a.jnz('serial.work');
    a.cli();
    a.dec(dword('depth'));
    endInterrupt(a, serialLine);
    a.popad();
    a.iret();

    a.label('clock');
    a.push(eax);
    a.inc(dword('clocks'));
    write8(a, 0x20, 0x0b);
    a.in(al, 0x20);
    a.mov(byte(offset('in.service', 1)), al);
    write8(a, 0xa0, 0x0b);
    a.in(al, 0xa0);
    a.mov(byte('in.service'), al);
    write8(a, 0x70, 0x0c);
    a.in(al, 0x71);
    endInterrupt(a, clockLine);
    a.pop(eax);
    a.iret();

    a.align(4, 0);
    for (const name of ['serials', 'clocks', 'nested', 'wrong', 'depth', 'in.timer', 'in.service']) {
      a.label(name);
      a.dd(0);
    }
  });

export const controllers: CorpusGuest = {
  name: 'controllers',
  title: 'both 8259A: nesting, masks, cascade, poll, rotation',
  config: () => ({ boot: multiboot(image()) }),
  end: passed,
  serial: 'nesting\nmasked\nin service 00000401\npoll 00000080\npolled in service 00000001\nafter its end 00000000\nrotation\n',
};
