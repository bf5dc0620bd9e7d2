/**
 * The guest of the demo: a weather station's display. Sensors send readings over the serial port, the interrupt handler
 * puts the bytes into a ring buffer, the main loop takes them out, parses them and draws a bar for each sensor.
 *
 * It has a bug, and it is the kind that survives a week on the desk. README.md explains it.
 */
import { type Assembled, type Assembler, al, ax, bl, byte, dl, dword, eax, ebx, ecx, edi, edx, word } from '../../properties/index.js';
import {
  endInterrupt,
  exit,
  exitFailure,
  in8,
  interruptGate,
  masterVector,
  protectedGuest,
  say,
  setGate,
  setUpPics,
  write8,
} from '../corpus/kit.js';

/** Exit value of a failed assertion. */
export const assertionFailed = exitFailure;
const serialVector = masterVector + 4;

const serialPort = 0x3f8;
const ringBytes = 256;
const sensors = 8;

const screen = 0xb8000;
const columns = 80;
const barRow = 4;
const textColour = 0x1f00;
const barColour = 0x1a00;
const alarmColour = 0x1c00;
const block = 0xdb;
const alarmCell = 60;

export function buildGuest(): Assembled {
  return protectedGuest({}, (a) => {
    setUpDevices(a);
    mainLoop(a);
    parser(a);
    display(a);
    ringCheck(a);
    serialInterrupt(a);
    variables(a);
  });
}

function setUpDevices(a: Assembler): void {
  setGate(a, serialVector, 'serial.interrupt', interruptGate);
  setUpPics(a, 0xff & ~(1 << 4), 0xff);
  // 115200 baud, 8 data bits, no FIFO (the board has a plain 16450), interrupt for each byte received.
  write8(a, serialPort + 3, 0x80);
  write8(a, serialPort, 1);
  write8(a, serialPort + 1, 0);
  write8(a, serialPort + 3, 0x03);
  write8(a, serialPort + 2, 0);
  write8(a, serialPort + 1, 0x01);
  write8(a, serialPort + 4, 0x0b);
  say(a, 'weather station ready\n');
}

/**
 * Sleep until the ring has something, take a byte out, hand it to the parser.
 *
 * `pending`, the number of bytes in the ring, is what both sides agree on: the interrupt handler counts up, the main loop
 * counts down.
 */
function mainLoop(a: Assembler): void {
  a.label('main.loop');
  // Look with interrupts off, or the last byte could come between the look and the HLT.
  a.cli();
  a.label('main.load');
  a.mov(eax, dword('pending'));
  a.test(eax, eax);
  a.jnz('main.take');
  a.sti();
  a.hlt();
  a.jmp('main.loop');

  a.label('main.take');
  // The UART holds a single byte: interrupts must not stay off for long.
  a.sti();
  a.mov(ebx, dword('tail'));
  a.mov(dl, byte('ring', ebx));
  a.inc(ebx);
  a.and(ebx, ringBytes - 1);
  a.mov(dword('tail'), ebx);
  // One fewer is waiting. EAX still has how many there were.
  a.dec(eax);
  a.label('main.store');
  a.mov(dword('pending'), eax);
  a.call('parse');
  a.jmp('main.loop');
}

/** A reading is a sensor's letter, a decimal number and a line feed: "c217". Takes the byte in DL. */
function parser(a: Assembler): void {
  a.label('parse');
  a.cmp(dl, 10);
  a.je('parse.line');
  a.cmp(dl, 0x61);
  a.jae('parse.sensor');
  a.movzx(edx, dl);
  a.sub(edx, 0x30);
  a.imul(eax, dword('number'), 10);
  a.add(eax, edx);
  a.mov(dword('number'), eax);
  a.ret();

  a.label('parse.sensor');
  a.movzx(edx, dl);
  a.dec(edx);
  a.and(edx, sensors - 1);
  a.mov(dword('sensor'), edx);
  a.mov(dword('number'), 0);
  a.ret();

  a.label('parse.line');
  a.mov(ebx, dword('sensor'));
  a.mov(eax, dword('number'));
  a.mov(dword('readings', ebx, 4), eax);
  a.call('draw');
  a.call('check.ring');
  a.ret();
}

/**
 * Draws every bar anew: a reading of 320 fills the line, what is above the alarm level is red. It takes the processor as long
 * as some bytes take to arrive, the longer the higher the readings are.
 */
function display(a: Assembler): void {
  a.label('draw');
  a.xor(ebx, ebx);
  a.label('draw.bar');
  a.imul(edi, ebx, 2 * columns * 2);
  a.add(edi, screen + barRow * columns * 2);
  a.mov(eax, ebx);
  a.add(eax, textColour + 0x61);
  a.stosw();
  a.mov(edx, edi);
  a.mov(eax, textColour + 0x20);
  a.mov(ecx, columns - 1);
  a.rep().stosw();
  a.mov(ecx, dword('readings', ebx, 4));
  a.shr(ecx, 2);
  a.label('draw.cell');
  a.dec(ecx);
  a.js('draw.next');
  a.mov(eax, barColour + block);
  a.cmp(ecx, alarmCell);
  a.jb('draw.put');
  a.mov(eax, alarmColour + block);
  a.label('draw.put');
  a.mov(word(edx, ecx, 2), ax);
  a.jmp('draw.cell');
  a.label('draw.next');
  a.inc(ebx);
  a.cmp(ebx, sensors);
  a.jb('draw.bar');
  a.ret();
}

/** Once a line, for safety: the ring and the count must agree. */
function ringCheck(a: Assembler): void {
  a.label('check.ring');
  a.cli();
  a.mov(eax, dword('head'));
  a.sub(eax, dword('tail'));
  a.and(eax, ringBytes - 1);
  a.cmp(eax, dword('pending'));
  a.jne('check.failed');
  a.sti();
  a.ret();

  a.label('check.failed');
  say(a, 'ASSERTION FAILED: bytes in the ring ');
  a.call('hex');
  say(a, ', pending ');
  a.mov(eax, dword('pending'));
  a.call('hex');
  say(a, '\n');
  exit(a, assertionFailed);
}

/** One byte has come in. */
function serialInterrupt(a: Assembler): void {
  a.label('serial.interrupt');
  a.push(eax);
  a.push(ebx);
  a.push(edx);
  in8(a, serialPort);
  a.mov(ebx, dword('head'));
  a.mov(byte('ring', ebx), al);
  a.inc(bl);
  a.mov(dword('head'), ebx);
  a.inc(dword('pending'));
  endInterrupt(a, 4);
  a.pop(edx);
  a.pop(ebx);
  a.pop(eax);
  a.iret();
}

function variables(a: Assembler): void {
  a.align(64, 0);
  for (const name of ['head', 'tail', 'pending', 'sensor', 'number']) {
    a.label(name);
    a.dd(0);
  }
  a.label('readings');
  a.reserve(4 * sensors);
  a.label('ring');
  a.reserve(ringBytes);
}
