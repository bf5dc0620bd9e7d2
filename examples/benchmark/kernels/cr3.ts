/** CR3 reloads: two address spaces in turn, 32 pages touched in each before the next switch. */
import { cr3, dword, eax, ebx, ecx, edi, edx, esi } from '../../../properties/index.js';
import type { Kernel } from './image.js';
import { buildIdentityTables, enablePaging } from './paging.js';

const directories = [0x200000, 0x240000] as const;
const pages = 32;
const region = 0x800000;

export const cr3Reload: Kernel = {
  name: 'cr3',
  title: 'CR3 reloads',
  iterations: 200_000,
  prepare(a) {
    for (const directory of directories) buildIdentityTables(a, directory, 64);
    enablePaging(a, directories[0]);
  },
  run(a, iterations) {
    a.xor(ebx, ebx);
    a.mov(edx, directories[0]);
    a.mov(edi, iterations);
    a.label('next');
    a.xor(edx, directories[0] ^ directories[1]);
    a.mov(cr3, edx);
    a.mov(esi, region);
    a.mov(ecx, pages);
    a.label('page');
    a.add(dword(esi), edi);
    a.add(ebx, dword(esi));
    a.add(esi, 0x1000);
    a.dec(ecx);
    a.jnz('page');
    a.rol(ebx, 1);
    a.dec(edi);
    a.jnz('next');
    a.mov(eax, ebx);
  },
};
