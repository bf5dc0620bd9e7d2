import { describe, expect, it } from 'vitest';
import * as layout from './layout.js';
import { checkedLinear } from './segmentation.js';
import { CR0 } from './state.js';
import { ACCESS, DPL3, KERNEL_STACK, ProtectedModeCpu, SELECTOR } from './test-protected-mode.js';

const GP = 13;
const NP = 11;
const SS_FAULT = 12;

describe('data accesses', () => {
  const accessOf = (attributes: number, limit: number, base = 0x1000, segment: number = layout.DS) => {
    const cpu = new ProtectedModeCpu();
    cpu.state.writeSegment(segment, { selector: 0x10, base, limit, attributes });
    return (offset: number, bytes: number, write: boolean): number | [number, number] => {
      let linear = -1;
      try {
        return cpu.faultOf(() => {
          linear = checkedLinear(cpu, segment, offset, bytes, write);
        });
      } catch {
        return linear;
      }
    };
  };

  it.each([
    [0xfffc, 4, 0x1_0ffc],
    [0xfffd, 4, [GP, 0]],
    [0xffff, 1, 0x1_0fff],
    [0x1_0000, 1, [GP, 0]],
    [0xffff_ffff, 4, [GP, 0]],
  ])('expand-up with limit ffff: offset %i, %i bytes', (offset, bytes, result) => {
    expect(accessOf(0x4093, 0xffff)(offset, bytes, true)).toEqual(result);
  });

  it.each([
    [0x4097, 0x0fff, 1, [GP, 0]],
    [0x4097, 0x1000, 1, 0x2000],
    [0x4097, 0xffff_fffc, 4, 0x0ffc],
    [0x4097, 0xffff_fffd, 4, [GP, 0]],
    [0x0097, 0xfffe, 2, 0x1_0ffe],
    [0x0097, 0xffff, 2, [GP, 0]],
    [0x0097, 0x1_0000, 1, [GP, 0]],
  ])('expand-down (attributes %i) with limit fff: offset %i, %i bytes', (attributes, offset, bytes, result) => {
    expect(accessOf(attributes, 0xfff)(offset, bytes, true)).toEqual(result);
  });

  it('lets a 4-GiB segment wrap', () => {
    expect(accessOf(0xc093, 0xffff_ffff)(0xffff_fffe, 4, false)).toBe(0xffe);
  });

  it.each([
    ['read-only data', 0x91, true, [GP, 0]],
    ['read-only data', 0x91, false, 0x1000],
    ['execute-only code', 0x99, false, [GP, 0]],
    ['readable code', 0x9b, false, 0x1000],
    ['readable code', 0x9b, true, [GP, 0]],
    ['a null selector', 0, false, [GP, 0]],
  ])('%s (%i), write %s', (_, attributes, write, result) => {
    expect(accessOf(attributes, 0xffff)(0, 1, write)).toEqual(result);
  });

  it('raises #SS for the stack segment', () => {
    expect(accessOf(0x93, 0xff, 0, layout.SS)(0x100, 1, false)).toEqual([SS_FAULT, 0]);
    expect(accessOf(0, 0xffff, 0, layout.SS)(0, 1, false)).toEqual([SS_FAULT, 0]);
  });

  it('looks at limits only in real mode', () => {
    const cpu = new ProtectedModeCpu();
    cpu.state.writeSegment(layout.CS, { selector: 0x10, base: 0x100, limit: 0xff, attributes: 0x99 });
    cpu.state.set32(layout.CR0, cpu.state.cr0 & ~CR0.pe);
    expect(checkedLinear(cpu, layout.CS, 0xff, 1, true)).toBe(0x1ff);
    expect(cpu.faultOf(() => checkedLinear(cpu, layout.CS, 0xff, 2, true))).toEqual([GP, 0]);
  });
});

describe('loading a segment register', () => {
  const load = (cpu: ProtectedModeCpu, index: number, selector: number) => {
    cpu.state.setReg32(0, selector);
    cpu.run('movToSegment', { reg: index, rm: 0 });
  };

  // [what, access byte (undefined: no descriptor), selector, ring, expected]
  it.each<[string, number, number | undefined, number, 0 | 3, [number, number]]>([
    ['DS outside the GDT', layout.DS, undefined, SELECTOR.outside, 0, [GP, SELECTOR.outside]],
    ['DS outside the LDT', layout.DS, undefined, 0x44, 0, [GP, 0x44]],
    ['DS from execute-only code', layout.DS, ACCESS.executeOnly, SELECTOR.free, 0, [GP, SELECTOR.free]],
    ['DS from a system segment', layout.DS, ACCESS.ldt, SELECTOR.free, 0, [GP, SELECTOR.free]],
    ['DS with RPL above DPL', layout.DS, ACCESS.data, SELECTOR.free | 1, 0, [GP, SELECTOR.free]],
    ['DS with CPL above DPL', layout.DS, ACCESS.data, SELECTOR.free, 3, [GP, SELECTOR.free]],
    ['DS not present', layout.DS, ACCESS.data & 0x7f, SELECTOR.free, 0, [NP, SELECTOR.free]],
    ['SS null', layout.SS, undefined, 0, 0, [GP, 0]],
    ['SS null with RPL 3', layout.SS, undefined, 3, 3, [GP, 0]],
    ['SS with another RPL', layout.SS, ACCESS.data, SELECTOR.free | 3, 0, [GP, SELECTOR.free]],
    ['SS with another DPL', layout.SS, ACCESS.data | DPL3, SELECTOR.free, 0, [GP, SELECTOR.free]],
    ['SS read-only', layout.SS, ACCESS.readOnly, SELECTOR.free, 0, [GP, SELECTOR.free]],
    ['SS from code', layout.SS, ACCESS.code, SELECTOR.free, 0, [GP, SELECTOR.free]],
    ['SS not present', layout.SS, ACCESS.data & 0x7f, SELECTOR.free, 0, [SS_FAULT, SELECTOR.free]],
  ])('%s faults', (_, index, access, selector, ring, expected) => {
    const cpu = new ProtectedModeCpu();
    cpu.enterRing(ring);
    if (access !== undefined) cpu.segment(selector, access);
    cpu.state.setReg32(0, selector);
    expect(cpu.faultOf(() => cpu.run('movToSegment', { reg: index, rm: 0 }))).toEqual(expected);
  });

  it('reads the last descriptor of a table, and none that is cut short', () => {
    const cpu = new ProtectedModeCpu();
    cpu.state.set32(layout.GDTR_LIMIT, SELECTOR.kernelData + 7);
    load(cpu, layout.DS, SELECTOR.kernelData);
    cpu.state.set32(layout.GDTR_LIMIT, SELECTOR.kernelData + 6);
    expect(cpu.faultOf(() => cpu.run('movToSegment', { reg: layout.DS }))).toEqual([GP, SELECTOR.kernelData]);
  });

  it('takes conforming code whatever the privilege, and null', () => {
    const cpu = new ProtectedModeCpu();
    cpu.enterRing(3);
    load(cpu, layout.ES, SELECTOR.conforming | 3);
    expect(cpu.state.readSegment(layout.ES)).toEqual({
      selector: SELECTOR.conforming | 3,
      base: 0,
      limit: 0xffff_ffff,
      attributes: 0xc09f,
    });
    load(cpu, layout.ES, 2);
    expect(cpu.state.readSegment(layout.ES)).toEqual({ selector: 2, base: 0, limit: 0, attributes: 0 });
  });

  it('sets the accessed bit, before anything else and only when it is clear', () => {
    const cpu = new ProtectedModeCpu();
    cpu.segment(SELECTOR.free, 0x92, 0x1234_5678, 0x12345, 4);
    cpu.guest.readOnly.add(1);
    cpu.state.setReg32(0, SELECTOR.free);
    expect(cpu.faultOf(() => cpu.run('movToSegment', { reg: layout.DS, rm: 0 }))[0]).toBe(14);
    cpu.guest.readOnly.clear();
    load(cpu, layout.DS, SELECTOR.free);
    expect(cpu.access(SELECTOR.free)).toBe(0x93);
    expect(cpu.state.readSegment(layout.DS)).toEqual({ selector: SELECTOR.free, base: 0x1234_5678, limit: 0x12345, attributes: 0x4093 });
    cpu.guest.readOnly.add(1);
    load(cpu, layout.DS, SELECTOR.free);
  });

  it('inhibits interrupts behind a load of SS, by MOV and POP', () => {
    const cpu = new ProtectedModeCpu();
    load(cpu, layout.SS, SELECTOR.kernelData16);
    cpu.put32(KERNEL_STACK, SELECTOR.kernelData);
    cpu.run('popSegment', { reg: layout.SS });
    load(cpu, layout.DS, SELECTOR.kernelData);
    expect(cpu.log.filter((line) => line === 'inhibit')).toHaveLength(2);
    // The pop counted in the 16-bit stack that it came from.
    expect(cpu.state.reg32(4)).toBe(KERNEL_STACK + 4);
  });

  it('keeps limits and rights in real mode, and makes up those of a null register', () => {
    const cpu = new ProtectedModeCpu();
    load(cpu, layout.FS, 0);
    cpu.state.set32(layout.CR0, cpu.state.cr0 & ~CR0.pe);
    load(cpu, layout.DS, 0x1234);
    load(cpu, layout.FS, 0x4321);
    expect(cpu.state.readSegment(layout.DS)).toEqual({ selector: 0x1234, base: 0x1_2340, limit: 0xffff_ffff, attributes: 0xc093 });
    expect(cpu.state.readSegment(layout.FS)).toEqual({ selector: 0x4321, base: 0x4_3210, limit: 0xffff, attributes: 0x93 });
  });

  it('loads a pointer and its segment together or not at all', () => {
    const cpu = new ProtectedModeCpu();
    cpu.put32(0x8000, 0x8765_4321, SELECTOR.outside);
    const operand = { memory: true, offset: 0x8000, reg: 3 } as const;
    expect(cpu.faultOf(() => cpu.run('les', operand))).toEqual([GP, SELECTOR.outside]);
    cpu.put16(0x8004, SELECTOR.kernelData16);
    cpu.run('les', operand);
    expect([cpu.state.reg32(3), cpu.state.segmentSelector(layout.ES)]).toEqual([0x8765_4321, SELECTOR.kernelData16]);
    expect(cpu.faultOf(() => cpu.run('les', { rm: 1 }))).toEqual([6, 0]);
  });

  it('stores selectors: 16 bits to memory, zero-extended to 32-bit registers and pushes', () => {
    const cpu = new ProtectedModeCpu();
    cpu.put32(0x8000, 0xffff_ffff);
    cpu.run('movFromSegment', { reg: layout.SS, memory: true, offset: 0x8000 });
    expect(cpu.words(0x8000, 1)).toEqual([0xffff_0010]);
    cpu.state.setReg32(1, 0xffff_ffff);
    cpu.run('movFromSegment', { reg: layout.CS, rm: 1, operandSize: 16 });
    expect(cpu.state.reg32(1)).toBe(0xffff_0008);
    cpu.run('movFromSegment', { reg: layout.CS, rm: 1 });
    expect(cpu.state.reg32(1)).toBe(8);
    cpu.put32(KERNEL_STACK - 8, 0xffff_ffff, 0xffff_ffff);
    cpu.run('pushSegment', { reg: layout.CS });
    cpu.run('pushSegment', { reg: layout.DS, operandSize: 16 });
    expect(cpu.words(KERNEL_STACK - 8, 2)).toEqual([0x0010_ffff, 8]);
    cpu.run('popSegment', { reg: layout.ES, operandSize: 16 });
    expect([cpu.state.reg32(4), cpu.state.segmentSelector(layout.ES)]).toEqual([KERNEL_STACK - 4, 0x10]);
    expect(cpu.faultOf(() => cpu.run('popSegment', { reg: layout.SS, operandSize: 16 }))).toEqual([GP, 8]);
  });

  it('does not know MOV to CS, nor registers 6 and 7', () => {
    const cpu = new ProtectedModeCpu();
    expect(cpu.faultOf(() => cpu.run('movToSegment', { reg: layout.CS }))).toEqual([6, 0]);
    expect(cpu.faultOf(() => cpu.run('movToSegment', { reg: 6 }))).toEqual([6, 0]);
    expect(cpu.faultOf(() => cpu.run('movFromSegment', { reg: 7 }))).toEqual([6, 0]);
  });
});
