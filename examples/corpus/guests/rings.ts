/**
 * Ring 3 and ring 0 (Intel SDM volume 3, chapters 5 and 6): system calls by INT, by call gate and by SYSENTER; what a user
 * program may not do ends in faults that the kernel counts and skips; a timer interrupts both rings.
 */
import {
  type Assembler,
  al,
  ax,
  cr0,
  ds,
  dword,
  eax,
  ebx,
  ecx,
  edx,
  es,
  esi,
  esp,
  far,
  offset,
  ptr,
  word,
} from '../../../properties/index.js';
import { type CorpusGuest, multiboot, passed } from '../guest.js';
import {
  callGate,
  codeSelector,
  dataSelector,
  endInterrupt,
  exit,
  exitSuccess,
  extraSelector,
  interruptGate,
  masterVector,
  must,
  protectedGuest,
  putDescriptor,
  say,
  sayValue,
  setGate,
  setUpPics,
  startTimer,
} from '../kit.js';

/** SYSEXIT wants user code and data behind the kernel's. */
const userCode = extraSelector | 3;
const userData = (extraSelector + 8) | 3;
const taskSelector = extraSelector + 16;
const gateSelector = (extraSelector + 24) | 3;
const systemCall = 0x80;
const kernelStack = 0x88000;
const userStack = 0x70000;
const rounds = 1500;

const sysenterCs = 0x174;
const sysenterEsp = 0x175;
const sysenterEip = 0x176;

const image = () =>
  protectedGuest({ extraDescriptors: 4 }, (a) => {
    putDescriptor(a, { selector: extraSelector, base: 0, limit: 0xfffff, access: 0xfa, flags: 0xc });
    putDescriptor(a, { selector: extraSelector + 8, base: 0, limit: 0xfffff, access: 0xf2, flags: 0xc });
    putDescriptor(a, { selector: taskSelector, base: 'tss', limit: 103, access: 0x89 });
    a.mov(dword(offset('tss', 4)), kernelStack);
    a.mov(dword(offset('tss', 8)), dataSelector);
    a.mov(word(offset('tss', 102)), 104);
    a.mov(eax, taskSelector);
    a.ltr(ax);
    // A call gate for ring 3 that copies one parameter.
    a.mov(eax, 'gate.entry');
    a.mov(word(offset('gdt', extraSelector + 24)), ax);
    a.shr(eax, 16);
    a.mov(word(offset('gdt', extraSelector + 30)), ax);
    a.mov(dword(offset('gdt', extraSelector + 26)), (((callGate | 0x60) << 24) | (1 << 16) | codeSelector) >>> 0);
    setGate(a, systemCall, 'system.call', interruptGate, 3);
    setGate(a, 13, 'general.protection');
    setGate(a, masterVector, 'timer');
    setUpPics(a, 0xfe, 0xff);
    startTimer(a, 20_000);
    for (const [register, value] of [
      [sysenterCs, codeSelector],
      [sysenterEsp, kernelStack - 0x1000],
      [sysenterEip, 'fast.entry'],
    ] as const) {
      a.mov(ecx, register);
      a.mov(eax, value);
      a.xor(edx, edx);
      a.wrmsr();
    }
    a.mov(eax, userData);
    a.mov(ds, eax);
    a.mov(es, eax);
    a.push(userData);
    a.push(userStack);
    a.push(0x202);
    a.push(userCode);
    a.push('user');
    a.iret();

    userProgram(a);

    // INT 80h: EAX 0 adds EBX to the sum; 1 ends.
    a.label('system.call');
    a.cmp(eax, 1);
    a.je('finish');
    a.add(dword('sum'), ebx);
    a.inc(dword('calls'));
    a.iret();

    a.label('gate.entry');
    a.mov(ebx, dword(esp, 8));
    a.add(dword('sum'), ebx);
    a.inc(dword('calls'));
    a.retf(4);

    // SYSENTER: the user program leaves its stack in ECX and its return address in EDX.
    a.label('fast.entry');
    a.add(dword('sum'), ebx);
    a.inc(dword('calls'));
    a.sti();
    a.sysexit();

    // Counts, adds up the error codes, and goes on at the address that the user program keeps in ESI.
    a.label('general.protection');
    a.pushad();
    a.inc(dword('faults'));
    a.mov(eax, dword(esp, 32));
    a.add(dword('errors'), eax);
    a.mov(eax, dword(esp, 4));
    a.mov(dword(esp, 36), eax);
    a.popad();
    a.add(esp, 4);
    a.iret();

    a.label('timer');
    a.push(eax);
    a.push(ebx);
    a.mov(ebx, dword(esp, 12));
    a.and(ebx, 3);
    a.inc(dword('ticks', ebx, 4));
    endInterrupt(a, 0);
    a.pop(ebx);
    a.pop(eax);
    a.iret();

    a.label('finish');
    a.cli();
    a.mov(eax, dword('calls'));
    sayValue(a, 'calls ');
    a.mov(eax, dword('sum'));
    sayValue(a, 'sum ');
    a.mov(eax, dword('faults'));
    sayValue(a, 'faults ');
    a.mov(eax, dword('errors'));
    sayValue(a, 'errors ');
    a.cmp(dword(offset('ticks', 12)), 0);
    must(a, 'a', 'the timer interrupted ring 3');
    say(a, 'done\n');
    exit(a, exitSuccess);

    a.align(4, 0);
    for (const name of ['sum', 'calls', 'faults', 'errors']) {
      a.label(name);
      a.dd(0);
    }
    a.label('ticks');
    a.dd(0, 0, 0, 0);
    a.align(128, 0);
    a.label('tss');
    a.reserve(104);
  });

function userProgram(a: Assembler): void {
  a.label('user');
  a.mov(dword('round'), rounds);
  a.label('user.round');
  a.mov(ebx, dword('round'));
  a.xor(eax, eax);
  a.int(systemCall);
  a.push(ebx);
  a.call(far(gateSelector, 0));
  a.mov(ecx, esp);
  a.mov(edx, 'user.fast');
  a.mov(ebx, dword('round'));
  a.sysenter();
  a.label('user.fast');
  // Some work, so that the timer finds ring 3.
  a.mov(ecx, 60);
  a.label('user.work');
  a.loop('user.work');
  a.dec(dword('round'));
  a.jnz('user.round');

  // One of each kind of what is not allowed.
  const forbidden: readonly (() => void)[] = [
    () => a.hlt(),
    () => a.cli(),
    () => a.in(al, 0x60),
    () => a.mov(eax, cr0),
    () => a.mov(ds, ax),
    () => a.int(0x20),
    () => a.lgdt(ptr('gdtr')),
    () => a.jmp(far(codeSelector, 0)),
  ];
  forbidden.forEach((instruction, index) => {
    a.mov(esi, `user.after.${index}`);
    a.mov(eax, dataSelector);
    instruction();
    a.label(`user.after.${index}`);
  });
  a.mov(eax, 1);
  a.int(systemCall);
  a.align(4, 0);
  a.label('round');
  a.dd(0);
}

export const rings: CorpusGuest = {
  name: 'rings',
  title: 'ring 3 and ring 0: INT, call gate, SYSENTER, protection faults',
  config: () => ({ boot: multiboot(image()) }),
  end: passed,
  serial: 'calls 00001194\nsum 00338862\nfaults 00000008\nerrors 0000011a\ndone\n',
};
