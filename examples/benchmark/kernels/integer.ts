/** Integer mix: the arithmetic, logic and branches of ordinary compiled code, all in registers. */
import { eax, ebx, ecx, edi, edx, esi, ptr } from '../../../properties/index.js';
import { type Kernel, stepGenerator } from './image.js';

export const integer: Kernel = {
  name: 'integer',
  title: 'integer mix',
  iterations: 5_000_000,
  prepare() {},
  run(a, iterations) {
    a.mov(eax, 12345);
    a.mov(ebx, 0x9e3779b9);
    a.xor(esi, esi);
    a.xor(edi, edi);
    a.mov(ecx, iterations);
    a.label('next');
    stepGenerator(a, eax);
    a.mov(edx, eax);
    a.shr(edx, 16);
    a.xor(edx, ebx);
    a.add(esi, edx);
    a.sub(ebx, esi);
    a.test(edx, 0x40);
    a.jz('even');
    a.lea(edi, ptr(edi, edx, 4, 7));
    a.and(edi, 0xffffff);
    a.label('even');
    a.cmp(edi, edx);
    a.jb('below');
    a.not(edi);
    a.inc(esi);
    a.label('below');
    a.dec(ecx);
    a.jnz('next');
    a.add(eax, esi);
    a.xor(eax, edi);
    a.add(eax, ebx);
  },
};
