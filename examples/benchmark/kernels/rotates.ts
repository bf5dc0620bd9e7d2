/** Rotates and shifts: by immediates and by CL, through carry, and the double shifts. */
import { cl, eax, ebx, ecx, edi, edx, esi } from '../../../properties/index.js';
import type { Kernel } from './image.js';

export const rotates: Kernel = {
  name: 'rotates',
  title: 'rotates and shifts',
  iterations: 4_500_000,
  prepare() {},
  run(a, iterations) {
    a.mov(eax, 0x12345678);
    a.mov(ebx, 0x9abcdef0);
    a.mov(edx, 0x0f1e2d3c);
    a.mov(esi, 0x55aa33cc);
    a.mov(edi, iterations);
    a.xor(ecx, ecx);
    a.label('next');
    a.mov(ecx, edi);
    a.rol(eax, 5);
    a.ror(ebx, cl);
    a.shl(edx, 1);
    a.rcl(eax, 1);
    a.sar(esi, 2);
    a.rcr(ebx, 1);
    a.xor(edx, eax);
    a.shld(eax, ebx, 7);
    a.shrd(ebx, edx, cl);
    a.add(esi, ebx);
    a.shr(edx, cl);
    a.rcl(esi, 3);
    a.add(edx, esi);
    a.dec(edi);
    a.jnz('next');
    a.add(eax, ebx);
    a.xor(eax, edx);
    a.add(eax, esi);
  },
};
