/** Port I/O: the delay port 0x80, and COM1's scratch register and line status as a driver polls them. */
import { al, dx, eax, ebx, ecx } from '../../../properties/index.js';
import type { Kernel } from './image.js';

const delayPort = 0x80;
const scratchPort = 0x3ff;
const lineStatusPort = 0x3fd;

export const ports: Kernel = {
  name: 'ports',
  title: 'port I/O',
  iterations: 800_000,
  prepare() {},
  run(a, iterations) {
    a.xor(ebx, ebx);
    a.xor(eax, eax);
    a.mov(ecx, iterations);
    a.label('next');
    a.mov(eax, ecx);
    a.out(delayPort, al);
    a.mov(dx, scratchPort);
    a.out(dx, al);
    a.xor(eax, eax);
    a.in(al, dx);
    a.add(ebx, eax);
    a.mov(dx, lineStatusPort);
    a.in(al, dx);
    a.and(eax, 0x20);
    a.xor(ebx, eax);
    a.rol(ebx, 1);
    a.dec(ecx);
    a.jnz('next');
    a.mov(eax, ebx);
  },
};
