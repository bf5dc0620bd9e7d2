/**
 * Virtual-8086 mode (Intel SDM volume 3, chapter 20): a small monitor runs a real-mode program at IOPL 0, in which CLI,
 * STI, PUSHF, INT and HLT fault and are done on its behalf; port 80h is allowed by the I/O permission map, port E9h is
 * not. Timer interrupts come in the middle of it.
 */
import {
  type Assembler,
  al,
  ax,
  bx,
  byte,
  cs,
  cx,
  difference,
  ds,
  dword,
  eax,
  ebp,
  ebx,
  ecx,
  edi,
  edx,
  esi,
  esp,
  offset,
  si,
  ss,
  word,
} from '../../../properties/index.js';
import { type CorpusGuest, multiboot, passed } from '../guest.js';
import {
  dataSelector,
  endInterrupt,
  exit,
  exitSuccess,
  extraSelector,
  masterVector,
  must,
  protectedGuest,
  putDescriptor,
  say,
  setGate,
  setUpPics,
  startTimer,
} from '../kit.js';

const taskSelector = extraSelector;
const mapBytes = 32;
const taskBytes = 104 + mapBytes + 1;
const kernelStack = 0x88000;

/** The real-mode program lies at 2000:0000. */
const realSegment = 0x2000;
const realStack = 0xfffe;
const virtualMode = 0x20000;
const interruptsOn = 0x200;
/** INT 21h prints the character in AL, INT 20h ends. Both are the monitor's. */
const printInterrupt = 0x21;
const endInterruptNumber = 0x20;

/** On the stack behind PUSHAD in the fault handler: error code, EIP, CS, EFLAGS, ESP, SS, ES, DS, FS, GS. */
const frame = { eip: 36, cs: 40, eflags: 44, esp: 48, ss: 52 } as const;

const image = () =>
  protectedGuest({ extraDescriptors: 1 }, (a) => {
    putDescriptor(a, { selector: taskSelector, base: 'tss', limit: taskBytes - 1, access: 0x89 });
    a.mov(dword(offset('tss', 4)), kernelStack);
    a.mov(dword(offset('tss', 8)), dataSelector);
    a.mov(word(offset('tss', 102)), 104);
    // All ports below 100h need permission except 80h; the map ends with FFh.
    a.mov(edi, offset('tss', 104));
    a.mov(al, 0xff);
    a.mov(ecx, mapBytes + 1);
    a.rep().stosb();
    a.mov(byte(offset('tss', 104 + 0x80 / 8)), 0xfe);
    a.mov(eax, taskSelector);
    a.ltr(ax);
    setGate(a, 13, 'general.protection');
    setGate(a, masterVector, 'timer');
    setUpPics(a, 0xfe, 0xff);
    startTimer(a, 20_000);

    // The program moves to where real mode can reach it.
    a.mov(esi, 'real');
    a.mov(edi, realSegment << 4);
    a.mov(ecx, difference('real.end', 'real'));
    a.rep().movsb();
    a.mov(dword('back'), esp);
    for (let i = 0; i < 4; i++) a.push(realSegment);
    a.push(realSegment);
    a.push(realStack);
    a.push(virtualMode | interruptsOn | 2);
    a.push(realSegment);
    a.push(0);
    a.iret();

    a.label('monitor.end');
    a.mov(esp, dword('back'));
    a.cli();
    a.cmp(ebx, 0x55aa);
    must(a, 'e', 'the program left its result in BX');
    a.cmp(dword('emulated'), 200);
    must(a, 'a', 'sensitive instructions were emulated');
    a.cmp(dword('ticks'), 2);
    must(a, 'a', 'interrupts came in virtual-8086 mode');
    say(a, 'done\n');
    exit(a, exitSuccess);

    // On the way out of virtual-8086 mode the data segments were cleared: SS is the one that reaches memory.
    a.label('timer');
    a.push(eax);
    a.inc(dword('ticks').seg(ss));
    endInterrupt(a, 0);
    a.pop(eax);
    a.iret();

    a.label('general.protection');
    a.pushad();
    a.mov(eax, dataSelector);
    a.mov(ds, eax);
    a.test(dword(esp, frame.eflags), virtualMode);
    must(a, 'ne', 'the fault comes from the program');
    a.cmp(dword(esp, 32), 0);
    must(a, 'e', 'the error code of a sensitive instruction is 0');
    a.inc(dword('emulated'));
    a.mov(ebp, esp);
    // EBX: linear address of the instruction.
    a.mov(ebx, dword(ebp, frame.cs));
    a.shl(ebx, 4);
    a.add(ebx, dword(ebp, frame.eip));
    a.movzx(eax, byte(ebx));
    for (const [opcode, name] of [
      [0xfa, 'cli'],
      [0xfb, 'sti'],
      [0x9c, 'pushf'],
      [0x9d, 'popf'],
      [0xcd, 'int'],
      [0xe6, 'out'],
    ] as const) {
      a.cmp(al, opcode);
      a.je(`emulate.${name}`);
    }
    a.call('failed');
    a.asciz('an instruction that the monitor does not know');

    a.label('emulate.cli');
    a.mov(dword('virtual.interrupts'), 0);
    a.jmp('emulate.one');
    a.label('emulate.sti');
    a.mov(dword('virtual.interrupts'), interruptsOn);
    a.jmp('emulate.one');
    a.label('emulate.pushf');
    a.sub(word(ebp, frame.esp), 2);
    a.call('stack.address');
    a.mov(eax, dword(ebp, frame.eflags));
    a.and(eax, 0xfdff);
    a.or(eax, dword('virtual.interrupts'));
    a.mov(word(edx), ax);
    a.jmp('emulate.one');
    a.label('emulate.popf');
    a.call('stack.address');
    a.movzx(eax, word(edx));
    a.add(word(ebp, frame.esp), 2);
    a.mov(ecx, eax);
    a.and(ecx, interruptsOn);
    a.mov(dword('virtual.interrupts'), ecx);
    a.and(eax, 0x0cff);
    a.or(eax, virtualMode | interruptsOn | 2);
    a.mov(dword(ebp, frame.eflags), eax);
    a.jmp('emulate.one');
    // OUT to the debug console: the monitor does it.
    a.label('emulate.out');
    a.mov(eax, dword(ebp, 28));
    a.out(0xe9, al);
    a.jmp('emulate.two');
    a.label('emulate.int');
    a.cmp(byte(ebx, 1), endInterruptNumber);
    a.je('emulate.end');
    a.cmp(byte(ebx, 1), printInterrupt);
    must(a, 'e', 'the monitor knows two interrupts');
    a.mov(eax, dword(ebp, 28));
    a.call('put');
    a.label('emulate.two');
    a.inc(word(ebp, frame.eip));
    a.label('emulate.one');
    a.inc(word(ebp, frame.eip));
    a.popad();
    a.add(esp, 4);
    a.iret();
    a.label('emulate.end');
    a.movzx(ebx, word(ebp, 16));
    a.jmp('monitor.end');

    // EDX: linear address of the top of the program's stack.
    a.label('stack.address');
    a.mov(edx, dword(ebp, frame.ss));
    a.shl(edx, 4);
    a.add(edx, dword(ebp, frame.esp));
    a.ret();

    a.align(4, 0);
    for (const name of ['back', 'emulated', 'ticks']) {
      a.label(name);
      a.dd(0);
    }
    a.label('virtual.interrupts');
    a.dd(interruptsOn);
    a.align(128, 0);
    a.label('tss');
    a.reserve(taskBytes);
    realProgram(a);
  });

function realProgram(a: Assembler): void {
  a.label('real');
  a.bits(16);
  a.mov(ax, cs);
  a.mov(ds, ax);
  a.mov(cx, 100);
  a.label('real.round');
  a.cli();
  a.pushf();
  a.mov(bx, 500);
  a.label('real.work');
  a.dec(bx);
  a.jnz('real.work');
  a.out(0x80, al);
  a.popf();
  a.sti();
  a.loop('real.round');
  // PUSHF shows the virtual interrupt flag.
  a.sti();
  a.pushf();
  a.pop(ax);
  a.test(ax, 0x200);
  a.jz('real.bad');
  a.mov(si, difference('real.text', 'real'));
  a.label('real.print');
  a.lodsb();
  a.test(al, al);
  a.jz('real.printed');
  a.out(0xe9, al);
  a.int(printInterrupt);
  a.jmp('real.print');
  a.label('real.printed');
  a.mov(bx, 0x55aa);
  a.label('real.bad');
  a.int(endInterruptNumber);
  a.label('real.text');
  a.asciz('hello from 8086\n');
  a.label('real.end');
  a.bits(32);
}

export const v86: CorpusGuest = {
  name: 'v86',
  title: 'a virtual-8086 program under a monitor, with timer interrupts',
  config: () => ({ boot: multiboot(image()) }),
  end: passed,
  serial: 'hello from 8086\ndone\n',
};
