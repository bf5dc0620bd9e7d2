import { describe, expect, it } from 'vitest';
import { GuestException } from './exceptions.js';
import { deliver, raise } from './interrupts.js';
import * as layout from './layout.js';
import { CR0, CR4, EFLAG } from './state.js';
import { ACCESS, DPL3, IDT, KERNEL_STACK, ProtectedModeCpu, SELECTOR, TSS, USER_STACK } from './test-protected-mode.js';

const GP = 13;
const TS = 10;
const NP = 11;
const SS_FAULT = 12;
const { free, free2, free3 } = SELECTOR;
const OTHER_TSS = 0x6000;
const DR6 = layout.DEBUG + 6 * 8;
const DR7 = layout.DEBUG + 7 * 8;

interface Task {
  cr3?: number;
  eip?: number;
  eflags?: number;
  esp?: number;
  /** ES, CS, SS, DS, FS, GS */
  segments?: number[];
  ldt?: number;
  trap?: number;
}

const KERNEL = [SELECTOR.kernelData, SELECTOR.kernelCode, SELECTOR.kernelData, SELECTOR.kernelData, 0, 0];
const USER = [SELECTOR.userData, SELECTOR.userCode, SELECTOR.userData, SELECTOR.userData, SELECTOR.userData, 0];

/** A second, 32-bit task under the selector `free`. */
function withTask(task: Task = {}): ProtectedModeCpu {
  const cpu = new ProtectedModeCpu();
  cpu.segment(free, 0x89, OTHER_TSS, 0x67, 0);
  cpu.put32(OTHER_TSS + 4, 0x9400, SELECTOR.kernelData);
  cpu.put32(OTHER_TSS + 0x1c, task.cr3 ?? 0, task.eip ?? 0x5000, task.eflags ?? EFLAG.zf);
  cpu.put32(OTHER_TSS + 0x28, 0xa0, 0xa1, 0xa2, 0xa3, task.esp ?? 0x9c00, 0xa5, 0xa6, 0xa7);
  cpu.put32(OTHER_TSS + 0x48, ...(task.segments ?? KERNEL));
  cpu.put32(OTHER_TSS + 0x60, task.ldt ?? 0);
  cpu.put16(OTHER_TSS + 0x64, task.trap ?? 0);
  return cpu;
}

const jump = (cpu: ProtectedModeCpu) => cpu.run('jumpFarDirect', { immediate2: free });
const call = (cpu: ProtectedModeCpu) => cpu.run('callFarDirect', { immediate2: free });

/** Like faultOf, for faults that belong to the new task. */
function newTaskFault(cpu: ProtectedModeCpu, action: () => void): [number, number, string] {
  try {
    action();
  } catch (thrown) {
    if (thrown instanceof GuestException) {
      expect(cpu.state.segmentSelector(layout.TR)).toBe(free);
      return [thrown.vector, thrown.errorCode, thrown.kind];
    }
    throw thrown;
  }
  throw new Error('no fault');
}

describe('a switch', () => {
  it('saves one task and loads the other', () => {
    const cpu = withTask();
    for (let i = 0; i < 8; i++) if (i !== 4) cpu.state.setReg32(i, 0xb0 + i);
    cpu.state.eflags = EFLAG.cf | EFLAG.nt | EFLAG.if;
    cpu.state.set32(DR7, 0x7ff);
    cpu.put16(TSS + 0x60, 0x1234);
    jump(cpu);
    expect(cpu.words(TSS + 0x60, 1, 2)).toEqual([0x1234]);
    expect(cpu.words(TSS + 0x20, 10)).toEqual([
      0x400,
      EFLAG.cf | EFLAG.nt | EFLAG.if | 2,
      0xb0,
      0xb1,
      0xb2,
      0xb3,
      KERNEL_STACK,
      0xb5,
      0xb6,
      0xb7,
    ]);
    expect(cpu.words(TSS + 0x48, 6)).toEqual([0x10, 0x08, 0x10, 0x10, 0x10, 0x10]);
    expect([0, 1, 2, 3, 4, 5, 6, 7].map((i) => cpu.state.reg32(i))).toEqual([0xa0, 0xa1, 0xa2, 0xa3, 0x9c00, 0xa5, 0xa6, 0xa7]);
    expect([0, 1, 2, 3, 4, 5].map((i) => cpu.state.segmentSelector(i))).toEqual(KERNEL);
    expect([cpu.state.eip, cpu.state.eflags, cpu.state.cpl]).toEqual([0x5000, EFLAG.zf | 2, 0]);
    expect(cpu.state.readSegment(layout.TR)).toEqual({ selector: free, base: OTHER_TSS, limit: 0x67, attributes: 0x8b });
    expect(cpu.state.segmentAttributes(layout.LDTR)).toBe(0);
    expect(cpu.state.cr0 & CR0.ts).toBe(CR0.ts);
    expect(cpu.state.get32(DR7)).toBe(0x6aa);
    // A jump frees the old task and leaves no link.
    expect([cpu.access(SELECTOR.tss), cpu.access(free)]).toEqual([0x89, 0x8b]);
    expect(cpu.words(OTHER_TSS, 1)).toEqual([0]);
    expect(cpu.log.at(-1)).toBe('modeChanged');
  });

  it('by CALL nests, and IRET comes back', () => {
    const cpu = withTask();
    cpu.state.eflags = EFLAG.if;
    cpu.state.setReg32(3, 0x1234_5678);
    call(cpu);
    expect([cpu.access(SELECTOR.tss), cpu.access(free)]).toEqual([0x8b, 0x8b]);
    expect(cpu.words(OTHER_TSS, 1)).toEqual([SELECTOR.tss]);
    expect(cpu.state.eflags).toBe(EFLAG.zf | EFLAG.nt | 2);
    cpu.state.setReg32(3, 0xffff);
    cpu.state.eip = 0x5005;
    cpu.run('iret');
    expect([cpu.access(SELECTOR.tss), cpu.access(free)]).toEqual([0x8b, 0x89]);
    expect([cpu.state.eip, cpu.state.reg32(3), cpu.state.eflags]).toEqual([0x400, 0x1234_5678, EFLAG.if | 2]);
    // NT is clear in what the left task will be resumed with.
    expect(cpu.words(OTHER_TSS + 0x20, 2)).toEqual([0x5005, EFLAG.zf | 2]);
  });

  it('enters ring 3 with its LDT', () => {
    const cpu = withTask({ segments: [0x07, ...USER.slice(1)], ldt: SELECTOR.ldt });
    cpu.segment(0x04, ACCESS.data | DPL3, 0x77);
    jump(cpu);
    expect([cpu.state.cpl, cpu.state.segmentSelector(layout.LDTR), cpu.state.segmentBase(layout.ES)]).toEqual([3, SELECTOR.ldt, 0x77]);
  });

  it('enters conforming code of its own or an inner ring, in the ring of its selector', () => {
    for (const code of [SELECTOR.conforming, SELECTOR.conforming | 3]) {
      const cpu = withTask({ segments: (code & 3 ? USER : KERNEL).map((value, i) => (i === layout.CS ? code : value)) });
      jump(cpu);
      expect([cpu.state.cpl, cpu.state.segmentSelector(layout.CS)]).toEqual([code & 3, code]);
    }
  });

  it('may start at the last byte of its code', () => {
    const cpu = withTask({ eip: 0xffff, segments: KERNEL.map((value, i) => (i === layout.CS ? SELECTOR.kernelCode16 : value)) });
    jump(cpu);
    expect(cpu.state.eip).toBe(0xffff);
  });

  it('enters virtual-8086 mode', () => {
    const cpu = withTask({ eflags: EFLAG.vm, segments: [0x4000, 0x100, 0x200, 0x300, 0, 0xffff] });
    jump(cpu);
    expect([cpu.state.cpl, cpu.state.virtual8086, cpu.state.segmentBase(layout.ES), cpu.state.segmentBase(layout.GS)]).toEqual([
      3,
      true,
      0x4_0000,
      0xf_fff0,
    ]);
  });

  it('to and from a 16-bit task', () => {
    const cpu = new ProtectedModeCpu();
    cpu.segment(free, 0x81, OTHER_TSS, 0x2b, 0);
    cpu.put16(OTHER_TSS + 0x0e, 0x5000, EFLAG.zf, 0xa0, 0xa1, 0xa2, 0xa3, 0x9c00, 0xa5, 0xa6, 0xa7, 0x10, 0x08, 0x10, 0x10, 0);
    cpu.state.setReg32(0, 0x1_0000);
    call(cpu);
    expect([0, 4].map((i) => cpu.state.reg32(i))).toEqual([0xffff_00a0, 0xffff_9c00]);
    expect([layout.FS, layout.GS].map((i) => cpu.state.readSegment(i).attributes)).toEqual([0, 0]);
    cpu.state.setReg32(0, 0x1234_5678);
    cpu.run('iret', { operandSize: 16 });
    expect(cpu.state.reg32(0)).toBe(0x1_0000);
    expect(cpu.words(OTHER_TSS + 0x12, 1, 2)).toEqual([0x5678]);
    expect(cpu.access(free)).toBe(0x81);
  });

  it('loads CR3 while paging is on', () => {
    const cpu = withTask({ cr3: 0x5000 });
    cpu.state.set32(layout.CR0, cpu.state.cr0 | CR0.pg);
    cpu.state.set32(layout.CR4, CR4.pae);
    jump(cpu);
    expect(cpu.state.cr3).toBe(0x5000);
    expect(cpu.log).toEqual(['pointers 5000', 'flush nonGlobal', 'modeChanged']);
    const off = withTask({ cr3: 0x5000 });
    jump(off);
    expect(off.state.cr3).toBe(0);
  });
});

describe('faults of the old task change nothing', () => {
  it.each<[string, (cpu: ProtectedModeCpu) => void, [number, number]]>([
    ['new TSS absent', (cpu) => cpu.guest.absent.add(6), [14, 0]],
    ['old TSS read-only', (cpu) => cpu.guest.readOnly.add(3), [14, 3]],
    ['GDT read-only', (cpu) => cpu.guest.readOnly.add(1), [14, 3]],
    [
      'old TSS too short',
      (cpu) => cpu.state.writeSegment(layout.TR, { selector: SELECTOR.tss, base: TSS, limit: 0x66, attributes: 0x8b }),
      [TS, SELECTOR.tss],
    ],
    [
      'page-directory pointers invalid',
      (cpu) => {
        cpu.state.set32(layout.CR0, cpu.state.cr0 | CR0.pg);
        cpu.state.set32(layout.CR4, CR4.pae);
        cpu.pointersValid = false;
      },
      [GP, 0],
    ],
  ])('%s', (_, prepare, expected) => {
    const cpu = withTask();
    prepare(cpu);
    expect(cpu.faultOf(() => jump(cpu))).toEqual(expected);
  });

  it('the link of the new TSS cannot be written', () => {
    const cpu = withTask();
    cpu.guest.readOnly.add(6);
    expect(cpu.faultOf(() => call(cpu))).toEqual([14, 3]);
    jump(cpu);
  });

  it.each([
    ['not a TSS', SELECTOR.kernelCode, [TS, SELECTOR.kernelCode]],
    ['in the LDT', 0x0c, [TS, 0x0c]],
    ['outside the GDT', SELECTOR.outside, [TS, SELECTOR.outside]],
    ['not busy', free, [TS, free]],
    ['not present', free2, [NP, free2]],
  ] as const)('IRET with a link that is %s', (_, link, expected) => {
    const cpu = withTask();
    cpu.segment(free2, 0x0b, OTHER_TSS, 0x67, 0);
    cpu.put16(TSS, link);
    cpu.state.eflags = EFLAG.nt;
    expect(cpu.faultOf(() => cpu.run('iret'))).toEqual(expected);
  });
});

describe('faults of the new task', () => {
  const at = (index: number, selector: number, base = KERNEL): number[] => base.map((value, i) => (i === index ? selector : value));

  it.each<[string, Task, [number, number]]>([
    ['LDT of another type', { ldt: SELECTOR.kernelData }, [TS, SELECTOR.kernelData]],
    ['LDT in the LDT', { ldt: 0x0c }, [TS, 0x0c]],
    ['LDT outside the GDT', { ldt: SELECTOR.outside }, [TS, SELECTOR.outside]],
    ['LDT not present', { ldt: free2 }, [TS, free2]],
    ['CS null', { segments: at(layout.CS, 0) }, [TS, 0]],
    ['CS data', { segments: at(layout.CS, SELECTOR.kernelData) }, [TS, SELECTOR.kernelData]],
    ['CS with RPL other than DPL', { segments: at(layout.CS, SELECTOR.kernelCode | 3) }, [TS, SELECTOR.kernelCode]],
    ['CS outside the GDT', { segments: at(layout.CS, SELECTOR.outside) }, [TS, SELECTOR.outside]],
    ['CS not present', { segments: at(layout.CS, free3) }, [NP, free3]],
    ['SS null', { segments: at(layout.SS, 0) }, [TS, 0]],
    ['SS of another ring', { segments: at(layout.SS, SELECTOR.userData) }, [TS, SELECTOR.userData & ~3]],
    ['SS not present', { segments: at(layout.SS, free2 + 0x18) }, [SS_FAULT, free2 + 0x18]],
    ['DS execute-only', { segments: at(layout.DS, free2 + 0x20) }, [TS, free2 + 0x20]],
    ['FS of an inner ring', { segments: at(layout.FS, SELECTOR.kernelData, USER) }, [TS, SELECTOR.kernelData]],
    ['GS not present', { segments: at(layout.GS, free2 + 0x18) }, [NP, free2 + 0x18]],
    ['EIP outside CS', { segments: at(layout.CS, SELECTOR.kernelCode16), eip: 0x1_0000 }, [GP, 0]],
  ])('%s', (_, task, expected) => {
    const cpu = withTask(task);
    cpu.segment(free2, ACCESS.ldt & 0x7f);
    cpu.segment(free3, ACCESS.code & 0x7f);
    cpu.segment(free2 + 0x18, ACCESS.data & 0x7f);
    cpu.segment(free2 + 0x20, ACCESS.executeOnly);
    expect(newTaskFault(cpu, () => jump(cpu))).toEqual([...expected, 'newTask']);
    expect(cpu.state.eip).toBe(task.eip ?? 0x5000);
    expect(cpu.state.segmentSelector(layout.GS)).toBe((task.segments ?? KERNEL)[layout.GS]);
  });

  it('the T bit traps before the first instruction', () => {
    const cpu = withTask({ trap: 1 });
    cpu.state.set32(DR6, 0);
    expect(newTaskFault(cpu, () => jump(cpu))).toEqual([1, 0, 'trap']);
    expect(cpu.state.get32(DR6)).toBe(1 << 15);
  });
});

describe('exceptions through a task gate', () => {
  it('push the error code on the new stack', () => {
    const cpu = withTask({ segments: USER, esp: USER_STACK });
    cpu.gate(IDT + GP * 8, 0x85, free, 0);
    expect(raise(cpu, new GuestException(GP, 0x123))).toBe('delivered');
    expect([cpu.state.reg32(4), cpu.words(USER_STACK - 4, 1)]).toEqual([USER_STACK - 4, [0x123]]);
    // The old task resumes with RF, at the fault.
    expect(cpu.words(TSS + 0x20, 2)).toEqual([0x400, EFLAG.rf | 2]);
    expect(cpu.state.eflags & EFLAG.nt).toBe(EFLAG.nt);
  });

  it('faults of the new task count as faults in delivery', () => {
    const cpu = withTask({ segments: [0, SELECTOR.kernelCode, SELECTOR.kernelData, 0, SELECTOR.outside, 0] });
    cpu.gate(IDT + 6 * 8, 0x85, free, 0);
    cpu.interruptGate(TS);
    expect(raise(cpu, new GuestException(6))).toBe('delivered');
    expect(cpu.state.eip).toBe(0x1_2340 + TS);
    expect(cpu.words(0x9c00 - 16, 3)).toEqual([SELECTOR.outside + 1, 0x5000, SELECTOR.kernelCode]);
  });

  it.each<[string, Task, number, number]>([
    ['LDT outside the GDT', { ldt: SELECTOR.outside }, TS, SELECTOR.outside],
    ['LDT in the LDT', { ldt: 0x0c }, TS, 0x0c],
    ['LDT not present', { ldt: free2 }, TS, free2],
    ['CS outside the GDT', { segments: [0, SELECTOR.outside, 0, 0, 0, 0] }, TS, SELECTOR.outside],
    ['CS null', { segments: [0, 0, 0, 0, 0, 0] }, TS, 0],
    ['CS data', { segments: [0, SELECTOR.kernelData, 0, 0, 0, 0] }, TS, SELECTOR.kernelData],
    ['CS not present', { segments: [0, free3, 0, 0, 0, 0] }, NP, free3],
    ['SS null', { segments: [0, 8, 0, 0, 0, 0] }, TS, 0],
    ['EIP outside CS', { segments: [0, SELECTOR.kernelCode16, SELECTOR.kernelData, 0, 0, 0], eip: 0x1_0000 }, GP, 0],
  ])('set EXT in what the new task raises: %s', (_, task, vector, errorCode) => {
    const cpu = withTask(task);
    cpu.segment(free2, ACCESS.ldt & 0x7f);
    cpu.segment(free3, ACCESS.code & 0x7f);
    cpu.gate(IDT + 6 * 8, 0x85, free, 0);
    expect(newTaskFault(cpu, () => deliver(cpu, { vector: 6, source: 'exception' }))).toEqual([vector, errorCode + 1, 'newTask']);
  });

  it.each([
    ['in the LDT', 0x0c, GP, 0x0c],
    ['not a TSS', SELECTOR.kernelCode, GP, SELECTOR.kernelCode],
    ['not present', free2, NP, free2],
    ['too short', free3, TS, free3],
  ])('set EXT for a TSS that is %s', (_, selector, vector, errorCode) => {
    const cpu = withTask();
    cpu.segment(free2, 0x09, OTHER_TSS, 0x67, 0);
    cpu.segment(free3, 0x89, OTHER_TSS, 0x66, 0);
    cpu.gate(IDT + 6 * 8, 0x85, selector, 0);
    expect(cpu.faultOf(() => deliver(cpu, { vector: 6, source: 'exception' }))).toEqual([vector, errorCode + 1]);
  });

  it('without room for the error code: #SS in the new task', () => {
    const cpu = withTask({ esp: 2, segments: [0, 8, free2, 0, 0, 0] });
    cpu.segment(free2, ACCESS.data, 0, 0xfff, 4);
    cpu.gate(IDT + GP * 8, 0x85, free, 0);
    cpu.gate(IDT + 8 * 8, 0x85, free3, 0);
    // Contributory after contributory: a double fault, through a task of its own.
    cpu.segment(free3, 0x89, 0x7000, 0x67, 0);
    cpu.guest.bytes.copyWithin(0x7000, OTHER_TSS, OTHER_TSS + 0x68);
    cpu.put32(0x7020, 0x6000);
    cpu.put32(0x7038, 0x800);
    const other = withTask({ esp: 2, segments: [0, 8, free2, 0, 0, 0] });
    other.segment(free2, ACCESS.data, 0, 0xfff, 4);
    other.gate(IDT + GP * 8, 0x85, free, 0);
    const direct = () => deliver(other, { vector: GP, source: 'exception', errorCode: 0x123 });
    expect(newTaskFault(other, direct)).toEqual([SS_FAULT, 1, 'newTask']);
    expect(raise(cpu, new GuestException(GP, 0x123))).toBe('delivered');
    expect([cpu.state.eip, cpu.state.reg32(4), cpu.words(0x7fc, 1)]).toEqual([0x6000, 0x7fc, [0]]);
  });
});
