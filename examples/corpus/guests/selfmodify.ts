/**
 * Self-modifying code (Intel SDM volume 3, section 12.6): an immediate that is rewritten in each round, the instruction
 * right behind the store that changes it, code that a string instruction writes over itself, a routine generated anew
 * across a page boundary, and the same page seen through two linear addresses.
 */
import { byte, cr0, cr3, dl, dword, eax, ebx, ecx, edi, edx, esi, offset } from '../../../properties/index.js';
import { type CorpusGuest, multiboot, passed } from '../guest.js';
import { exit, exitSuccess, freeAddress, must, protectedGuest, sayValue } from '../kit.js';

const rounds = 4000;
const directory = freeAddress;
const table = freeAddress + 0x1000;
/** The last bytes of a page: what is generated here goes on in the next one. */
const generated = 0x300ffa;
const aliasPage = 0x380000;

const image = () =>
  protectedGuest({}, (a) => {
    // An immediate in a loop: each round adds what the round before has written.
    a.xor(eax, eax);
    a.mov(ecx, rounds);
    a.label('immediate');
    a.encoded('Add_EAX_imm32', eax, 1);
    a.label('immediate.end');
    a.add(dword(offset('immediate', 1)), ecx);
    a.rol(dword(offset('immediate', 1)), 3);
    a.loop('immediate');
    sayValue(a, 'immediate ');

    // INC EAX becomes DEC EAX, and back, right before it is executed.
    a.xor(eax, eax);
    a.xor(ebx, ebx);
    a.mov(ecx, rounds);
    a.label('next');
    a.mov(edx, ecx);
    a.and(edx, 3);
    a.cmp(edx, 1);
    a.sbb(edx, edx);
    a.and(edx, 8);
    a.add(edx, 0x40);
    a.mov(byte('patched'), dl);
    a.label('patched');
    a.inc(eax);
    a.loop('next');
    sayValue(a, 'next instruction ');
    a.cmp(eax, rounds / 2);
    must(a, 'e', 'three of four rounds count up');

    // REP STOSB fills the code behind it with INC EBX in the middle of its block.
    a.mov(edi, 'filled');
    a.mov(ecx, 5);
    a.mov(eax, 0x43);
    a.rep().stosb();
    a.label('filled');
    for (let i = 0; i < 5; i++) a.nop();
    a.mov(eax, ebx);
    sayValue(a, 'filled ');
    a.cmp(ebx, 5);
    must(a, 'e', 'what was written is executed');

    // MOV EAX, n; ADD EAX, ESI; RET across a page boundary, 4000 times with another n.
    a.xor(ebx, ebx);
    a.mov(ecx, rounds);
    a.label('generate');
    a.mov(byte(generated), 0xb8);
    a.mov(dword(generated + 1), ecx);
    a.mov(dword(generated + 5), 0x00c3f001);
    a.mov(esi, ebx);
    a.mov(edx, generated);
    a.call(edx);
    a.rol(eax, 1);
    a.mov(ebx, eax);
    a.loop('generate');
    sayValue(a, 'generated ');

    // Paging on: the same code through another linear address, written through one and executed through the other.
    a.mov(edi, table);
    a.mov(eax, 3);
    a.mov(ecx, 1024);
    a.label('identity');
    a.stosd();
    a.add(eax, 0x1000);
    a.loop('identity');
    a.mov(dword(table + 4 * (aliasPage >>> 12)), (generated & ~0xfff) + 0x1003);
    a.mov(dword(directory), table + 3);
    a.mov(eax, directory);
    a.mov(cr3, eax);
    a.mov(eax, cr0);
    a.or(eax, 0x80000000);
    a.mov(cr0, eax);
    const code = (generated & ~0xfff) + 0x1800;
    a.xor(ebx, ebx);
    a.mov(ecx, rounds);
    a.label('alias');
    a.mov(byte(code), 0xb8);
    a.mov(dword(aliasPage + 0x801), ecx);
    a.mov(byte(code + 5), 0xc3);
    a.mov(edx, code);
    a.call(edx);
    a.add(ebx, eax);
    a.loop('alias');
    a.mov(eax, ebx);
    sayValue(a, 'alias ');
    a.cmp(eax, (rounds * (rounds + 1)) / 2);
    must(a, 'e', 'code written through another address is executed');
    exit(a, exitSuccess);
  });

export const selfmodify: CorpusGuest = {
  name: 'selfmodify',
  title: 'self-modifying code: immediates, the next instruction, across pages, through an alias',
  config: () => ({ boot: multiboot(image()) }),
  end: passed,
  serial: 'immediate d5a8ae6d\nnext instruction 000007d0\nfilled 00000005\ngenerated 00001e46\nalias 007a19d0\n',
};
