/**
 * The frame around every benchmark kernel: a flat multiboot 1 image (Multiboot Specification 0.6.96, section 3.1, with
 * the address fields of the A.OUT kludge), loaded and linked at 1 MiB. The same file runs under any multiboot loader.
 *
 * The boot code brings its own GDT, IDT and stack and switches x87 and SSE on. Then: the kernel's `prepare`, its name
 * and a space on COM1, its `run`, EAX as eight hex digits and a newline on COM1. So the time between the space and the
 * newline is that of `run`. At the end it writes 0 to port 0xf4 and halts.
 */
import {
  type Assembler,
  al,
  assemble,
  byte,
  cr0,
  cr4,
  difference,
  ds,
  dword,
  dx,
  eax,
  ebx,
  ecx,
  edi,
  es,
  esi,
  esp,
  far,
  fs,
  gs,
  ptr,
  ss,
} from '../../../properties/index.js';

export interface Kernel {
  readonly name: string;
  /** What it exercises, for the table. */
  readonly title: string;
  /** Rounds of the outermost loop at full length. */
  readonly iterations: number;
  /** Code before the clock starts; may use every register. */
  prepare(a: Assembler): void;
  /** Code that is measured; leaves its checksum in EAX. */
  run(a: Assembler, iterations: number): void;
  /** Subroutines and data. */
  data?(a: Assembler): void;
}

const loadAddress = 0x100000;
const multibootMagic = 0x1badb002;
const addressFieldsFlag = 0x10000;
/** Below the first 640 KiB's end, which every PC has. */
const stackTop = 0x90000;
const idtAddress = 0x8000;

/** Where kernels may put their data: behind the image, aligned to 4 MiB; the machine has 64 MiB. */
export const dataAddress = 0x400000;
const codeSelector = 0x08;
const dataSelector = 0x10;
/** Selector and attributes of a 32-bit interrupt gate, present, DPL 0 (Intel SDM volume 3, section 6.11). */
const interruptGate = ((0x8e00 << 16) | codeSelector) >>> 0;

const lineStatusPort = 0x3fd;
const serialPort = 0x3f8;
const exitPort = 0xf4;

function header(a: Assembler): void {
  a.dd(multibootMagic, addressFieldsFlag, -(multibootMagic + addressFieldsFlag));
  a.dd('header', 'header', 'end', 'end', 'entry');
}

function setUpProcessor(a: Assembler): void {
  a.cli();
  a.lgdt(ptr('gdtr'));
  a.jmp(far(codeSelector, 'flat'));
  a.label('flat');
  a.mov(eax, dataSelector);
  for (const segment of [ds, es, fs, gs, ss]) a.mov(segment, eax);
  a.mov(esp, stackTop);
  // Every vector leads to a handler that reports failure.
  a.mov(edi, idtAddress);
  a.mov(ecx, 256);
  a.label('gates');
  a.mov(eax, 'fault');
  a.mov(dword(edi), eax);
  a.mov(dword(edi, 4), eax);
  // The middle four bytes are the same in every gate: selector, then type.
  a.mov(dword(edi, 2), interruptGate);
  a.add(edi, 8);
  a.loop('gates');
  a.lidt(ptr('idtr'));
  a.mov(eax, cr0);
  a.and(eax, ~0xc);
  a.or(eax, 0x22);
  a.mov(cr0, eax);
  a.mov(eax, cr4);
  a.or(eax, 0x600);
  a.mov(cr4, eax);
  a.fninit();
}

/** Prints AL; keeps everything else but EDX. */
function printCharacter(a: Assembler): void {
  a.label('print');
  a.push(eax);
  a.mov(dx, lineStatusPort);
  a.label('print.wait');
  a.in(al, dx);
  a.test(al, 0x20);
  a.jz('print.wait');
  a.pop(eax);
  a.mov(dx, serialPort);
  a.out(dx, al);
  a.ret();
}

function printText(a: Assembler): void {
  a.label('text');
  a.lodsb();
  a.test(al, al);
  a.jz('text.end');
  a.call('print');
  a.jmp('text');
  a.label('text.end');
  a.ret();
}

function printHex(a: Assembler): void {
  a.label('hex');
  a.mov(ebx, eax);
  a.mov(ecx, 8);
  a.label('hex.digit');
  a.rol(ebx, 4);
  a.mov(eax, ebx);
  a.and(eax, 15);
  a.mov(al, byte('digits', eax));
  a.call('print');
  a.loop('hex.digit');
  a.ret();
}

function leave(a: Assembler, status: number): void {
  a.mov(al, status);
  a.out(exitPort, al);
  a.cli();
  const stop = a.fresh('stop');
  a.label(stop);
  a.hlt();
  a.jmp(stop);
}

export interface KernelImage {
  readonly bytes: Uint8Array;
  readonly labels: ReadonlyMap<string, number>;
  listing(): string;
}

export function buildImage(kernel: Kernel, iterations: number): KernelImage {
  return assemble({ bits: 32, origin: loadAddress }, (a) => {
    a.label('header');
    header(a);
    a.label('entry');
    setUpProcessor(a);
    kernel.prepare(a);
    a.mov(esi, 'name');
    a.call('text');
    kernel.run(a, iterations);
    a.call('hex');
    a.mov(al, 10);
    a.call('print');
    leave(a, 0);
    a.label('fault');
    a.mov(esi, 'fault.text');
    a.call('text');
    leave(a, 1);
    printCharacter(a);
    printText(a);
    printHex(a);
    a.label('digits');
    a.ascii('0123456789abcdef');
    a.label('name');
    a.asciz(`${kernel.name} `);
    a.label('fault.text');
    a.asciz('unexpected exception\n');
    a.align(8, 0);
    a.label('gdt');
    a.dq(0, 0x00cf9b000000ffffn, 0x00cf93000000ffffn);
    a.label('gdt.end');
    a.label('gdtr');
    a.dw(difference('gdt.end', 'gdt', -1));
    a.dd('gdt');
    a.label('idtr');
    a.dw(256 * 8 - 1);
    a.dd(idtAddress);
    a.align(64, 0);
    kernel.data?.(a);
    a.align(4, 0);
    a.label('end');
  });
}

/** Points an interrupt vector at a label. Uses EAX. */
export function setGate(a: Assembler, vector: number, handler: string): void {
  const gate = idtAddress + vector * 8;
  a.mov(eax, handler);
  a.mov(dword(gate), eax);
  a.mov(dword(gate + 4), eax);
  a.mov(dword(gate + 2), interruptGate);
}

/** Steps the linear congruential generator in `register` (Numerical Recipes' constants). */
export function stepGenerator(a: Assembler, register: typeof eax): void {
  a.imul(register, register, 1664525);
  a.add(register, 1013904223);
}

/** Fills `count` double words from `address` on with the generator. Uses EAX, ECX, EDI. */
export function fillRandom(a: Assembler, address: number, count: number, seed: number): void {
  const next = a.fresh('fill');
  a.mov(eax, seed);
  a.mov(edi, address);
  a.mov(ecx, count);
  a.label(next);
  stepGenerator(a, eax);
  a.mov(dword(edi), eax);
  a.add(edi, 4);
  a.dec(ecx);
  a.jnz(next);
}
