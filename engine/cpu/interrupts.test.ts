import { describe, expect, it } from 'vitest';
import { GuestException } from './exceptions.js';
import { acceptInterrupt, deliver, type EventSource, raise } from './interrupts.js';
import * as layout from './layout.js';
import { CR4, EFLAG } from './state.js';
import { TestCpu } from './test-cpu.js';
import {
  ACCESS,
  DPL3,
  IDT,
  IO_MAP,
  KERNEL_STACK,
  ProtectedModeCpu,
  RING0_STACK,
  RING1_STACK,
  SELECTOR,
  TSS,
  USER_STACK,
} from './test-protected-mode.js';

const ESP = 4;
const GP = 13;
const TS = 10;
const NP = 11;
const SS_FAULT = 12;
const DF = 8;
const VECTOR = 0x40;
const EXT = 1;
const deliverAs = (cpu: ProtectedModeCpu, source: EventSource, errorCode?: number): void =>
  deliver(cpu, { vector: VECTOR, source, ...(errorCode === undefined ? {} : { errorCode }) });

describe('real mode', () => {
  it('pushes FLAGS, CS and IP and clears IF, TF, AC', () => {
    const cpu = new TestCpu();
    cpu.guest.view.setUint32(VECTOR * 4, 0x1234_5678, true);
    cpu.state.eflags = EFLAG.if | EFLAG.tf | EFLAG.ac | EFLAG.cf | EFLAG.nt;
    cpu.state.writeSegment(layout.CS, { selector: 0x100, base: 0x1000, limit: 0xffff, attributes: 0x93 });
    cpu.state.setReg32(ESP, 0xabcd_0002);
    cpu.state.eip = 0x77;
    expect(acceptInterrupt(cpu, VECTOR)).toBe('delivered');
    expect([cpu.state.segmentSelector(layout.CS), cpu.state.segmentBase(layout.CS), cpu.state.eip]).toEqual([0x1234, 0x1_2340, 0x5678]);
    // SP wrapped from 2 to fffch.
    expect(cpu.state.reg32(ESP)).toBe(0xabcd_fffc);
    expect([0xfffc, 0xfffe, 0].map((at) => cpu.guest.view.getUint16(at, true))).toEqual([0x77, 0x100, 0x4303]);
    expect(cpu.state.eflags).toBe(EFLAG.cf | EFLAG.nt | 2);
  });

  it('shuts down when neither the vector nor that of the double fault lies in the table', () => {
    const cpu = new TestCpu();
    cpu.state.set32(layout.IDTR_LIMIT, 8 * 4);
    expect(acceptInterrupt(cpu, VECTOR)).toBe('tripleFault');
  });

  it('goes to #GP for a vector outside the table', () => {
    const cpu = new TestCpu();
    cpu.state.set32(layout.IDTR_LIMIT, 0xff);
    cpu.state.setReg32(ESP, 0x1000);
    cpu.guest.view.setUint32(GP * 4, 0x0050_0060, true);
    expect(acceptInterrupt(cpu, VECTOR)).toBe('delivered');
    expect([cpu.state.segmentSelector(layout.CS), cpu.state.eip]).toEqual([0x50, 0x60]);
    expect(cpu.state.reg32(ESP)).toBe(0xffa);
  });
});

describe('gate checks', () => {
  const setUp: [string, (cpu: ProtectedModeCpu) => void, EventSource, [number, number]][] = [
    ['vector outside the IDT', (cpu) => cpu.state.set32(layout.IDTR_LIMIT, VECTOR * 8 + 6), 'external', [GP, VECTOR * 8 + 2 + EXT]],
    ['vector outside the IDT, INT n', (cpu) => cpu.state.set32(layout.IDTR_LIMIT, VECTOR * 8 + 6), 'software', [GP, VECTOR * 8 + 2]],
    ['not a gate', (cpu) => cpu.interruptGate(VECTOR, 0x8c), 'external', [GP, VECTOR * 8 + 2 + EXT]],
    ['not a system descriptor', (cpu) => cpu.interruptGate(VECTOR, 0x9e), 'external', [GP, VECTOR * 8 + 2 + EXT]],
    ['DPL below CPL, INT n', (cpu) => cpu.enterRing(3), 'software', [GP, VECTOR * 8 + 2]],
    ['DPL below CPL, INT3', (cpu) => cpu.enterRing(3), 'softwareTrap', [GP, VECTOR * 8 + 2]],
    ['gate not present', (cpu) => cpu.interruptGate(VECTOR, 0x0e), 'icebp', [NP, VECTOR * 8 + 2 + EXT]],
    ['null code selector', (cpu) => cpu.interruptGate(VECTOR, 0x8e, 3), 'external', [GP, EXT]],
    ['null code selector, INT n', (cpu) => cpu.interruptGate(VECTOR, 0x8e, 3), 'software', [GP, 0]],
    ['code outside the GDT', (cpu) => cpu.interruptGate(VECTOR, 0x8e, SELECTOR.outside), 'external', [GP, SELECTOR.outside + EXT]],
    [
      'handler in a data segment',
      (cpu) => cpu.interruptGate(VECTOR, 0x8e, SELECTOR.kernelData),
      'external',
      [GP, SELECTOR.kernelData + EXT],
    ],
    ['handler in an outer ring', (cpu) => cpu.interruptGate(VECTOR, 0x8e, SELECTOR.userCode), 'external', [GP, 0x18 + EXT]],
    [
      'code not present',
      (cpu) => {
        cpu.segment(SELECTOR.free, ACCESS.code & 0x7f);
        cpu.interruptGate(VECTOR, 0x8e, SELECTOR.free);
      },
      'external',
      [NP, SELECTOR.free + EXT],
    ],
    [
      'handler of an inner ring outside its segment',
      (cpu) => {
        cpu.enterRing(3);
        cpu.segment(SELECTOR.free, ACCESS.code, 0, 0xfff, 4);
        cpu.interruptGate(VECTOR, 0x8e, SELECTOR.free, 0x1000);
      },
      'external',
      [GP, EXT],
    ],
    [
      'handler outside its segment',
      (cpu) => {
        cpu.segment(SELECTOR.free, ACCESS.code, 0, 0xfff, 4);
        cpu.interruptGate(VECTOR, 0x8e, SELECTOR.free, 0x1000);
      },
      'external',
      [GP, EXT],
    ],
    [
      'no room on the same stack',
      (cpu) => cpu.state.writeSegment(layout.SS, { ...cpu.state.readSegment(layout.SS), limit: KERNEL_STACK - 5 }),
      'external',
      [SS_FAULT, EXT],
    ],
    [
      'TSS too short for the inner stack',
      (cpu) => {
        cpu.enterRing(3);
        cpu.state.writeSegment(layout.TR, { ...cpu.state.readSegment(layout.TR), limit: 8 });
      },
      'external',
      [TS, SELECTOR.tss + EXT],
    ],
  ];
  it.each(setUp)('%s', (_, prepare, source, expected) => {
    const cpu = new ProtectedModeCpu();
    cpu.interruptGate(VECTOR);
    prepare(cpu);
    expect(cpu.faultOf(() => deliverAs(cpu, source))).toEqual(expected);
  });

  const stacks: [string, (cpu: ProtectedModeCpu) => number, (selector: number) => [number, number]][] = [
    ['null', () => 0, () => [TS, EXT]],
    ['outside the GDT', () => SELECTOR.outside, (s) => [TS, s + EXT]],
    ['wrong RPL', () => SELECTOR.kernelData | 1, () => [TS, SELECTOR.kernelData + EXT]],
    ['wrong DPL', () => SELECTOR.userData & ~3, (s) => [TS, s + EXT]],
    ['code', () => SELECTOR.kernelCode, (s) => [TS, s + EXT]],
    [
      'read-only',
      (cpu) => {
        cpu.segment(SELECTOR.free, ACCESS.readOnly);
        return SELECTOR.free;
      },
      (s) => [TS, s + EXT],
    ],
    [
      'not present',
      (cpu) => {
        cpu.segment(SELECTOR.free, ACCESS.data & 0x7f);
        return SELECTOR.free;
      },
      (s) => [SS_FAULT, s + EXT],
    ],
    [
      'too small',
      (cpu) => {
        cpu.segment(SELECTOR.free, ACCESS.data, 0, RING0_STACK - 5, 4);
        return SELECTOR.free;
      },
      (s) => [SS_FAULT, s + EXT],
    ],
  ];
  it.each(stacks)('inner stack segment: %s', (_, selectorOf, expected) => {
    const cpu = new ProtectedModeCpu();
    cpu.interruptGate(VECTOR);
    cpu.enterRing(3);
    const selector = selectorOf(cpu);
    cpu.put32(TSS + 8, selector);
    expect(cpu.faultOf(() => deliverAs(cpu, 'external'))).toEqual(expected(selector));
  });

  it('a page fault on the inner stack is a supervisor write and changes nothing', () => {
    const cpu = new ProtectedModeCpu();
    cpu.interruptGate(VECTOR);
    cpu.enterRing(3);
    cpu.put32(TSS + 4, 0x9004);
    cpu.guest.absent.add(8);
    expect(cpu.faultOf(() => deliverAs(cpu, 'external'))).toEqual([14, 2]);
    expect(cpu.state.cr2).toBe(0x8ffc);
  });
});

describe('gates', () => {
  const FLAGS = EFLAG.if | EFLAG.tf | EFLAG.nt | EFLAG.cf | 2;

  it.each([
    ['32-bit interrupt gate', 0x8e, 4, 0x1_2380, EFLAG.cf | 2],
    ['32-bit trap gate', 0x8f, 4, 0x1_2380, EFLAG.cf | EFLAG.if | 2],
    ['16-bit interrupt gate', 0x86, 2, 0x2380, EFLAG.cf | 2],
    ['16-bit trap gate', 0x87, 2, 0x2380, EFLAG.cf | EFLAG.if | 2],
  ] as const)('same ring, %s', (_, access, bytes, eip, flags) => {
    const cpu = new ProtectedModeCpu();
    cpu.interruptGate(VECTOR, access);
    cpu.state.eflags = FLAGS;
    deliverAs(cpu, 'exception', 0xbeef);
    expect(cpu.state.reg32(ESP)).toBe(KERNEL_STACK - 4 * bytes);
    expect(cpu.words(cpu.state.reg32(ESP), 4, bytes)).toEqual([0xbeef, 0x400, SELECTOR.kernelCode, FLAGS]);
    expect([cpu.state.eip, cpu.state.eflags, cpu.state.cpl]).toEqual([eip, flags, 0]);
  });

  it('to ring 0 and to ring 1, by interrupt and by INT n', () => {
    const cpu = new ProtectedModeCpu();
    cpu.interruptGate(VECTOR, 0x8e | DPL3);
    cpu.enterRing(3);
    cpu.state.eflags = FLAGS;
    cpu.run('int', { immediate: VECTOR });
    expect(cpu.state.reg32(ESP)).toBe(RING0_STACK - 20);
    expect(cpu.words(RING0_STACK - 20, 5)).toEqual([0x400, SELECTOR.userCode, FLAGS, USER_STACK, SELECTOR.userData]);
    expect([cpu.state.cpl, cpu.state.segmentSelector(layout.CS), cpu.state.segmentSelector(layout.SS)]).toEqual([0, 8, 0x10]);
    expect(cpu.state.segmentSelector(layout.DS)).toBe(SELECTOR.userData);

    cpu.enterRing(3);
    cpu.interruptGate(VECTOR, 0x8e, SELECTOR.ring1Code);
    deliverAs(cpu, 'external');
    expect([cpu.state.cpl, cpu.state.segmentSelector(layout.CS), cpu.state.segmentSelector(layout.SS)]).toEqual([1, 0x51, 0x59]);
    expect(cpu.state.reg32(ESP)).toBe(RING1_STACK - 20);
  });

  it('conforming handlers stay in their ring', () => {
    const cpu = new ProtectedModeCpu();
    cpu.interruptGate(VECTOR, 0x8e, SELECTOR.conforming);
    cpu.enterRing(3);
    deliverAs(cpu, 'external');
    expect([cpu.state.cpl, cpu.state.segmentSelector(layout.CS), cpu.state.reg32(ESP)]).toEqual([
      3,
      SELECTOR.conforming | 3,
      USER_STACK - 12,
    ]);
  });

  it('sets RF in the image of faults only', () => {
    const pushedFlags = (exception: GuestException): number => {
      const cpu = new ProtectedModeCpu();
      for (const vector of [1, 6]) cpu.interruptGate(vector);
      raise(cpu, exception);
      expect(cpu.state.eflags & EFLAG.rf).toBe(0);
      return (cpu.words(KERNEL_STACK - 4, 1)[0] as number) & EFLAG.rf;
    };
    expect(pushedFlags(new GuestException(6))).toBe(EFLAG.rf);
    expect(pushedFlags(new GuestException(1))).toBe(EFLAG.rf);
    expect(pushedFlags(new GuestException(1, 0, 'trap'))).toBe(0);
    expect(pushedFlags(new GuestException(1, 0, 'instructionBreakpoint'))).toBe(0);
  });

  it('a debug exception takes DR7.GD away', () => {
    const cpu = new ProtectedModeCpu();
    cpu.interruptGate(1);
    cpu.state.set32(layout.DEBUG + 7 * 8, 0x2401);
    raise(cpu, new GuestException(1));
    expect(cpu.state.get32(layout.DEBUG + 7 * 8)).toBe(0x401);
    cpu.interruptGate(VECTOR);
    cpu.state.set32(layout.DEBUG + 7 * 8, 0x2401);
    acceptInterrupt(cpu, VECTOR);
    cpu.run('int', { immediate: 1 });
    expect(cpu.state.get32(layout.DEBUG + 7 * 8)).toBe(0x2401);
  });
});

describe('virtual-8086 mode', () => {
  it('an interrupt saves the data segments on the stack of ring 0 and makes them null', () => {
    const cpu = new ProtectedModeCpu();
    cpu.interruptGate(VECTOR);
    cpu.enterVirtual(0);
    deliverAs(cpu, 'external');
    const flags = EFLAG.vm | EFLAG.if | 2;
    expect(cpu.words(RING0_STACK - 36, 9)).toEqual([0x10, 0x100, flags, 0x1000, 0x200, 0x400, 0x300, 0x500, 0x600]);
    expect([cpu.state.cpl, cpu.state.eflags, cpu.state.eip]).toEqual([0, 2, 0x1_2380]);
    for (const index of [layout.ES, layout.DS, layout.FS, layout.GS]) expect(cpu.state.segmentAttributes(index)).toBe(0);
  });

  it.each([
    ['a conforming handler', SELECTOR.conforming],
    ['a handler in ring 1', SELECTOR.ring1Code & ~3],
  ])('refuses %s', (_, selector) => {
    const cpu = new ProtectedModeCpu();
    cpu.interruptGate(VECTOR, 0x8e, selector);
    cpu.enterVirtual(3);
    expect(cpu.faultOf(() => deliverAs(cpu, 'external'))).toEqual([GP, selector + EXT]);
  });

  // [CR4.VME, IOPL, redirection bit, what happens]
  it.each([
    [false, 0, 0, 'fault'],
    [false, 3, 0, 'monitor'],
    [true, 0, 1, 'fault'],
    [true, 3, 1, 'monitor'],
    [true, 0, 0, 'own'],
    [true, 3, 0, 'own'],
  ])('INT n with VME %s, IOPL %i, redirection bit %i: %s', (vme, iopl, bit, outcome) => {
    const cpu = new ProtectedModeCpu();
    cpu.interruptGate(VECTOR, 0x8e | DPL3);
    cpu.enterVirtual(iopl, EFLAG.vif | EFLAG.tf);
    cpu.state.set32(layout.CR4, vme ? CR4.vme : 0);
    cpu.guest.bytes[TSS + IO_MAP - 32 + (VECTOR >>> 3)] = bit << (VECTOR & 7);
    cpu.put32(VECTOR * 4, 0x0777_0888);
    const int = () => cpu.run('int', { immediate: VECTOR, operandSize: 16 });
    if (outcome === 'fault') {
      expect(cpu.faultOf(int)).toEqual([GP, 0]);
      return;
    }
    int();
    if (outcome === 'monitor') {
      expect([cpu.state.cpl, cpu.state.virtual8086]).toEqual([0, false]);
      return;
    }
    expect([cpu.state.segmentSelector(layout.CS), cpu.state.segmentBase(layout.CS), cpu.state.eip]).toEqual([0x777, 0x7770, 0x888]);
    expect(cpu.state.reg32(ESP)).toBe(0xffa);
    // IOPL 0: IF is VIF and IOPL reads as 3.
    expect(cpu.words(0x2000 + 0xffa, 3, 2)).toEqual([0x10, 0x100, 0x3302]);
    const remaining = iopl === 3 ? EFLAG.vif | EFLAG.iopl : EFLAG.if;
    expect(cpu.state.eflags).toBe(EFLAG.vm | remaining | 2);
  });

  it.each([
    ['its field', 0x66],
    ['its byte for the vector', IO_MAP - 32 + (VECTOR >>> 3) - 1],
  ])('a TSS that ends before the redirection bitmap, %s', (_, limit) => {
    const cpu = new ProtectedModeCpu();
    cpu.enterVirtual(3);
    cpu.state.set32(layout.CR4, CR4.vme);
    cpu.state.writeSegment(layout.TR, { selector: SELECTOR.tss, base: TSS, limit, attributes: 0x8b });
    expect(cpu.faultOf(() => cpu.run('int', { immediate: VECTOR }))).toEqual([GP, 0]);
  });

  it('INT3 and INTO go to the monitor without asking IOPL', () => {
    const cpu = new ProtectedModeCpu();
    cpu.interruptGate(3, 0x8e | DPL3);
    cpu.interruptGate(4, 0x8e);
    cpu.enterVirtual(0, EFLAG.of);
    expect(cpu.faultOf(() => cpu.run('into'))).toEqual([GP, 4 * 8 + 2]);
    cpu.run('int3');
    expect([cpu.state.cpl, cpu.state.eip]).toEqual([0, 0x1_2343]);
  });
});

describe('faults while a fault is delivered', () => {
  // SDM table 6-5; the first exception's gate is bad in a way that raises the second.
  const chain = (first: number, breakSecond: (cpu: ProtectedModeCpu) => void): ProtectedModeCpu => {
    const cpu = new ProtectedModeCpu();
    for (const vector of [0, 6, DF, TS, NP, SS_FAULT, GP, 14]) cpu.interruptGate(vector);
    breakSecond(cpu);
    expect(raise(cpu, new GuestException(first, 0x30))).toBe('delivered');
    return cpu;
  };
  const absentGate = (vector: number) => (cpu: ProtectedModeCpu) => cpu.interruptGate(vector, 0x0e);
  const absentIdtPage = (vector: number) => (cpu: ProtectedModeCpu) => {
    // Only this vector's gate lies on the absent page.
    cpu.state.set32(layout.IDTR_BASE, 0x1_1000 - vector * 8);
    cpu.guest.bytes.copyWithin(0x1_1000 - vector * 8, IDT, IDT + vector * 8);
    cpu.guest.bytes.copyWithin(0x1_1008, IDT + vector * 8 + 8, IDT + 0x100);
    cpu.guest.absent.add(0x11);
  };

  it.each([
    ['benign then contributory', 6, absentGate(6), NP, 6 * 8 + 2 + EXT],
    ['contributory then contributory', GP, absentGate(GP), DF, 0],
    ['divide error then contributory', 0, absentGate(0), DF, 0],
    ['page fault then contributory', 14, absentGate(14), DF, 0],
    ['page fault then page fault', 14, absentIdtPage(14), DF, 0],
  ] as const)('%s', (_, first, breakSecond, vector, errorCode) => {
    const cpu = chain(first, breakSecond);
    expect(cpu.state.eip).toBe(0x1_2340 + vector);
    expect(cpu.words(KERNEL_STACK - 16, 2)).toEqual([errorCode, 0x400]);
  });

  it.each([
    [0, DF],
    [TS, DF],
    [NP, DF],
    [SS_FAULT, DF],
    [GP, DF],
    [14, DF],
    [1, NP],
    [6, NP],
    [7, NP],
    [16, NP],
    [17, NP],
    [19, NP],
  ])('a gate not present while vector %i is delivered ends in vector %i', (first, last) => {
    const cpu = new ProtectedModeCpu();
    for (const vector of [DF, NP]) cpu.interruptGate(vector);
    cpu.interruptGate(first, 0x0e);
    raise(cpu, new GuestException(first));
    expect(cpu.state.eip).toBe(0x1_2340 + last);
  });

  it('contributory then page fault is handled serially', () => {
    const cpu = new ProtectedModeCpu();
    cpu.interruptGate(14);
    cpu.segment(SELECTOR.free, 0x9a);
    cpu.interruptGate(GP, 0x8e, SELECTOR.free);
    // The accessed bit of the handler's segment cannot be written.
    cpu.guest.readOnly.add(1);
    expect(raise(cpu, new GuestException(GP, 0x30))).toBe('delivered');
    expect([cpu.state.eip, cpu.words(KERNEL_STACK - 16, 1)]).toEqual([0x1_234e, [3]]);
  });

  it('an interrupt that faults is an ordinary fault', () => {
    const cpu = new ProtectedModeCpu();
    cpu.interruptGate(NP);
    cpu.interruptGate(VECTOR, 0x0e);
    expect(acceptInterrupt(cpu, VECTOR)).toBe('delivered');
    expect(cpu.words(KERNEL_STACK - 16, 1)).toEqual([VECTOR * 8 + 2 + EXT]);
  });

  it('a fault in the double fault shuts down', () => {
    const cpu = new ProtectedModeCpu();
    expect(raise(cpu, new GuestException(GP, 0))).toBe('tripleFault');
    expect(raise(cpu, new GuestException(DF, 0))).toBe('tripleFault');
  });

  it('a chain without end shuts down', () => {
    const cpu = new ProtectedModeCpu();
    for (const vector of [6, 17]) cpu.interruptGate(vector);
    const misaligned = (): never => {
      throw new GuestException(17);
    };
    cpu.memory.probeWrite = misaligned;
    expect(raise(cpu, new GuestException(6))).toBe('tripleFault');
  });
});
