/** Indirect jumps: a bytecode interpreter that dispatches through a jump table at the end of each operation. */
import type { Assembler } from '../../../properties/index.js';
import { byte, cl, dword, eax, ebx, ecx, edi, edx, esi, ptr } from '../../../properties/index.js';
import type { Kernel } from './image.js';

const operations: readonly (readonly [string, (a: Assembler) => void])[] = [
  ['addByte', (a) => (a.movzx(eax, byte(esi)), a.inc(esi), a.add(ebx, eax))],
  ['xorOther', (a) => a.xor(ebx, edi)],
  ['rotate', (a) => (a.mov(cl, byte(esi)), a.inc(esi), a.rol(ebx, cl))],
  ['scale', (a) => a.lea(edi, ptr(edi, edi, 4, 1))],
  ['swap', (a) => a.xchg(ebx, edi)],
  ['store', (a) => (a.movzx(eax, byte(esi)), a.inc(esi), a.mov(dword('cells', eax, 4), ebx))],
  ['load', (a) => (a.movzx(eax, byte(esi)), a.inc(esi), a.add(edi, dword('cells', eax, 4)))],
  ['again', (a) => (a.dec(edx), a.jz('finished'), a.mov(esi, 'program'))],
];

const program: readonly (readonly [string, number?])[] = [
  ['addByte', 17],
  ['xorOther'],
  ['rotate', 5],
  ['store', 0],
  ['scale'],
  ['swap'],
  ['addByte', 99],
  ['load', 0],
  ['xorOther'],
  ['store', 1],
  ['rotate', 13],
  ['scale'],
  ['load', 1],
  ['swap'],
  ['xorOther'],
  ['again'],
];

function dispatch(a: Assembler): void {
  a.movzx(eax, byte(esi));
  a.inc(esi);
  a.jmp(dword('handlers', eax, 4));
}

export const bytecode: Kernel = {
  name: 'bytecode',
  title: 'indirect jumps (bytecode)',
  iterations: 600_000,
  prepare() {},
  run(a, iterations) {
    a.mov(ebx, 1);
    a.mov(edi, 2);
    a.xor(ecx, ecx);
    a.mov(edx, iterations);
    a.mov(esi, 'program');
    dispatch(a);
    a.label('finished');
    a.mov(eax, ebx);
    a.add(eax, edi);
  },
  data(a) {
    for (const [name, operation] of operations) {
      a.label(name);
      operation(a);
      dispatch(a);
    }
    a.align(4, 0);
    a.label('handlers');
    a.dd(...operations.map(([name]) => name));
    a.label('cells');
    a.reserve(8);
    a.label('program');
    for (const [name, argument] of program) {
      a.db(operations.findIndex(([known]) => known === name));
      if (argument !== undefined) a.db(argument);
    }
  },
};
