/**
 * What the guests of the corpus have in common: a multiboot image (Multiboot specification 0.6.96, section 3.1) that
 * starts in flat protected mode with its own GDT and IDT, prints on the first serial port, checks itself and ends
 * through port F4h. Written for people who read the disassembly of a trace: every piece has a label.
 *
 * Calls keep all registers. Nothing here enables interrupts.
 */
import {
  type Assembled,
  type Assembler,
  ah,
  al,
  assemble,
  ax,
  byte,
  cr0,
  cr2,
  cr4,
  difference,
  ds,
  dword,
  dx,
  eax,
  ebx,
  ecx,
  edi,
  edx,
  es,
  esi,
  esp,
  far,
  fs,
  gs,
  offset,
  ptr,
  ss,
  word,
} from '../../properties/index.js';

const loadAddress = 0x100000;
const multibootMagic = 0x1badb002;
const addressFieldsFlag = 0x10000;

/** Top of the stack that a guest starts with. */
const stackTop = 0x90000;
export const idtAddress = 0x8000;
/** Memory that the kit does not touch, from here to the end of the first 16 MiB. */
export const freeAddress = 0x200000;

export const codeSelector = 0x08;
export const dataSelector = 0x10;
/** The first of the descriptors that `GuestOptions.extraDescriptors` sets aside. */
export const extraSelector = 0x18;

/** Gate types with the present bit (Intel SDM volume 3, section 3.5). */
export const interruptGate = 0x8e;
export const trapGate = 0x8f;
export const taskGate = 0x85;
export const callGate = 0x8c;

const serialPort = 0x3f8;
const lineControlPort = 0x3fb;
const lineStatusPort = 0x3fd;
const exitPort = 0xf4;

/** Vectors with a stub of their own: the exceptions and the two interrupt controllers. */
const stubCount = 48;
const stubBytes = 8;
export const masterVector = 0x20;
export const slaveVector = 0x28;

/** What a guest writes to port F4h. */
export const exitSuccess = 0;
export const exitFailure = 1;

export interface GuestOptions {
  /** Descriptors behind code and data, filled at run time by `putDescriptor`. Default none. */
  readonly extraDescriptors?: number;
}

/** A 32-bit guest: `write` begins with its main program and must end it with `exit` or a loop. */
export function protectedGuest(options: GuestOptions, write: (a: Assembler) => void): Assembled {
  return assemble({ bits: 32, origin: loadAddress }, (a) => {
    a.label('header');
    a.dd(multibootMagic, addressFieldsFlag, -(multibootMagic + addressFieldsFlag));
    a.dd('header', 'header', 'end', 'end', 'entry');
    a.label('entry');
    setUp(a);
    write(a);
    library(a);
    tables(a, options.extraDescriptors ?? 0);
    a.align(4, 0);
    a.label('end');
  });
}

function setUp(a: Assembler): void {
  a.cli();
  a.cld();
  a.lgdt(ptr('gdtr'));
  a.jmp(far(codeSelector, 'flat'));
  a.label('flat');
  a.mov(eax, dataSelector);
  for (const segment of [ds, es, fs, gs, ss]) a.mov(segment, eax);
  a.mov(esp, stackTop);
  // Eight data bits: a serial port that has just been reset sends five.
  write8(a, lineControlPort, 0x03);
  // Every exception and interrupt that a guest does not expect ends it with a message.
  a.mov(edi, idtAddress);
  a.mov(eax, 'stubs');
  a.mov(ecx, stubCount);
  a.label('fill.idt');
  a.mov(word(edi), ax);
  a.mov(dword(edi, 2), ((interruptGate << 24) | codeSelector) >>> 0);
  a.mov(edx, eax);
  a.shr(edx, 16);
  a.mov(word(edi, 6), dx);
  a.add(edi, 8);
  a.add(eax, stubBytes);
  a.loop('fill.idt');
  a.lidt(ptr('idtr'));
  // Numeric errors as exceptions, no emulation; FXSAVE and SSE exceptions on.
  a.mov(eax, cr0);
  a.and(eax, ~0xc);
  a.or(eax, 0x22);
  a.mov(cr0, eax);
  a.mov(eax, cr4);
  a.or(eax, 0x600);
  a.mov(cr4, eax);
  a.fninit();
}

function library(a: Assembler): void {
  // say: prints the text that stands behind the CALL and returns behind it.
  a.label('say');
  a.xchg(dword(esp), esi);
  a.push(eax);
  a.label('say.next');
  a.mov(al, byte(esi));
  a.inc(esi);
  a.test(al, al);
  a.jz('say.end');
  a.call('put');
  a.jmp('say.next');
  a.label('say.end');
  a.pop(eax);
  a.xchg(dword(esp), esi);
  a.ret();

  // put: prints the character in AL.
  a.label('put');
  a.push(edx);
  a.push(eax);
  a.mov(dx, lineStatusPort);
  a.label('put.wait');
  a.in(al, dx);
  a.test(al, 0x20);
  a.jz('put.wait');
  a.pop(eax);
  a.mov(dx, serialPort);
  a.out(dx, al);
  a.pop(edx);
  a.ret();

  // hex: prints EAX as eight digits.
  a.label('hex');
  a.push(ebx);
  a.push(ecx);
  a.push(eax);
  a.mov(ebx, eax);
  a.mov(ecx, 8);
  a.label('hex.next');
  a.rol(ebx, 4);
  a.mov(eax, ebx);
  a.and(eax, 15);
  a.mov(al, byte('hex.digits', eax));
  a.call('put');
  a.loop('hex.next');
  a.pop(eax);
  a.pop(ecx);
  a.pop(ebx);
  a.ret();
  a.label('hex.digits');
  a.ascii('0123456789abcdef');

  // failed: the text behind the CALL says which check did not hold.
  a.label('failed');
  a.call('say');
  a.asciz('FAILED: ');
  a.pop(esi);
  a.label('failed.next');
  a.lodsb();
  a.test(al, al);
  a.jz('failed.end');
  a.call('put');
  a.jmp('failed.next');
  a.label('failed.end');
  a.mov(al, 10);
  a.call('put');
  exit(a, exitFailure);

  // The stubs push their vector; whether an error code lies below it depends on the exception.
  a.align(stubBytes, 0);
  a.label('stubs');
  for (let vector = 0; vector < stubCount; vector++) {
    a.push(vector);
    a.jmp('unexpected');
    a.align(stubBytes, 0x90);
  }
  a.label('unexpected');
  a.call('say');
  a.asciz('UNEXPECTED: vector, three words of the stack, CR2:');
  for (let word = 0; word < 4; word++) {
    a.mov(al, 32);
    a.call('put');
    a.pop(eax);
    a.call('hex');
  }
  a.mov(al, 32);
  a.call('put');
  a.mov(eax, cr2);
  a.call('hex');
  a.mov(al, 10);
  a.call('put');
  exit(a, exitFailure);
}

function tables(a: Assembler, extraDescriptors: number): void {
  a.align(8, 0);
  a.label('gdt');
  a.dq(0, 0x00cf9b000000ffffn, 0x00cf93000000ffffn);
  a.reserve(8 * extraDescriptors);
  a.label('gdt.end');
  a.label('gdtr');
  a.dw(difference('gdt.end', 'gdt', -1));
  a.dd('gdt');
  a.label('idtr');
  a.dw(256 * 8 - 1);
  a.dd(idtAddress);
}

/** Prints a text. */
export function say(a: Assembler, text: string): void {
  a.call('say');
  a.asciz(text);
}

/** Prints a text, EAX and a line feed. */
export function sayValue(a: Assembler, text: string): void {
  say(a, text);
  a.call('hex');
  say(a, '\n');
}

type Condition = 'e' | 'ne' | 'a' | 'ae' | 'b' | 'be';

/** Ends the guest with a message unless the flags fulfil a condition. */
export function must(a: Assembler, condition: Condition, claim: string): void {
  const holds = a.fresh('holds');
  a.ins(`j${condition}`, holds);
  a.call('failed');
  a.asciz(claim);
  a.label(holds);
}

/** Ends the guest through port F4h. */
export function exit(a: Assembler, value: number): void {
  a.mov(al, value);
  a.out(exitPort, al);
  const stop = a.fresh('stop');
  a.label(stop);
  a.cli();
  a.hlt();
  a.jmp(stop);
}

/** Points a vector at a label. Uses EAX. */
export function setGate(a: Assembler, vector: number, handler: string, type = interruptGate, privilege = 0): void {
  const gate = idtAddress + vector * 8;
  a.mov(eax, handler);
  a.mov(word(gate), ax);
  a.shr(eax, 16);
  a.mov(word(gate + 6), ax);
  a.mov(dword(gate + 2), (((type | (privilege << 5)) << 24) | codeSelector) >>> 0);
}

export interface DescriptorFields {
  readonly selector: number;
  readonly base: number | string;
  /** As in the descriptor: in bytes, or in pages with the granularity flag. */
  readonly limit: number;
  /** Byte 5: present, privilege, type. */
  readonly access: number;
  /** The high half of byte 6: granularity 8, default size 4. Default 0. */
  readonly flags?: number;
}

/** Fills a descriptor of the GDT. Uses EAX. */
export function putDescriptor(a: Assembler, { selector, base, limit, access, flags = 0 }: DescriptorFields): void {
  const at = (part: number) => offset('gdt', selector + part);
  a.mov(word(at(0)), limit & 0xffff);
  a.mov(eax, base);
  a.mov(word(at(2)), ax);
  a.shr(eax, 16);
  a.mov(byte(at(4)), al);
  a.mov(byte(at(5)), access);
  a.mov(byte(at(6)), (flags << 4) | (limit >>> 16));
  a.mov(byte(at(7)), ah);
}

const masterPic = 0x20;
const slavePic = 0xa0;
const endOfInterrupt = 0x20;

/** Programs both interrupt controllers for vectors 20h and 28h (8259A data sheet, ICW1 to ICW4). Uses AL. */
export function setUpPics(a: Assembler, masterMask: number, slaveMask: number): void {
  const steps: [number, number][] = [
    [masterPic, 0x11],
    [slavePic, 0x11],
    [masterPic + 1, masterVector],
    [slavePic + 1, slaveVector],
    [masterPic + 1, 0x04],
    [slavePic + 1, 0x02],
    [masterPic + 1, 0x01],
    [slavePic + 1, 0x01],
    [masterPic + 1, masterMask],
    [slavePic + 1, slaveMask],
  ];
  for (const [port, value] of steps) write8(a, port, value);
}

/** Ends an interrupt of the first controller, or of both. Uses AL. */
export function endInterrupt(a: Assembler, line: number): void {
  a.mov(al, endOfInterrupt);
  if (line >= 8) a.out(slavePic, al);
  a.out(masterPic, al);
}

const timerHz = 1193182;

/** Counter 0 of the 8254 as a rate generator. Uses AL. */
export function startTimer(a: Assembler, hertz: number): void {
  const divisor = Math.round(timerHz / hertz);
  write8(a, 0x43, 0x34);
  write8(a, 0x40, divisor & 0xff);
  write8(a, 0x40, divisor >> 8);
}

/** OUT of a constant. Uses AL, and DX for ports above FFh. */
export function write8(a: Assembler, port: number, value: number): void {
  a.mov(al, value);
  out8(a, port);
}

/** OUT of AL. Uses DX for ports above FFh. */
export function out8(a: Assembler, port: number): void {
  if (port < 0x100) {
    a.out(port, al);
  } else {
    a.mov(dx, port);
    a.out(dx, al);
  }
}

/** IN to AL. Uses DX for ports above FFh. */
export function in8(a: Assembler, port: number): void {
  if (port < 0x100) {
    a.in(al, port);
  } else {
    a.mov(dx, port);
    a.in(al, dx);
  }
}
