/** SSE2: a packed-double dot product beside packed-integer mixing, operands from 4 KiB arrays. */
import { dword, eax, ebx, ecx, edx, qword, xmm0, xmm1, xmm2, xmm3, xmm4, xmm5, xmm6, xmmword } from '../../../properties/index.js';
import { dataAddress, fillRandom, type Kernel, stepGenerator } from './image.js';

const left = dataAddress;
const right = dataAddress + 0x1000;
const integers = dataAddress + 0x2000;
const arrayBytes = 0x1000;

export const sse2: Kernel = {
  name: 'sse2',
  title: 'SSE2 (double and integer)',
  iterations: 10_000,
  prepare(a) {
    fillRandom(a, integers, arrayBytes / 4, 3);
    a.mov(eax, 7);
    a.xor(ecx, ecx);
    a.label('double');
    stepGenerator(a, eax);
    a.mov(edx, eax);
    a.sar(edx, 8);
    a.cvtsi2sd(xmm0, edx);
    a.mulsd(xmm0, qword('scale'));
    a.movsd(qword(left, ecx, 8), xmm0);
    a.inc(ecx);
    a.cmp(ecx, (2 * arrayBytes) / 8);
    a.jb('double');
  },
  run(a, iterations) {
    a.xorpd(xmm0, xmm0);
    a.pxor(xmm4, xmm4);
    a.movdqa(xmm6, xmmword(integers));
    a.mov(ebx, iterations);
    a.label('pass');
    a.xor(ecx, ecx);
    a.label('next');
    a.movapd(xmm1, xmmword(left, ecx));
    a.movapd(xmm2, xmmword(right, ecx));
    a.mulpd(xmm1, xmm2);
    a.addpd(xmm0, xmm1);
    a.subpd(xmm2, xmm0);
    a.mulpd(xmm0, xmmword('half'));
    a.movdqa(xmm5, xmmword(integers, ecx));
    a.paddd(xmm4, xmm5);
    a.pshufd(xmm3, xmm4, 0x39);
    a.pmullw(xmm3, xmm6);
    a.pxor(xmm4, xmm3);
    a.pslld(xmm5, 3);
    a.psubw(xmm4, xmm5);
    a.add(ecx, 16);
    a.cmp(ecx, arrayBytes);
    a.jb('next');
    a.dec(ebx);
    a.jnz('pass');
    a.pxor(xmm4, xmm0);
    a.movdqa(xmmword(left), xmm4);
    a.movdqa(xmmword(right), xmm2);
    a.mov(eax, dword(left));
    for (const address of [left + 4, left + 8, left + 12, right, right + 12]) {
      a.rol(eax, 5);
      a.xor(eax, dword(address));
    }
  },
  data(a) {
    a.align(16, 0);
    a.label('half');
    a.dq(0x3fe0000000000000n, 0x3fe8000000000000n);
    a.label('scale');
    a.dq(0x3ec0000000000000n);
  },
};
