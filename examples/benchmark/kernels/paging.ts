/** Page tables for the kernels that run under paging (Intel SDM volume 3, section 4.3: 32-bit paging, 4 KiB pages). */
import type { Assembler } from '../../../properties/index.js';
import { cr0, cr3, dword, eax, ecx, edi } from '../../../properties/index.js';

const presentWritable = 3;

/**
 * Builds a page directory at `directory` with its tables behind it: the first `identityMegabytes` map to themselves.
 * Uses EAX, ECX, EDI.
 */
export function buildIdentityTables(a: Assembler, directory: number, identityMegabytes: number): void {
  const pages = identityMegabytes * 256;
  const tables = directory + 0x1000;
  const clear = a.fresh('clear');
  const page = a.fresh('page');
  const table = a.fresh('table');
  a.mov(edi, directory);
  a.xor(eax, eax);
  a.mov(ecx, 1024);
  a.label(clear);
  a.mov(dword(edi), eax);
  a.add(edi, 4);
  a.loop(clear);
  a.mov(edi, tables);
  a.mov(eax, presentWritable);
  a.mov(ecx, pages);
  a.label(page);
  a.mov(dword(edi), eax);
  a.add(edi, 4);
  a.add(eax, 0x1000);
  a.loop(page);
  a.mov(edi, directory);
  a.mov(eax, tables + presentWritable);
  a.mov(ecx, pages / 1024);
  a.label(table);
  a.mov(dword(edi), eax);
  a.add(edi, 4);
  a.add(eax, 0x1000);
  a.loop(table);
}

/** Loads CR3 and sets CR0.PG. Uses EAX. */
export function enablePaging(a: Assembler, directory: number): void {
  a.mov(eax, directory);
  a.mov(cr3, eax);
  a.mov(eax, cr0);
  a.or(eax, 0x80000000);
  a.mov(cr0, eax);
}
