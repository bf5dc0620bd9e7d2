/**
 * A guest that keeps notes: `+TEXT` adds one at the end of a list, `-` drops the oldest, `?` shows them all. The notes lie in
 * blocks of a small heap, and each begins with the address of the next one.
 *
 * It has a bug, and crashes long after it has made its mistake. README.md explains it.
 */
import { type Assembled, type Assembler, al, byte, cr0, cr3, cr4, dword, eax, ebx, ecx, edi, edx, esi } from '../../properties/index.js';
import type { CorpusGuest } from '../corpus/guest.js';
import { multiboot } from '../corpus/guest.js';
import { exitFailure, freeAddress, in8, protectedGuest, say, write8 } from '../corpus/kit.js';

const serialPort = 0x3f8;
const lineStatusPort = 0x3fd;
const received = 1;
/** A processor of about 20 MHz. */
const nsPerTick = 50;
const lineBytes = 64;

/** A note: the address of the next one, how long its text is, the text. */
const nextField = 0;
const lengthField = 4;
const textField = 8;
const textBytes = 16;
const blockBytes = textField + textBytes;
const blocks = 16;

/** A page directory that maps the first 4 MiB only, as one page: what lies above is a page fault. */
const pageDirectory = freeAddress;
const largePage = 0x83;
const pageSizeExtension = 0x10;
const paging = 0x8000_0000;

export function buildGuest(): Assembled {
  return protectedGuest({}, (a) => {
    setUpPaging(a);
    setUp(a);
    commandLoop(a);
    addNote(a);
    dropNote(a);
    showNotes(a);
    heap(a);
    variables(a);
  });
}

function setUpPaging(a: Assembler): void {
  a.mov(edi, pageDirectory);
  a.xor(eax, eax);
  a.mov(ecx, 1024);
  a.rep().stosd();
  a.mov(dword(pageDirectory), largePage);
  a.mov(eax, cr4);
  a.or(eax, pageSizeExtension);
  a.mov(cr4, eax);
  a.mov(eax, pageDirectory);
  a.mov(cr3, eax);
  a.mov(eax, cr0);
  a.or(eax, paging);
  a.mov(cr0, eax);
}

/** All blocks are free: each knows the next one. And the serial port is fast. */
function setUp(a: Assembler): void {
  // 115200 baud, 8 data bits.
  write8(a, serialPort + 3, 0x83);
  write8(a, serialPort, 1);
  write8(a, serialPort + 1, 0);
  write8(a, serialPort + 3, 0x03);
  a.mov(ebx, 'blocks');
  a.mov(dword('free.list'), ebx);
  a.mov(ecx, blocks - 1);
  a.label('heap.link');
  a.mov(eax, ebx);
  a.add(ebx, blockBytes);
  a.mov(dword(eax), ebx);
  a.loop('heap.link');
  a.mov(dword(ebx), 0);
  say(a, 'notes: +TEXT adds, - drops the oldest, ? shows\n');
}

function commandLoop(a: Assembler): void {
  a.label('main');
  say(a, '> ');
  a.call('read.line');
  a.mov(al, byte('line'));
  a.cmp(al, '+'.charCodeAt(0));
  a.je('main.add');
  a.cmp(al, '-'.charCodeAt(0));
  a.je('main.drop');
  a.cmp(al, '?'.charCodeAt(0));
  a.je('main.show');
  say(a, 'what?\n');
  a.jmp('main');
  a.label('main.add');
  a.call('note.add');
  a.jmp('main');
  a.label('main.drop');
  a.call('note.drop');
  a.jmp('main');
  a.label('main.show');
  a.call('notes.show');
  a.jmp('main');

  // read.line: a line without its end to `line`, its length to ECX. What is too long is cut off.
  a.label('read.line');
  a.xor(ecx, ecx);
  a.label('read.wait');
  in8(a, lineStatusPort);
  a.test(al, received);
  a.jz('read.wait');
  in8(a, serialPort);
  a.cmp(al, 10);
  a.je('read.end');
  a.cmp(ecx, lineBytes);
  a.jae('read.wait');
  a.mov(byte('line', ecx), al);
  a.inc(ecx);
  a.jmp('read.wait');
  a.label('read.end');
  a.ret();
}

/** The line has ECX bytes, the first of which is the command. */
function addNote(a: Assembler): void {
  a.label('note.add');
  a.dec(ecx);
  // What is too long for a note is refused. But this is the size of the block, not of the text in it.
  a.cmp(ecx, blockBytes);
  a.ja('note.long');
  a.call('heap.take');
  a.test(ebx, ebx);
  a.jz('note.full');
  a.mov(dword(ebx, nextField), 0);
  a.mov(dword(ebx, lengthField), ecx);
  a.lea(edi, dword(ebx, textField));
  a.mov(esi, 'line');
  a.inc(esi);
  a.label('note.copy');
  a.rep().movsb();
  // Behind the newest note, or as the first.
  a.mov(eax, dword('newest'));
  a.mov(dword('newest'), ebx);
  a.test(eax, eax);
  a.jz('note.first');
  a.mov(dword(eax, nextField), ebx);
  a.ret();
  a.label('note.first');
  a.mov(dword('oldest'), ebx);
  a.ret();
  a.label('note.long');
  say(a, 'too long\n');
  a.ret();
  a.label('note.full');
  say(a, 'no room\n');
  a.ret();
}

function dropNote(a: Assembler): void {
  a.label('note.drop');
  a.mov(ebx, dword('oldest'));
  a.test(ebx, ebx);
  a.jz('note.none');
  a.mov(eax, dword(ebx, nextField));
  a.mov(dword('oldest'), eax);
  a.test(eax, eax);
  a.jnz('note.free');
  a.mov(dword('newest'), eax);
  a.label('note.free');
  a.call('heap.give');
  a.label('note.none');
  a.ret();
}

function showNotes(a: Assembler): void {
  a.label('notes.show');
  a.mov(ebx, dword('oldest'));
  a.label('notes.next');
  a.test(ebx, ebx);
  a.jz('notes.end');
  a.label('notes.read');
  a.mov(ecx, dword(ebx, lengthField));
  a.xor(edx, edx);
  say(a, '- ');
  a.label('notes.byte');
  a.cmp(edx, ecx);
  a.jae('notes.follow');
  a.mov(al, byte(ebx, edx, 1, textField));
  a.call('put');
  a.inc(edx);
  a.jmp('notes.byte');
  a.label('notes.follow');
  say(a, '\n');
  a.mov(ebx, dword(ebx, nextField));
  a.jmp('notes.next');
  a.label('notes.end');
  a.ret();
}

function heap(a: Assembler): void {
  // heap.take: a free block in EBX, 0 if there is none.
  a.label('heap.take');
  a.mov(ebx, dword('free.list'));
  a.test(ebx, ebx);
  a.jz('heap.none');
  a.mov(eax, dword(ebx));
  a.mov(dword('free.list'), eax);
  a.label('heap.none');
  a.ret();

  // heap.give: the block in EBX is free again, and the first to be taken.
  a.label('heap.give');
  a.mov(eax, dword('free.list'));
  a.mov(dword(ebx), eax);
  a.mov(dword('free.list'), ebx);
  a.ret();
}

function variables(a: Assembler): void {
  a.align(64, 0);
  for (const name of ['free.list', 'oldest', 'newest']) {
    a.label(name);
    a.dd(0);
  }
  a.label('line');
  a.reserve(lineBytes);
  a.align(64, 0);
  a.label('blocks');
  a.reserve(blockBytes * blocks);
}

const session = ['+milk', '+bread', '+eggs', '-', '+call the plumber now', '+tea', '+wash the car', '?'];

/** The guest with what is typed, and how it ends: with a page fault. */
export const notes: CorpusGuest = {
  name: 'notes',
  title: 'notes in a heap with an overflow',
  config: () => ({ boot: multiboot(buildGuest()), memoryBytes: 4 * 2 ** 20, nsPerTick }),
  inputs: session.map((line) => ({ after: '> ', serial: `${line}\n` })),
  end: { kind: 'debugExit', value: exitFailure },
  serial: [
    'notes: +TEXT adds, - drops the oldest, ? shows',
    `${'> '.repeat(session.length)}- bread`,
    'UNEXPECTED: vector, three words of the stack, CR2: 0000000e 00000000 00100222 00000008 776f6e24',
    '',
  ].join('\n'),
};
