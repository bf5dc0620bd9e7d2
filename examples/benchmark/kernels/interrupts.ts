/** INT and IRET: software interrupts through an interrupt gate of the same privilege level. */
import { eax, ebx, ecx } from '../../../properties/index.js';
import { type Kernel, setGate } from './image.js';

const vector = 0x40;

export const interrupts: Kernel = {
  name: 'interrupts',
  title: 'INT and IRET',
  iterations: 2_000_000,
  prepare(a) {
    setGate(a, vector, 'handler');
  },
  run(a, iterations) {
    a.xor(ebx, ebx);
    a.mov(eax, 1);
    a.mov(ecx, iterations);
    a.label('next');
    a.int(vector);
    a.add(ebx, eax);
    a.dec(ecx);
    a.jnz('next');
    a.mov(eax, ebx);
  },
  data(a) {
    a.label('handler');
    a.rol(eax, 1);
    a.xor(eax, ecx);
    a.iret();
  },
};
