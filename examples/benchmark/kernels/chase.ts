/** Random memory under paging: a pointer chase in one cycle over 32 MiB of 4 KiB pages, a cache line at a time. */
import { dword, eax, ebx, ecx, edx, esi, ptr } from '../../../properties/index.js';
import type { Kernel } from './image.js';
import { buildIdentityTables, enablePaging } from './paging.js';

const directory = 0x200000;
const region = 0x1000000;
const nodes = 1 << 19;
const nodeShift = 6;

export const chase: Kernel = {
  name: 'chase',
  title: 'random memory, paging',
  iterations: 4_000_000,
  prepare(a) {
    buildIdentityTables(a, directory, 64);
    enablePaging(a, directory);
    // A congruential generator of full period visits every node once before it repeats.
    a.xor(esi, esi);
    a.mov(ecx, nodes);
    a.label('link');
    a.mov(edx, esi);
    a.shl(edx, nodeShift);
    a.imul(esi, esi, 1_665_245);
    a.add(esi, 12_820_163);
    a.and(esi, nodes - 1);
    a.mov(eax, esi);
    a.shl(eax, nodeShift);
    a.add(eax, region);
    a.mov(dword(region, edx, 1), eax);
    a.mov(dword(region + 4, edx, 1), ecx);
    a.dec(ecx);
    a.jnz('link');
  },
  run(a, iterations) {
    a.mov(eax, region);
    a.xor(ebx, ebx);
    a.mov(ecx, iterations);
    a.label('next');
    a.add(ebx, dword(eax, 4));
    a.mov(eax, dword(eax));
    a.dec(ecx);
    a.jnz('next');
    a.lea(eax, ptr(eax, ebx, 4));
  },
};
