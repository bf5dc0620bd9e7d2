/**
 * Keyboard and mouse behind the i8042 (IBM PS/2 Hardware Interface Technical Reference): both by interrupt, scan codes
 * translated to set 1, the mouse in stream mode. Prints every scan code and every mouse packet.
 */
import { al, byte, dword, eax, ebx } from '../../../properties/index.js';
import { type CorpusGuest, multiboot, passed } from '../guest.js';
import {
  endInterrupt,
  exit,
  exitSuccess,
  masterVector,
  must,
  protectedGuest,
  say,
  sayValue,
  setGate,
  setUpPics,
  slaveVector,
  write8,
} from '../kit.js';

const data = 0x60;
const command = 0x64;
const releaseOfEnter = 0x9c;

const image = () =>
  protectedGuest({}, (a) => {
    setGate(a, masterVector + 1, 'keyboard');
    setGate(a, slaveVector + 4, 'mouse');
    setUpPics(a, 0xff & ~0x06, 0xff & ~0x10);
    // Enable the mouse's line, turn on both interrupts and translation, tell the mouse to report.
    write8(a, command, 0xa8);
    a.call('wait.input');
    write8(a, command, 0x60);
    a.call('wait.input');
    write8(a, data, 0x47);
    a.call('wait.input');
    write8(a, command, 0xd4);
    a.call('wait.input');
    write8(a, data, 0xf4);
    a.sti();
    // The mouse acknowledges with FAh, by interrupt like everything else.
    a.label('acknowledge');
    a.hlt();
    a.cmp(dword('mouse.bytes'), 1);
    a.jb('acknowledge');
    a.cmp(byte('packet'), 0xfa);
    must(a, 'e', 'the mouse acknowledges');
    a.mov(dword('mouse.bytes'), 0);
    say(a, 'ready\n');

    a.label('keys');
    a.hlt();
    a.cmp(byte('last.key'), releaseOfEnter);
    a.jne('keys');
    say(a, 'mouse\n');

    // The first packet ends HLT, the second finds a busy processor.
    for (const packet of ['first', 'second']) {
      a.label(packet);
      if (packet === 'first') a.hlt();
      a.cmp(dword('mouse.bytes'), 3);
      a.jb(packet);
      a.mov(eax, dword('packet'));
      a.and(eax, 0xffffff);
      sayValue(a, 'packet ');
      a.mov(dword('mouse.bytes'), 0);
      say(a, packet);
      say(a, '\n');
    }
    exit(a, exitSuccess);

    a.label('wait.input');
    a.in(al, command);
    a.test(al, 2);
    a.jnz('wait.input');
    a.ret();

    a.label('keyboard');
    a.push(eax);
    a.xor(eax, eax);
    a.in(al, data);
    a.mov(byte('last.key'), al);
    sayValue(a, 'key ');
    endInterrupt(a, 1);
    a.pop(eax);
    a.iret();

    a.label('mouse');
    a.push(eax);
    a.push(ebx);
    a.in(al, data);
    a.mov(ebx, dword('mouse.bytes'));
    a.mov(byte('packet', ebx), al);
    a.inc(ebx);
    a.mov(dword('mouse.bytes'), ebx);
    endInterrupt(a, 12);
    a.pop(ebx);
    a.pop(eax);
    a.iret();

    a.align(4, 0);
    for (const name of ['mouse.bytes', 'last.key', 'packet']) {
      a.label(name);
      a.dd(0);
    }
  });

const keyLines = ['23', 'a3', '17', '97', '1c', '9c'].map((code) => `key 000000${code}\n`).join('');

export const input: CorpusGuest = {
  name: 'input',
  title: 'keyboard and mouse by interrupt, driven by a script',
  config: () => ({ boot: multiboot(image()) }),
  inputs: [
    { after: 'ready\n', keys: 'hi{Enter}' },
    { after: 'mouse\n', mouse: { dx: 5, dy: 3 } },
    { after: 'first\n', mouse: { dx: -2, dy: 0, buttons: 1 } },
  ],
  end: passed,
  serial: `ready\n${keyLines}mouse\npacket 00030508\nfirst\npacket 0000fe19\nsecond\n`,
};
