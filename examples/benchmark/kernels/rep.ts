/** REP moves: STOSD and MOVSD over 16 KiB, short copies as memcpy makes them, and an unaligned MOVSB. */
import { dword, eax, ebx, ecx, edi, edx, esi, ptr } from '../../../properties/index.js';
import { dataAddress, type Kernel } from './image.js';

const blockBytes = 0x4000;
const source = dataAddress;
const target = dataAddress + 0x10000;

export const rep: Kernel = {
  name: 'rep',
  title: 'REP MOVS and STOS',
  iterations: 40_000,
  prepare() {},
  run(a, iterations) {
    a.xor(ebx, ebx);
    a.mov(edx, iterations);
    a.label('next');
    a.lea(eax, ptr(edx, ebx, 2, 1));
    a.mov(edi, source);
    a.mov(ecx, blockBytes / 4);
    a.rep().stosd();
    a.mov(dword(source, edx, 1), edx);
    a.mov(esi, source);
    a.mov(edi, target);
    a.mov(ecx, blockBytes / 4);
    a.rep().movsd();
    a.mov(esi, source + 3);
    a.mov(edi, target + 0x21);
    a.mov(ecx, 77);
    a.rep().movsb();
    for (const words of [3, 8, 16]) {
      a.mov(esi, target + 64);
      a.mov(edi, target + 4096);
      a.mov(ecx, words);
      a.rep().movsd();
    }
    a.imul(ebx, ebx, 31);
    a.add(ebx, dword(target + 0x40));
    a.add(ebx, dword(target, edx, 1));
    a.dec(edx);
    a.jnz('next');
    a.mov(eax, ebx);
  },
};
