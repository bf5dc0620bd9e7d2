/**
 * Exceptions (Intel SDM volume 3, chapter 6): each of the common ones taken many times, with its error code, then a double
 * fault through an interrupt gate, and in the end a triple fault.
 */
import { type Assembler, ax, ds, dword, eax, ebx, ecx, es, esi, esp, ptr, ss } from '../../../properties/index.js';
import { type CorpusGuest, multiboot } from '../guest.js';
import { extraSelector, idtAddress, must, protectedGuest, putDescriptor, say, sayValue, setGate, trapGate } from '../kit.js';

const rounds = 2000;
const notPresent = extraSelector;
const smallSegment = extraSelector + 8;

interface Fault {
  readonly name: string;
  readonly vector: number;
  readonly errorCode?: number;
  readonly instruction: (a: Assembler) => void;
}

const provoked: readonly Fault[] = [
  { name: 'divide', vector: 0, instruction: (a) => (a.xor(ebx, ebx), a.div(ebx)) },
  { name: 'bound', vector: 5, instruction: (a) => (a.mov(ebx, 7), a.bound(ebx, ptr('bounds'))) },
  { name: 'invalid', vector: 6, instruction: (a) => a.ud2() },
  { name: 'segment', vector: 11, errorCode: notPresent, instruction: (a) => (a.mov(eax, notPresent), a.mov(ds, ax)) },
  { name: 'stack', vector: 12, errorCode: notPresent, instruction: (a) => (a.mov(eax, notPresent), a.mov(ss, ax)) },
  { name: 'protection', vector: 13, errorCode: 0x7ffc, instruction: (a) => (a.mov(eax, 0x7ffc), a.mov(ds, ax)) },
  { name: 'limit', vector: 13, errorCode: 0, instruction: (a) => (a.mov(eax, smallSegment), a.mov(es, ax), a.mov(eax, dword(16).seg(es))) },
];

const image = () =>
  protectedGuest({ extraDescriptors: 2 }, (a) => {
    putDescriptor(a, { selector: notPresent, base: 0, limit: 0xfffff, access: 0x12, flags: 0xc });
    putDescriptor(a, { selector: smallSegment, base: 0, limit: 15, access: 0x92, flags: 0x4 });
    for (const { vector } of provoked) setGate(a, vector, `handle.${vector}`);
    setGate(a, 4, 'handle.overflow', trapGate);

    for (const { name, vector, errorCode, instruction } of provoked) {
      a.mov(dword('count'), 0);
      a.mov(ecx, rounds);
      a.label(`${name}.next`);
      a.mov(esi, `${name}.after`);
      instruction(a);
      a.call('failed');
      a.asciz(`${name} does not fault`);
      a.label(`${name}.after`);
      a.loop(`${name}.next`);
      a.cmp(dword('count'), rounds);
      must(a, 'e', `${name}: vector ${vector} each time`);
      a.mov(eax, dword('error'));
      if (errorCode !== undefined) {
        a.cmp(eax, errorCode);
        must(a, 'e', `${name}: error code`);
      }
      say(a, `${name}\n`);
    }

    // INTO is a trap: it comes back behind itself.
    a.mov(ecx, rounds);
    a.xor(ebx, ebx);
    a.label('overflow');
    a.mov(eax, 0x7fffffff);
    a.add(eax, 1);
    a.into();
    a.loop('overflow');
    a.mov(eax, ebx);
    sayValue(a, 'overflow ');

    // Division by zero without a gate for it.
    setGate(a, 8, 'double');
    a.mov(dword(idtAddress + 4), 0);
    a.xor(ebx, ebx);
    a.div(ebx);

    a.label('double');
    a.pop(eax);
    sayValue(a, 'double fault ');
    // And now without a gate for that either.
    a.mov(dword(idtAddress + 8 * 8 + 4), 0);
    a.div(ebx);
    a.call('failed');
    a.asciz('alive after a triple fault');

    for (const vector of new Set(provoked.map((fault) => fault.vector))) {
      a.label(`handle.${vector}`);
      if (provoked.some((fault) => fault.vector === vector && fault.errorCode !== undefined)) a.pop(dword('error'));
      a.inc(dword('count'));
      a.mov(dword(esp), esi);
      a.iret();
    }
    a.label('handle.overflow');
    a.inc(ebx);
    a.iret();

    a.align(4, 0);
    a.label('count');
    a.dd(0);
    a.label('error');
    a.dd(0);
    a.label('bounds');
    a.dd(1, 6);
  });

export const faults: CorpusGuest = {
  name: 'faults',
  title: 'exceptions with their error codes, a double fault, a triple fault',
  config: () => ({ boot: multiboot(image()) }),
  end: { kind: 'tripleFault' },
  serial: 'divide\nbound\ninvalid\nsegment\nstack\nprotection\nlimit\noverflow 000007d0\ndouble fault 00000000\n',
};
