/**
 * Paging (Intel SDM volume 3, chapter 4): demand paging through page faults, error codes, write protection in supervisor
 * mode, accessed and dirty bits, 4 MiB pages, then the same memory under PAE with a page that must not be executed.
 */
import { al, byte, cr0, cr2, cr3, cr4, dword, eax, ebx, ecx, edi, edx, esi, esp } from '../../../properties/index.js';
import { type CorpusGuest, multiboot, passed } from '../guest.js';
import { exit, exitSuccess, freeAddress, must, protectedGuest, say, setGate } from '../kit.js';

const directory = freeAddress;
const lowTable = freeAddress + 0x1000;
const demandTable = freeAddress + 0x2000;
const pointerTable = freeAddress + 0x3000;
/** Where the frames begin that the fault handler hands out. */
const framePool = 0x400000;
/** Linear address of the region that is filled by faults: directory entry 256. */
const demandAddress = 0x40000000;
const demandPages = 200;
/** A 4 MiB page that shows the frames again: directory entry 512. */
const aliasAddress = 0x80000000;
const paeDirectory = freeAddress + 0x4000;
const paeData = 0x00e00000;

const pageFault = 14;
const efer = 0xc0000080;
const returnInstruction = 0xc3;

const image = () =>
  protectedGuest({}, (a) => {
    setGate(a, pageFault, 'page.fault');
    // Identity map of the first 4 MiB in small pages, present and writable.
    a.mov(edi, directory);
    a.mov(ecx, 0x1000);
    a.xor(eax, eax);
    a.rep().stosd();
    a.mov(edi, lowTable);
    a.mov(eax, 3);
    a.mov(ecx, 1024);
    a.label('identity');
    a.stosd();
    a.add(eax, 0x1000);
    a.loop('identity');
    a.mov(dword(directory), lowTable + 3);
    a.mov(dword(directory + 4 * 256), demandTable + 3);
    // Present, writable, 4 MiB.
    a.mov(dword(directory + 4 * 512), framePool + 0x83);
    a.mov(eax, cr4);
    a.or(eax, 0x10);
    a.mov(cr4, eax);
    a.mov(eax, directory);
    a.mov(cr3, eax);
    a.mov(eax, cr0);
    a.or(eax, 0x80010000);
    a.mov(cr0, eax);

    // Each page faults once, in an order that jumps about.
    a.xor(ebx, ebx);
    a.mov(ecx, demandPages);
    a.label('touch');
    a.mov(eax, ebx);
    a.shl(eax, 12);
    a.mov(dword(demandAddress + 4, eax), ebx);
    a.add(ebx, 77);
    a.cmp(ebx, demandPages);
    a.jb('touch.next');
    a.sub(ebx, demandPages);
    a.label('touch.next');
    a.loop('touch');
    a.cmp(dword('faults'), demandPages);
    must(a, 'e', 'each page faults once');
    a.cmp(dword('error.codes'), 2);
    must(a, 'e', 'a write to a page that is not present has error code 2');
    say(a, 'demand paging\n');

    // Accessed and dirty after a write; the 4 MiB page shows the same memory.
    a.mov(eax, dword(demandTable + 4 * 5));
    a.and(eax, 0x60);
    a.cmp(eax, 0x60);
    must(a, 'e', 'the page is accessed and dirty');
    a.xor(edx, edx);
    a.xor(esi, esi);
    a.label('sum');
    a.mov(eax, dword(demandTable, esi, 4));
    a.and(eax, 0xfffff000);
    a.mov(eax, dword(aliasAddress - framePool + 4, eax));
    a.cmp(eax, esi);
    must(a, 'e', 'the large page shows what was written through small ones');
    a.add(edx, eax);
    a.inc(esi);
    a.cmp(esi, demandPages);
    a.jb('sum');
    a.cmp(edx, (demandPages * (demandPages - 1)) / 2);
    must(a, 'e', 'the sum over all pages is right');
    say(a, 'large page\n');

    // A read-only page: with CR0.WP the supervisor's write faults with code 3, and the handler makes it writable.
    a.mov(dword('error.codes'), 0);
    a.and(dword(demandTable + 4 * 9), ~2);
    a.invlpg(byte(demandAddress + 0x9000));
    a.mov(dword(demandAddress + 0x9008), 0x1234);
    a.cmp(dword('error.codes'), 3);
    must(a, 'e', 'a write to a read-only page has error code 3');
    a.cmp(dword(demandAddress + 0x9008), 0x1234);
    must(a, 'e', 'the write was done again');

    // Copies that cross pages, thousands of them, with the TLB flushed in between.
    a.mov(ecx, 1500);
    a.label('flush');
    a.mov(eax, cr3);
    a.mov(cr3, eax);
    a.push(ecx);
    a.mov(esi, demandAddress + 0xff0);
    a.mov(edi, demandAddress + 0x14ff4);
    a.mov(ecx, 64);
    a.rep().movsd();
    a.pop(ecx);
    a.loop('flush');
    a.mov(eax, dword(demandAddress + 0x15008));
    a.cmp(eax, dword(demandAddress + 0x1004));
    must(a, 'e', 'the copy across pages is right');
    say(a, 'write protection\n');

    // PAE: four directory pointers, 2 MiB pages, and one without execution.
    a.mov(eax, cr0);
    a.and(eax, 0x7fffffff);
    a.mov(cr0, eax);
    a.mov(edi, pointerTable);
    a.xor(eax, eax);
    a.mov(ecx, 0x800);
    a.rep().stosd();
    a.mov(dword(pointerTable), paeDirectory + 1);
    a.mov(edi, paeDirectory);
    a.mov(eax, 0x83);
    a.label('pae');
    a.mov(dword(edi), eax);
    a.mov(dword(edi, 4), 0);
    a.add(edi, 8);
    a.add(eax, 0x200000);
    a.cmp(eax, 0x1000083);
    a.jb('pae');
    a.mov(dword(paeDirectory + 8 * (paeData >>> 21) + 4), 0x80000000);
    a.mov(ecx, efer);
    a.rdmsr();
    a.or(eax, 0x800);
    a.wrmsr();
    a.mov(eax, cr4);
    a.or(eax, 0x20);
    a.mov(cr4, eax);
    a.mov(eax, pointerTable);
    a.mov(cr3, eax);
    a.mov(eax, cr0);
    a.or(eax, 0x80000000);
    a.mov(cr0, eax);
    a.mov(byte(paeData), returnInstruction);
    a.mov(dword('error.codes'), 0);
    a.mov(eax, paeData);
    a.call(eax);
    a.cmp(dword('error.codes'), 0x11);
    must(a, 'e', 'executing a page that must not be has error code 11h');
    say(a, 'no execute\n');
    exit(a, exitSuccess);

    a.label('page.fault');
    a.pushad();
    a.inc(dword('faults'));
    a.mov(eax, dword(esp, 32));
    a.or(dword('error.codes'), eax);
    a.mov(ebx, cr2);
    a.cmp(eax, 0x11);
    a.je('fault.execute');
    a.shr(ebx, 12);
    a.and(ebx, 0x3ff);
    a.test(al, 1);
    a.jnz('fault.protection');
    // Frames are handed out from the end of the pool downwards.
    a.sub(dword('next.frame'), 0x1000);
    a.mov(eax, dword('next.frame'));
    a.or(eax, 3);
    a.mov(dword(demandTable, ebx, 4), eax);
    a.jmp('fault.end');
    a.label('fault.protection');
    a.or(dword(demandTable, ebx, 4), 2);
    a.jmp('fault.end');
    a.label('fault.execute');
    a.mov(dword(paeDirectory + 8 * (paeData >>> 21) + 4), 0);
    a.label('fault.end');
    a.mov(eax, cr2);
    a.invlpg(byte(eax));
    a.popad();
    a.add(esp, 4);
    a.iret();

    a.align(4, 0);
    a.label('faults');
    a.dd(0);
    a.label('error.codes');
    a.dd(0);
    a.label('next.frame');
    a.dd(framePool + 0x400000);
  });

export const paging: CorpusGuest = {
  name: 'paging',
  title: 'demand paging, write protection, 4 MiB pages, PAE and no-execute',
  config: () => ({ boot: multiboot(image()) }),
  end: passed,
  serial: 'demand paging\nlarge page\nwrite protection\nno execute\n',
};
