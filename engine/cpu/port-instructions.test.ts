import { describe, expect, it } from 'vitest';
import * as layout from './layout.js';
import { checkPortAccess } from './port-instructions.js';
import { EFLAG } from './state.js';
import { IO_MAP, ProtectedModeCpu, SELECTOR, TSS, TSS_LIMIT } from './test-protected-mode.js';

const GP: [number, number] = [13, 0];

function userCpu(forbidden: number[] = []): ProtectedModeCpu {
  const cpu = new ProtectedModeCpu();
  cpu.enterRing(3);
  for (const port of forbidden) cpu.guest.bytes[TSS + IO_MAP + (port >>> 3)]! |= 1 << (port & 7);
  return cpu;
}

describe('permission', () => {
  it.each([
    [[], 0x60, 4, true],
    [[0x60], 0x60, 1, false],
    [[0x60], 0x5f, 1, true],
    [[0x60], 0x5f, 2, false],
    [[0x60], 0x5d, 4, false],
    [[0x60], 0x5c, 4, true],
    [[0x61], 0x60, 1, true],
  ])('forbidding %j: port %i, %i bytes', (forbidden, port, bytes, allowed) => {
    const cpu = userCpu(forbidden);
    if (allowed) checkPortAccess(cpu, port, bytes);
    else expect(cpu.faultOf(() => checkPortAccess(cpu, port, bytes))).toEqual(GP);
  });

  it('the bitmap ends with the TSS: two bytes must lie inside', () => {
    const cpu = userCpu();
    const lastPort = (TSS_LIMIT - IO_MAP - 1) * 8;
    checkPortAccess(cpu, lastPort + 7, 1);
    expect(cpu.faultOf(() => checkPortAccess(cpu, lastPort + 8, 1))).toEqual(GP);
  });

  it('IOPL lets pass, but not in virtual-8086 mode', () => {
    const cpu = userCpu([0x60]);
    cpu.state.eflags = EFLAG.iopl;
    checkPortAccess(cpu, 0x60, 1);
    cpu.enterVirtual(3);
    expect(cpu.faultOf(() => checkPortAccess(cpu, 0x60, 1))).toEqual(GP);
    checkPortAccess(cpu, 0x61, 1);
  });

  it('a 16-bit TSS or one without the field has no bitmap', () => {
    const cpu = userCpu();
    cpu.state.writeSegment(layout.TR, { selector: SELECTOR.tss, base: TSS, limit: TSS_LIMIT, attributes: 0x83 });
    expect(cpu.faultOf(() => checkPortAccess(cpu, 0, 1))).toEqual(GP);
    cpu.state.writeSegment(layout.TR, { selector: SELECTOR.tss, base: TSS, limit: 0x66, attributes: 0x8b });
    expect(cpu.faultOf(() => checkPortAccess(cpu, 0, 1))).toEqual(GP);
  });

  it('a TSS of the smallest size may have its bitmap among its other fields', () => {
    const cpu = userCpu();
    cpu.put16(TSS + 0x66, 0x60);
    cpu.put16(TSS + 0x60, 0x0100);
    cpu.state.writeSegment(layout.TR, { selector: SELECTOR.tss, base: TSS, limit: 0x67, attributes: 0x8b });
    checkPortAccess(cpu, 7, 1);
    expect(cpu.faultOf(() => checkPortAccess(cpu, 8, 1))).toEqual(GP);
  });
});

it('IN and OUT pass width, port and value on', () => {
  const cpu = new ProtectedModeCpu();
  cpu.portValue = 0x8765_4321;
  cpu.state.setReg32(0, 0xaabb_ccdd);
  cpu.state.setReg32(2, 0xffff_0cf8);
  cpu.run('outImmediate', { operandSize: 8, immediate: -1 });
  cpu.run('outDx', { operandSize: 16 });
  cpu.run('inDx', { operandSize: 16 });
  expect(cpu.state.reg32(0)).toBe(0xaabb_4321);
  cpu.run('inImmediate', { operandSize: 8, immediate: 0x60 });
  expect(cpu.state.reg32(0)).toBe(0xaabb_4321);
  cpu.run('inDx', { operandSize: 32 });
  expect(cpu.state.reg32(0)).toBe(0x8765_4321);
  expect(cpu.log).toEqual(['out ff 1 dd', 'out cf8 2 ccdd', 'in cf8 2', 'in 60 1', 'in cf8 4']);
});

it('a refused access does not reach the port', () => {
  const cpu = userCpu([0x60]);
  expect(cpu.faultOf(() => cpu.run('inImmediate', { operandSize: 8, immediate: 0x60 }))).toEqual(GP);
  expect(cpu.log).toEqual([]);
});
