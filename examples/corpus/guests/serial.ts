/**
 * A line server on the first serial port, receiver and transmitter by interrupt with FIFOs on (PC16550D data sheet). It
 * answers every line in capitals until a line is "quit".
 */
import { al, byte, dword, eax, ebx, ecx, edx, esi } from '../../../properties/index.js';
import { type CorpusGuest, multiboot, passed } from '../guest.js';
import { endInterrupt, exit, exitSuccess, in8, masterVector, out8, protectedGuest, say, setGate, setUpPics, write8 } from '../kit.js';

const port = 0x3f8;
const receive = 0x01;
const transmit = 0x02;
const mask = 0xff;

const image = () =>
  protectedGuest({}, (a) => {
    setGate(a, masterVector + 4, 'serial');
    setUpPics(a, 0xef, 0xff);
    write8(a, port + 3, 0x80);
    write8(a, port, 1);
    write8(a, port + 1, 0);
    write8(a, port + 3, 0x03);
    // FIFOs on and empty, an interrupt at 8 bytes or after a pause.
    write8(a, port + 2, 0x87);
    write8(a, port + 4, 0x0b);
    say(a, 'ready\n');
    write8(a, port + 1, receive);

    a.label('main');
    a.cli();
    a.mov(ebx, dword('received.tail'));
    a.cmp(ebx, dword('received.head'));
    a.jne('main.take');
    a.sti();
    a.hlt();
    a.jmp('main');
    a.label('main.take');
    a.sti();
    a.mov(al, byte('received', ebx));
    a.inc(ebx);
    a.and(ebx, mask);
    a.mov(dword('received.tail'), ebx);
    // The last four characters, to know "quit" when it ends.
    a.mov(ecx, dword('last'));
    a.shl(ecx, 8);
    a.cmp(al, 10);
    a.je('main.line');
    a.movzx(edx, al);
    a.or(ecx, edx);
    a.mov(dword('last'), ecx);
    a.cmp(al, 0x61);
    a.jb('main.answer');
    a.cmp(al, 0x7a);
    a.ja('main.answer');
    a.sub(al, 0x20);
    a.label('main.answer');
    a.call('send');
    a.jmp('main');
    a.label('main.line');
    a.call('send');
    a.cmp(dword('last'), 0x71756974);
    a.jne('main');
    // Everything has to leave first.
    a.label('main.drain');
    a.mov(eax, dword('sending.tail'));
    a.cmp(eax, dword('sending.head'));
    a.jne('main.drain');
    a.cli();
    write8(a, port + 1, 0);
    exit(a, exitSuccess);

    // Puts AL into the transmit ring and asks for an interrupt as soon as the transmitter is empty.
    a.label('send');
    a.mov(ebx, dword('sending.head'));
    a.mov(byte('sending', ebx), al);
    a.inc(ebx);
    a.and(ebx, mask);
    a.cli();
    a.mov(dword('sending.head'), ebx);
    write8(a, port + 1, receive | transmit);
    a.sti();
    a.ret();

    a.label('serial');
    a.pushad();
    a.label('serial.next');
    in8(a, port + 2);
    a.test(al, 1);
    a.jnz('serial.end');
    a.and(al, 0x0e);
    a.cmp(al, 0x02);
    a.je('serial.transmit');

    a.label('serial.receive');
    in8(a, port + 5);
    a.test(al, 1);
    a.jz('serial.next');
    in8(a, port);
    a.mov(ebx, dword('received.head'));
    a.mov(byte('received', ebx), al);
    a.inc(ebx);
    a.and(ebx, mask);
    a.mov(dword('received.head'), ebx);
    a.jmp('serial.receive');

    a.label('serial.transmit');
    a.mov(ecx, 16);
    a.label('serial.fill');
    a.mov(esi, dword('sending.tail'));
    a.cmp(esi, dword('sending.head'));
    a.je('serial.empty');
    a.mov(al, byte('sending', esi));
    out8(a, port);
    a.inc(esi);
    a.and(esi, mask);
    a.mov(dword('sending.tail'), esi);
    a.loop('serial.fill');
    a.jmp('serial.next');
    a.label('serial.empty');
    write8(a, port + 1, receive);
    a.jmp('serial.next');
    a.label('serial.end');
    endInterrupt(a, 4);
    a.popad();
    a.iret();

    a.align(4, 0);
    for (const name of ['received.head', 'received.tail', 'sending.head', 'sending.tail', 'last']) {
      a.label(name);
      a.dd(0);
    }
    a.label('received');
    a.reserve(mask + 1);
    a.label('sending');
    a.reserve(mask + 1);
  });

export const serial: CorpusGuest = {
  name: 'serial',
  title: 'a line server with FIFO interrupts in both directions, fed by a script',
  config: () => ({ boot: multiboot(image()) }),
  inputs: [
    // Waits on the line until the guest has set up its port.
    { at: 100, serial: 'early\n' },
    { after: 'EARLY\n', serial: 'the quick brown fox jumps over the lazy dog\nwhile it rains\n' },
    { after: 'RAINS\n', serial: `${'a long line '.repeat(100)}\n` },
    { after: 'LINE \n', serial: 'quit\n' },
  ],
  end: passed,
  serial: `ready\nEARLY\nTHE QUICK BROWN FOX JUMPS OVER THE LAZY DOG\nWHILE IT RAINS\n${'A LONG LINE '.repeat(100)}\nQUIT\n`,
};
