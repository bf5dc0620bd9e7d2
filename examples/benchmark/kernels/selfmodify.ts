/** Self-modifying code: rewrites an immediate inside a subroutine, then calls it sixteen times. */
import { dword, eax, ebx, ecx, edx, Memory, offset } from '../../../properties/index.js';
import type { Kernel } from './image.js';

/** The immediate of MOV r32, imm32 stands behind its one opcode byte. */
const patched = new Memory(4, undefined, undefined, 1, offset('patched', 1));

export const selfmodify: Kernel = {
  name: 'selfmodify',
  title: 'self-modifying code',
  iterations: 200_000,
  prepare() {},
  run(a, iterations) {
    a.mov(ebx, iterations);
    a.xor(eax, eax);
    a.label('next');
    a.mov(patched, ebx);
    a.mov(ecx, 16);
    a.label('call');
    a.call('patched');
    a.dec(ecx);
    a.jnz('call');
    a.dec(ebx);
    a.jnz('next');
    a.xor(eax, dword('counter'));
  },
  data(a) {
    // In a page of its own, so that only this code is thrown away by the write.
    a.align(4096, 0);
    a.label('patched');
    a.mov(edx, 0);
    a.rol(eax, 3);
    a.xor(eax, edx);
    a.inc(eax);
    a.ret();
    a.align(4096, 0);
    a.label('counter');
    a.dd(0x13579bdf);
  },
};
