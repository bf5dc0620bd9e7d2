/**
 * String instructions with REP in both directions, interrupted by a fast timer: each interrupt finds ECX, ESI and EDI
 * consistent and the instruction goes on where it was (Intel SDM volume 2, "REP/REPE/REPZ/REPNE/REPNZ").
 */
import { al, byte, dword, eax, ecx, edi, edx, esi, esp } from '../../../properties/index.js';
import { type CorpusGuest, multiboot, passed } from '../guest.js';
import {
  endInterrupt,
  exit,
  exitSuccess,
  freeAddress,
  masterVector,
  must,
  protectedGuest,
  say,
  sayValue,
  setGate,
  setUpPics,
  startTimer,
} from '../kit.js';

const source = freeAddress;
const target = freeAddress + 0x20000;
const words = 0x4000;
const repeatPrefix = 0xf3;

const image = () =>
  protectedGuest({}, (a) => {
    setGate(a, masterVector, 'timer');
    setUpPics(a, 0xfe, 0xff);
    startTimer(a, 100_000);
    a.sti();

    // 64 KiB of a sequence, copied up, compared, copied down onto itself by one word, scanned.
    a.mov(edi, source);
    a.mov(ecx, words);
    a.mov(eax, 1);
    a.label('sequence');
    a.imul(eax, eax, 1664525);
    a.add(eax, 1013904223);
    a.stosd();
    a.loop('sequence');

    a.mov(esi, source);
    a.mov(edi, target);
    a.mov(ecx, words);
    a.rep().movsd();
    a.cmp(edi, target + 4 * words);
    must(a, 'e', 'EDI ends behind the copy');
    a.mov(esi, source);
    a.mov(edi, target);
    a.mov(ecx, 4 * words);
    a.repe().cmpsb();
    must(a, 'e', 'the copy is equal');
    say(a, 'copied\n');

    a.std();
    a.mov(esi, target + 4 * (words - 2));
    a.mov(edi, target + 4 * (words - 1));
    a.mov(ecx, words - 1);
    a.rep().movsd();
    a.cld();
    a.mov(esi, source);
    a.mov(edi, target + 4);
    a.mov(ecx, words - 1);
    a.repe().cmpsd();
    must(a, 'e', 'the copy onto itself has moved by a word');
    say(a, 'moved\n');

    a.mov(dword(target + 0xfff0), 0x7e57c0de);
    a.mov(edi, target);
    a.mov(eax, 0x7e57c0de);
    a.mov(ecx, words);
    a.repne().scasd();
    must(a, 'e', 'the word is found');
    a.mov(eax, edi);
    a.sub(eax, target);
    sayValue(a, 'found ');

    a.mov(edi, target);
    a.mov(al, 0x5a);
    a.mov(ecx, 4 * words);
    a.rep().stosb();
    a.mov(esi, target);
    a.mov(ecx, words);
    a.xor(edx, edx);
    a.label('sum');
    a.lodsd();
    a.add(edx, eax);
    a.loop('sum');
    a.mov(eax, edx);
    sayValue(a, 'sum ');

    // With a count of zero nothing happens, and the flags stay.
    a.cmp(eax, eax);
    a.repne().cmpsb();
    must(a, 'e', 'a REP of nothing leaves the flags alone');
    a.cli();
    a.cmp(dword('inside'), 0);
    must(a, 'a', 'interrupts came in the middle of string instructions');
    exit(a, exitSuccess);

    // Counts the interrupts whose return address is a REP that has already begun, as its registers show.
    a.label('timer');
    a.push(eax);
    a.mov(eax, dword(esp, 4));
    a.cmp(byte(eax), repeatPrefix);
    a.jne('timer.end');
    a.test(ecx, 3);
    a.jz('timer.end');
    a.inc(dword('inside'));
    a.label('timer.end');
    endInterrupt(a, 0);
    a.pop(eax);
    a.iret();

    a.align(4, 0);
    a.label('inside');
    a.dd(0);
  });

export const strings: CorpusGuest = {
  name: 'strings',
  title: 'REP string instructions in both directions, interrupted by the timer',
  config: () => ({ boot: multiboot(image()) }),
  end: passed,
  serial: 'copied\nmoved\nfound 0000fff4\nsum 96968000\n',
};
