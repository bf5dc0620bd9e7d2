/**
 * A hard disk on the first channel (ATA/ATAPI-6; Programming Interface for Bus Master IDE Controller 1.0): identification,
 * sectors read by PIO with interrupts, written and read back, then the same by bus-master DMA, found through the PCI
 * configuration space.
 */
import { type Assembler, al, byte, dword, dx, eax, ebx, ecx, edi, edx, esi } from '../../../properties/index.js';
import { blockImage, type CorpusGuest, multiboot, passed, patternBytes } from '../guest.js';
import {
  endInterrupt,
  exit,
  exitSuccess,
  freeAddress,
  in8,
  must,
  out8,
  protectedGuest,
  say,
  sayValue,
  setGate,
  setUpPics,
  slaveVector,
  write8,
} from '../kit.js';

const diskSectors = 2048;
const sectorWords = 256;
const command = 0x1f0;
const control = 0x3f6;
const buffer = freeAddress;
const second = freeAddress + 0x10000;
/** Physical region descriptors: address, byte count, end mark. */
const regions = freeAddress + 0x20000;
const sectorsAtOnce = 16;

const readSectors = 0x20;
const writeSectors = 0x30;
const readDma = 0xc8;
const writeDma = 0xca;
const flushCache = 0xe7;
const identify = 0xec;

/** Device 1, function 1 of bus 0, register 20h: where the bus master's ports are. */
const busMasterRegister = 0x80000920;
const commandRegister = 0x80000904;

/** Starts a command at a sector whose number is in EBX. Uses AL and DX. */
function start(a: Assembler, code: number, count: number): void {
  write8(a, command + 2, count);
  a.mov(eax, ebx);
  out8(a, command + 3);
  a.shr(eax, 8);
  out8(a, command + 4);
  a.shr(eax, 8);
  out8(a, command + 5);
  write8(a, command + 6, 0xe0);
  a.mov(dword('interrupts'), 0);
  write8(a, command + 7, code);
}

const image = () =>
  protectedGuest({}, (a) => {
    setGate(a, slaveVector + 6, 'disk');
    setUpPics(a, 0xff & ~4, 0xff & ~0x40);
    write8(a, control, 0);
    a.sti();

    // The drive may still be at its self test.
    a.label('self.test');
    in8(a, command + 7);
    a.test(al, 0x80);
    a.jnz('self.test');
    a.xor(ebx, ebx);
    start(a, identify, 0);
    a.call('wait');
    a.mov(edi, buffer);
    a.call('take.sector');
    a.mov(eax, dword(buffer + 120));
    sayValue(a, 'sectors ');

    // 40 sectors at 100 by PIO: an interrupt for each.
    a.mov(ebx, 100);
    start(a, readSectors, 40);
    a.mov(edi, buffer);
    a.mov(ecx, 40);
    a.label('read');
    a.push(ecx);
    a.call('wait');
    a.call('take.sector');
    a.pop(ecx);
    a.loop('read');
    a.mov(esi, buffer);
    a.mov(ecx, 40 * sectorWords);
    a.call('checksum');
    sayValue(a, 'read ');

    // Written upside down at 700, and read back.
    a.mov(esi, buffer);
    a.mov(ecx, (40 * sectorWords) / 2);
    a.label('invert');
    a.not(dword(esi));
    a.add(esi, 4);
    a.loop('invert');
    a.mov(ebx, 700);
    start(a, writeSectors, 40);
    a.call('wait.data');
    a.mov(esi, buffer);
    a.mov(ecx, 40);
    a.label('write');
    a.push(ecx);
    a.mov(dword('interrupts'), 0);
    a.mov(dx, command);
    a.mov(ecx, sectorWords);
    a.rep().outsw();
    a.call('wait');
    a.pop(ecx);
    a.loop('write');
    a.mov(ebx, 0);
    start(a, flushCache, 0);
    a.call('wait');
    say(a, 'written\n');

    // The bus master: I/O and bus mastering on, its ports from BAR 4.
    a.mov(eax, commandRegister);
    a.mov(dx, 0xcf8);
    a.out(dx, eax);
    a.mov(dx, 0xcfc);
    a.in(eax, dx);
    a.or(eax, 5);
    a.out(dx, eax);
    a.mov(eax, busMasterRegister);
    a.mov(dx, 0xcf8);
    a.out(dx, eax);
    // Firmware gave it an address; without one it gets ours.
    a.mov(dx, 0xcfc);
    a.in(eax, dx);
    a.and(eax, 0xfff0);
    a.jnz('base');
    a.mov(eax, 0xc000);
    a.out(dx, eax);
    a.label('base');
    a.mov(dword('master'), eax);

    // Sixteen sectors at 704 in two regions, the second of them apart.
    a.mov(dword(regions), second);
    a.mov(dword(regions + 4), 0x1000);
    a.mov(dword(regions + 8), second + 0x4000);
    a.mov(dword(regions + 12), 0x80001000);
    a.mov(ebx, 704);
    a.mov(ecx, 8);
    a.call('dma.prepare');
    start(a, readDma, sectorsAtOnce);
    a.call('dma.run');
    a.mov(esi, second);
    a.mov(edi, buffer + 4 * 512);
    a.mov(ecx, 0x400);
    a.repe().cmpsd();
    must(a, 'e', 'the first region is what was written');
    a.mov(esi, second + 0x4000);
    a.mov(ecx, 0x400);
    a.repe().cmpsd();
    must(a, 'e', 'the second region is what was written');
    say(a, 'read by DMA\n');

    // Back to 1500 by DMA, and read by PIO.
    a.mov(ebx, 1500);
    a.xor(ecx, ecx);
    a.call('dma.prepare');
    start(a, writeDma, sectorsAtOnce);
    a.call('dma.run');
    a.mov(ebx, 1500);
    start(a, readSectors, sectorsAtOnce);
    a.mov(edi, buffer);
    a.mov(ecx, sectorsAtOnce);
    a.label('verify');
    a.push(ecx);
    a.call('wait');
    a.call('take.sector');
    a.pop(ecx);
    a.loop('verify');
    a.mov(esi, buffer);
    a.mov(ecx, sectorsAtOnce * sectorWords);
    a.call('checksum');
    sayValue(a, 'written by DMA ');

    // Behind the last sector there is nothing: ID not found, or aborted.
    a.mov(ebx, diskSectors);
    start(a, readSectors, 1);
    a.call('wait.any');
    in8(a, command + 1);
    a.test(al, 0x14);
    must(a, 'ne', 'a sector that does not exist is not found');
    exit(a, exitSuccess);

    // One sector to EDI.
    a.label('take.sector');
    a.mov(dword('interrupts'), 0);
    a.mov(dx, command);
    a.mov(ecx, sectorWords);
    a.rep().insw();
    a.ret();

    // Until the drive has interrupted and shows no error.
    a.label('wait');
    a.call('wait.any');
    a.test(byte('status'), 0x21);
    must(a, 'e', 'the command succeeds');
    a.ret();
    a.label('wait.any');
    a.cli();
    a.cmp(dword('interrupts'), 0);
    a.jne('wait.came');
    a.sti();
    a.hlt();
    a.jmp('wait.any');
    a.label('wait.came');
    a.sti();
    a.ret();
    a.label('wait.data');
    in8(a, control);
    a.and(al, 0x88);
    a.cmp(al, 0x08);
    a.jne('wait.data');
    a.ret();

    // ECX 8: from disk to memory, 0: the other way.
    a.label('dma.prepare');
    a.mov(edx, dword('master'));
    a.mov(eax, ecx);
    a.out(dx, al);
    a.add(edx, 4);
    a.mov(eax, regions);
    a.out(dx, eax);
    a.sub(edx, 2);
    a.mov(al, 6);
    a.out(dx, al);
    a.mov(dword('direction'), ecx);
    a.ret();
    a.label('dma.run');
    a.mov(edx, dword('master'));
    a.mov(eax, dword('direction'));
    a.or(eax, 1);
    a.out(dx, al);
    a.call('wait');
    a.mov(edx, dword('master'));
    a.add(edx, 2);
    a.in(al, dx);
    a.and(al, 7);
    a.cmp(al, 4);
    must(a, 'e', 'the bus master has interrupted and is done');
    a.sub(edx, 2);
    a.xor(eax, eax);
    a.out(dx, al);
    a.ret();

    // EAX: a sum of ECX words from ESI on, rotated in between.
    a.label('checksum');
    a.xor(edx, edx);
    a.label('checksum.next');
    a.xor(eax, eax);
    a.lodsw();
    a.rol(edx, 3);
    a.add(edx, eax);
    a.loop('checksum.next');
    a.mov(eax, edx);
    a.ret();

    a.label('disk');
    a.push(eax);
    a.push(edx);
    in8(a, command + 7);
    a.mov(byte('status'), al);
    a.inc(dword('interrupts'));
    endInterrupt(a, 14);
    a.pop(edx);
    a.pop(eax);
    a.iret();

    a.align(4, 0);
    for (const name of ['interrupts', 'status', 'master', 'direction']) {
      a.label(name);
      a.dd(0);
    }
  });

/** Empty but for the sectors that are read, so that the trace, which contains it, stays small. */
function contents(): Uint8Array {
  const bytes = new Uint8Array(diskSectors * 512);
  bytes.set(patternBytes(40 * 512, 1), 100 * 512);
  return bytes;
}

export const disk: CorpusGuest = {
  name: 'disk',
  title: 'ATA: PIO and bus-master DMA, reads and writes',
  config: () => ({ boot: multiboot(image()), disk: blockImage(contents()) }),
  end: passed,
  serial: ['sectors 00000800', 'read ffbe354d', 'written', 'read by DMA', 'written by DMA 1563f787', ''].join('\n'),
};
