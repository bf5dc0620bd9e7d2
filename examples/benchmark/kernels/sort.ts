/** Sorting: Shell sort (Ciura's gaps) of 32,768 double words, filled anew for each round. */
import { dword, eax, ebp, ebx, ecx, edi, edx, esi, esp, ptr } from '../../../properties/index.js';
import { dataAddress, type Kernel, stepGenerator } from './image.js';

const count = 32768;
const gaps = [12983, 5771, 2565, 1140, 507, 226, 102, 46, 21, 9, 4, 1];

export const sort: Kernel = {
  name: 'sort',
  title: 'Shell sort',
  iterations: 8,
  prepare() {},
  run(a, iterations) {
    a.push(iterations);
    a.mov(ebp, 1);
    a.label('pass');
    a.xor(ecx, ecx);
    a.mov(eax, ebp);
    a.label('fill');
    stepGenerator(a, eax);
    a.mov(dword(dataAddress, ecx, 4), eax);
    a.inc(ecx);
    a.cmp(ecx, count);
    a.jb('fill');
    a.mov(edi, 'gaps');
    a.label('gap');
    a.mov(ebx, dword(edi));
    a.mov(ecx, ebx);
    a.label('element');
    a.mov(eax, dword(dataAddress, ecx, 4));
    a.mov(edx, ecx);
    a.label('shift');
    a.mov(esi, edx);
    a.sub(esi, ebx);
    a.jb('insert');
    a.cmp(dword(dataAddress, esi, 4), eax);
    a.jbe('insert');
    a.push(dword(dataAddress, esi, 4));
    a.pop(dword(dataAddress, edx, 4));
    a.mov(edx, esi);
    a.jmp('shift');
    a.label('insert');
    a.mov(dword(dataAddress, edx, 4), eax);
    a.inc(ecx);
    a.cmp(ecx, count);
    a.jb('element');
    a.add(edi, 4);
    a.cmp(dword(edi), 0);
    a.jne('gap');
    // The checksum depends on the order; the next round starts from it.
    a.xor(ecx, ecx);
    a.label('sum');
    a.lea(ebp, ptr(ebp, ebp, 4));
    a.add(ebp, dword(dataAddress, ecx, 4));
    a.inc(ecx);
    a.cmp(ecx, count);
    a.jb('sum');
    a.dec(dword(esp));
    a.jnz('pass');
    a.pop(eax);
    a.mov(eax, ebp);
  },
  data(a) {
    a.label('gaps');
    a.dd(...gaps, 0);
  },
};
