/** Calls: the naive Fibonacci recursion with a frame pointer, arguments on the stack. */
import { dword, eax, ebp, ebx, ecx, edi, esi, esp, ptr } from '../../../properties/index.js';
import type { Kernel } from './image.js';

const argument = 26;

export const calls: Kernel = {
  name: 'calls',
  title: 'calls (recursive Fibonacci)',
  iterations: 12,
  prepare() {},
  run(a, iterations) {
    a.xor(esi, esi);
    a.mov(edi, iterations);
    a.label('next');
    a.push(argument);
    a.call('fibonacci');
    a.add(esp, 4);
    a.rol(esi, 3);
    a.add(esi, eax);
    a.dec(edi);
    a.jnz('next');
    a.mov(eax, esi);
  },
  data(a) {
    a.label('fibonacci');
    a.push(ebp);
    a.mov(ebp, esp);
    a.push(ebx);
    a.mov(eax, dword(ebp, 8));
    a.cmp(eax, 2);
    a.jb('fibonacci.end');
    a.lea(ecx, ptr(eax, -1));
    a.push(ecx);
    a.call('fibonacci');
    a.mov(ebx, eax);
    a.mov(eax, dword(ebp, 8));
    a.sub(eax, 2);
    a.mov(dword(esp), eax);
    a.call('fibonacci');
    a.add(esp, 4);
    a.add(eax, ebx);
    a.label('fibonacci.end');
    a.pop(ebx);
    a.pop(ebp);
    a.ret();
  },
};
