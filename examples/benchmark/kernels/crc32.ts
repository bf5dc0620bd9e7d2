/** Table lookup: CRC-32 (IEEE 802.3, reflected) over 64 KiB, one byte at a time. */
import { al, byte, dl, dword, eax, ebx, ecx, edi, edx, esi } from '../../../properties/index.js';
import { dataAddress, fillRandom, type Kernel } from './image.js';

const tableAddress = dataAddress;
const bufferAddress = dataAddress + 0x1000;
const bufferBytes = 0x10000;

export const crc32: Kernel = {
  name: 'crc32',
  title: 'table lookup (CRC-32)',
  iterations: 150,
  prepare(a) {
    fillRandom(a, bufferAddress, bufferBytes / 4, 1);
    a.xor(ecx, ecx);
    a.label('entry.next');
    a.mov(eax, ecx);
    a.mov(edx, 8);
    a.label('bit.next');
    a.shr(eax, 1);
    a.jnc('bit.clear');
    a.xor(eax, 0xedb88320);
    a.label('bit.clear');
    a.dec(edx);
    a.jnz('bit.next');
    a.mov(dword(tableAddress, ecx, 4), eax);
    a.inc(ecx);
    a.cmp(ecx, 256);
    a.jb('entry.next');
  },
  run(a, iterations) {
    a.mov(eax, -1);
    a.mov(ebx, iterations);
    a.label('pass');
    a.mov(esi, bufferAddress);
    a.mov(edi, bufferAddress + bufferBytes);
    a.label('next');
    a.movzx(edx, byte(esi));
    a.xor(dl, al);
    a.shr(eax, 8);
    a.xor(eax, dword(tableAddress, edx, 4));
    a.inc(esi);
    a.cmp(esi, edi);
    a.jne('next');
    a.dec(ebx);
    a.jnz('pass');
    a.not(eax);
  },
};
