/**
 * Hardware tasks (Intel SDM volume 3, chapter 8): two tasks that pass a counter back and forth by far JMP, one that is
 * called and returns by IRET, one behind a task gate that handles an interrupt, and a double fault that a task of its own
 * survives.
 */
import { ax, cr0, dword, eax, ebx, ecx, far, offset, word } from '../../../properties/index.js';
import { type CorpusGuest, multiboot, passed } from '../guest.js';
import {
  codeSelector,
  dataSelector,
  exit,
  exitSuccess,
  extraSelector,
  idtAddress,
  must,
  protectedGuest,
  putDescriptor,
  say,
  taskGate,
} from '../kit.js';

const mainTask = extraSelector;
const peerTask = extraSelector + 8;
const calledTask = extraSelector + 16;
const interruptTask = extraSelector + 24;
const faultTask = extraSelector + 32;
const taskSelectors = { main: mainTask, peer: peerTask, called: calledTask, interrupt: interruptTask, fault: faultTask };

const availableTask = 0x89;
const taskBytes = 104;
/** Offsets in a 32-bit TSS (figure 8-2). */
const tss = { eip: 32, eflags: 36, esp: 56, es: 72, cs: 76, ss: 80, ds: 84, fs: 88, gs: 92, map: 102 } as const;

const doubleFault = 8;
const taskVector = 0x40;
const rounds = 16_000;

const image = () =>
  protectedGuest({ extraDescriptors: 5 }, (a) => {
    let stack = 0x60000;
    for (const [name, selector] of Object.entries(taskSelectors)) {
      const field = (at: number) => dword(offset(`tss.${name}`, at));
      putDescriptor(a, { selector, base: `tss.${name}`, limit: taskBytes - 1, access: availableTask });
      if (name === 'main') continue;
      a.mov(field(tss.eip), `task.${name}`);
      a.mov(field(tss.eflags), 2);
      a.mov(field(tss.esp), stack);
      for (const segment of [tss.es, tss.ss, tss.ds, tss.fs, tss.gs]) a.mov(field(segment), dataSelector);
      a.mov(field(tss.cs), codeSelector);
      a.mov(word(offset(`tss.${name}`, tss.map)), taskBytes);
      stack += 0x1000;
    }
    const gate = (vector: number, selector: number): void => {
      a.mov(dword(idtAddress + 8 * vector), selector << 16);
      a.mov(dword(idtAddress + 8 * vector + 4), taskGate << 8);
    };
    gate(taskVector, interruptTask);
    gate(doubleFault, faultTask);
    a.mov(eax, mainTask);
    a.ltr(ax);

    a.mov(ecx, rounds);
    a.xor(ebx, ebx);
    a.label('main.round');
    a.add(ebx, 1);
    a.jmp(far(peerTask, 0));
    a.loop('main.round');
    a.cmp(dword('peer.rounds'), rounds);
    must(a, 'e', 'the peer ran once a round');
    a.cmp(ebx, rounds);
    must(a, 'e', 'the registers of a task are its own');
    a.mov(eax, cr0);
    a.test(eax, 8);
    must(a, 'ne', 'a task switch sets CR0.TS');
    a.clts();
    say(a, 'jumped\n');

    a.call(far(calledTask, 0));
    a.call(far(calledTask, 0));
    a.cmp(dword('calls'), 2);
    must(a, 'e', 'the called task returned twice');
    a.cmp(word('tss.called'), mainTask);
    must(a, 'e', 'the called task has a link back');
    a.pushfd();
    a.pop(eax);
    a.test(eax, 0x4000);
    must(a, 'e', 'NT is clear in the task that was there first');
    say(a, 'called\n');

    a.int(taskVector);
    a.int(taskVector);
    a.cmp(dword('interrupts'), 2);
    must(a, 'e', 'the task gate led to its task twice');
    say(a, 'task gate\n');

    // Division by zero whose gate is not present: that fault on the way to a contributory one is a double fault.
    a.mov(dword(idtAddress + 4), 0);
    a.xor(ecx, ecx);
    a.div(ecx);
    a.label('after.fault');
    say(a, 'double fault\n');
    exit(a, exitSuccess);

    a.label('task.peer');
    a.xor(ebx, ebx);
    a.label('peer.round');
    a.inc(ebx);
    a.mov(dword('peer.rounds'), ebx);
    a.jmp(far(mainTask, 0));
    a.jmp('peer.round');

    a.label('task.called');
    a.inc(dword('calls'));
    a.iret();
    a.jmp('task.called');

    a.label('task.interrupt');
    a.inc(dword('interrupts'));
    a.iret();
    a.jmp('task.interrupt');

    // The error code lies on this task's stack. The TSS of the main task says where it stood: continue behind DIV.
    a.label('task.fault');
    a.pop(eax);
    a.test(eax, eax);
    must(a, 'e', 'the error code of a double fault is 0');
    a.mov(dword(offset('tss.main', tss.eip)), 'after.fault');
    a.iret();

    a.align(4, 0);
    for (const name of ['peer.rounds', 'calls', 'interrupts']) {
      a.label(name);
      a.dd(0);
    }
    for (const name of Object.keys(taskSelectors)) {
      a.align(128, 0);
      a.label(`tss.${name}`);
      a.reserve(taskBytes);
    }
  });

export const tasks: CorpusGuest = {
  name: 'tasks',
  title: 'hardware task switches by JMP, CALL, IRET, a task gate and a double fault',
  config: () => ({ boot: multiboot(image()) }),
  end: passed,
  serial: 'jumped\ncalled\ntask gate\ndouble fault\n',
};
