/**
 * States of the system arena: real, virtual-8086 and protected mode, tables with mostly sound descriptors of which some are
 * broken, stacks near their ends with frames that IRET and RETF may take, paging with holes. Faults and successes are both
 * frequent for every system instruction.
 */
import { type CaseBatch, createOutcomes, type OfferedInterrupt, type Outcomes } from '../oracles/oracle.js';
import { BACKGROUND_BYTE } from '../state/arena.js';
import { CPU_STATE, CPU_STATE_BYTES, CpuState, CS, DS, ES, FS, GS, LDTR, SS, TR } from '../state/cpu-state.js';
import {
  MAPPED_PAGES,
  SYSTEM_AREA,
  SYSTEM_CODE,
  SYSTEM_HANDLERS,
  SYSTEM_OFFSET,
  SYSTEM_RECORD_BYTES,
  SYSTEM_WINDOWS,
  type SystemArea,
  TASK_IO_MAP,
} from '../state/system-arena.js';
import type { InstructionEncoding } from './encodings.js';
import type { BuiltInstruction } from './instruction.js';
import type { Random } from './random.js';
import { drawSystemCode } from './system-code.js';
import { buildSystemInstruction, prepareFor } from './system-instruction.js';
import {
  CODE_SLOTS,
  drawCallGate,
  drawInterruptGate,
  drawSelector,
  SEGMENTS,
  type SegmentShape,
  SLOT,
  STACK_SLOTS,
  segmentDescriptor,
} from './system-selectors.js';

type Mode = 'real' | 'virtual' | 'protected';

const REAL_BASE = 0x8000;
const FLAG = {
  tf: 0x100,
  if: 0x200,
  of: 0x800,
  nt: 0x4000,
  rf: 0x1_0000,
  vm: 0x2_0000,
  ac: 0x4_0000,
  vif: 0x8_0000,
  vip: 0x10_0000,
} as const;
const MSRS = [0x10, 0x17, 0x8b, 0xfe, 0x174, 0x175, 0x176, 0x1a0, 0x200, 0x201, 0x250, 0x277, 0x2ff, 0xc000_0080, 0x1b, 0x300];
const DIRTY_PAGE = 0x67;

/** A case under construction: its state, and its windows by name. */
class Draft {
  readonly state: CpuState;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(
    readonly random: Random,
    records: Uint8Array,
    at: number,
  ) {
    this.bytes = records.subarray(at, at + SYSTEM_RECORD_BYTES);
    this.view = new DataView(records.buffer, records.byteOffset + at, SYSTEM_RECORD_BYTES);
    this.state = new CpuState(records.buffer, records.byteOffset + at);
    this.bytes.fill(0, 0, CPU_STATE_BYTES);
    this.bytes.fill(BACKGROUND_BYTE, CPU_STATE_BYTES);
  }

  fill(area: SystemArea, value: number): void {
    this.bytes.fill(value, SYSTEM_OFFSET[area], SYSTEM_OFFSET[area] + SYSTEM_AREA[area].bytes);
  }
  put(area: SystemArea, offset: number, bytes: 1 | 2 | 4, value: number): void {
    if (offset < 0 || offset + bytes > SYSTEM_AREA[area].bytes) return;
    const at = SYSTEM_OFFSET[area] + offset;
    if (bytes === 1) this.view.setUint8(at, value);
    else if (bytes === 2) this.view.setUint16(at, value, true);
    else this.view.setUint32(at, value, true);
  }
  put64(area: SystemArea, offset: number, value: bigint): void {
    this.view.setBigUint64(SYSTEM_OFFSET[area] + offset, value, true);
  }
  get64(area: SystemArea, offset: number): bigint {
    return this.view.getBigUint64(SYSTEM_OFFSET[area] + offset, true);
  }
  putBytes(area: SystemArea, offset: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, SYSTEM_OFFSET[area] + offset);
  }

  setSegment(index: number, slot: number, rpl: number): void {
    const shape = SEGMENTS[slot] as SegmentShape;
    const limit = shape.flags & 8 ? shape.limit * 0x1000 + 0xfff : shape.limit;
    this.state.setSegment(index, slot * 8 + rpl, BigInt(shape.base), limit, shape.access | (shape.flags << 12));
  }
}

const STACKS = ['stack0', 'stack1', 'stack2', 'stack3'] as const;

/** Where a stack pointer may be: inside its window, by the middle page boundary, sometimes at an end of everything. */
function drawPointer(random: Random, ring: number, base: number): number {
  if (random.chance(4)) return random.pick([0, 1, 2, 4, 8, 0xfffe, 0xffff, 0xffff_fffe, 0x70 + base, random.u32()]);
  const { address, bytes } = SYSTEM_AREA[STACKS[ring] as SystemArea];
  const middle = address + bytes / 2;
  const at = random.chance(40) ? middle + random.pick([0, 2, 4, 8, 12]) : address + 0x30 + random.below(bytes - 0x30);
  return (random.chance(85) ? at & ~3 : at) - base;
}

function drawFlags(random: Random): number {
  const { tf, if: interrupts, of, nt, rf, ac, vif, vip } = FLAG;
  let flags = 2 | (random.u32() & 0xcd5);
  if (random.chance(60)) flags |= interrupts;
  flags |= random.pick([0, 0, 0x3000, 0x3000, 0x1000, 0x2000]);
  for (const [percent, bit] of [
    [4, tf],
    [8, nt],
    [3, rf],
    [10, ac],
    [15, vif],
    [10, vip],
    [40, of],
  ] as const) {
    if (random.chance(percent)) flags |= bit;
    else if (bit !== of) flags &= ~bit;
  }
  return flags;
}

function drawTables(draft: Draft): void {
  const { random } = draft;
  const table = Array.from({ length: SLOT.end }, (_, slot): bigint => {
    const shape = SEGMENTS[slot];
    if (shape !== undefined) return segmentDescriptor(shape);
    if (slot === 0) return 0n;
    if (slot < 44) return drawCallGate(random);
    return random.bigint(64) | (random.chance(50) ? 0x0000_9000_0000_0000n : 0n);
  });
  table.forEach((descriptor, slot) => draft.put64('gdt', slot * 8, descriptor));
  for (let slot = 0; slot < SYSTEM_AREA.ldt.bytes / 8; slot++) {
    const shape = SEGMENTS[slot];
    draft.put64('ldt', slot * 8, random.chance(70) && shape ? segmentDescriptor(shape) : drawCallGate(random));
  }
  for (let vector = 0; vector < SYSTEM_AREA.idt.bytes / 8; vector++) draft.put64('idt', vector * 8, drawInterruptGate(random));
  for (let vector = 0; vector < SYSTEM_AREA.vectors.bytes / 4; vector++) {
    draft.put('vectors', vector * 4, 2, random.chance(97) ? SYSTEM_HANDLERS - REAL_BASE + random.below(64) : random.below(0x10000));
    draft.put('vectors', vector * 4 + 2, 2, REAL_BASE >> 4);
  }
  if (random.chance(45)) breakDescriptors(draft);
}

/** One bit, or one field, of a few descriptors. */
function breakDescriptors(draft: Draft): void {
  const { random } = draft;
  const count = random.pick([1, 1, 2, 3, 8]);
  for (let i = 0; i < count; i++) {
    const slot = random.chance(60) ? random.below(24) : random.below(SLOT.end);
    const area = random.chance(85) ? 'gdt' : 'ldt';
    const at = area === 'gdt' ? slot * 8 : (slot % 16) * 8;
    const before = draft.get64(area, at);
    draft.put64(
      area,
      at,
      before ^
        random.pick([
          1n << 47n,
          1n << 45n,
          3n << 45n,
          1n << 46n,
          1n << 40n,
          1n << 40n,
          1n << 41n,
          1n << 42n,
          1n << 43n,
          1n << 44n,
          1n << 54n,
          1n << 55n,
          0xff00n,
          random.bigint(64),
        ]),
    );
  }
}

/** Selector of code that may be entered with it, or another. */
function drawCodeSelector(random: Random): number {
  const ring = random.pick([0, 0, 3, 3, 1, 2]);
  if (random.chance(15)) return drawSelector(random);
  const slot =
    random.chance(25) && (ring === 0 || ring === 3)
      ? random.pick(CODE_SLOTS[16][ring] as number[])
      : random.pick(CODE_SLOTS[32][ring] as number[]);
  return slot * 8 + ring;
}
const stackSelectorFor = (random: Random, cs: number): number =>
  random.chance(12) ? drawSelector(random) : random.pick(STACK_SLOTS[cs & 3] as number[]) * 8 + (cs & 3);
const drawDataSelector = (random: Random): number => (random.chance(60) ? random.pick([0, 8 * 8 + 3, 12 * 8 + 3]) : drawSelector(random));
const isSmall = (selector: number): boolean => [9, 10, 11, 12, 14, 18].includes(selector >> 3);
const drawTarget = (random: Random, selector: number): number =>
  random.chance(94) ? SYSTEM_HANDLERS + random.below(64) - (isSmall(selector) ? REAL_BASE : 0) : random.u32();

/** A frame for IRET or RETF, upwards from `offset`. */
function putFrame(draft: Draft, area: SystemArea, offset: number, bytes: 2 | 4): void {
  const { random } = draft;
  const cs = drawCodeSelector(random);
  const virtual = random.chance(25);
  const flags = drawFlags(random) | (virtual ? FLAG.vm : 0);
  const words = virtual
    ? [
        random.chance(90) ? SYSTEM_HANDLERS - REAL_BASE : random.u32(),
        REAL_BASE >> 4,
        flags,
        random.below(0x10000),
        0x800,
        0x800,
        0x800,
        0,
        0xffff,
      ]
    : [drawTarget(random, cs), cs, flags, drawPointer(random, cs & 3, 0), stackSelectorFor(random, cs)];
  // RETF has no flags between CS and ESP.
  if (!virtual && random.chance(40)) words.splice(2, 1);
  words.forEach((word, i) => draft.put(area, offset + i * bytes, bytes, word));
}

function putTask(draft: Draft, area: SystemArea, is32: boolean): void {
  const { random } = draft;
  const put = (offset32: number, offset16: number, bytes32: 2 | 4, value: number): void =>
    draft.put(area, is32 ? offset32 : offset16, is32 ? bytes32 : 2, value);
  draft.fill(area, 0);
  const link = random.pick([SLOT.otherTask32, SLOT.otherTask16, SLOT.task32, SLOT.task16]) * 8;
  draft.put(area, 0, 2, random.chance(90) ? link : drawSelector(random));
  [0, 1, 2].forEach((ring) => {
    const selector = random.chance(90)
      ? (STACK_SLOTS[ring]?.[random.below(STACK_SLOTS[ring]?.length ?? 1)] ?? 0) * 8 + ring
      : drawSelector(random);
    put(4 + ring * 8, 2 + ring * 4, 4, drawPointer(random, ring, isSmall(selector) ? REAL_BASE : 0));
    put(8 + ring * 8, 4 + ring * 4, 2, selector);
  });
  const cs = drawCodeSelector(random);
  const virtual = is32 && random.chance(10);
  if (is32) draft.put(area, 28, 4, random.chance(95) ? SYSTEM_AREA.pageDirectory.address : SYSTEM_AREA.pageDirectoryPointers.address);
  put(32, 14, 4, virtual ? SYSTEM_HANDLERS - REAL_BASE : drawTarget(random, cs));
  put(36, 16, 4, drawFlags(random) | (virtual ? FLAG.vm : 0));
  for (let register = 0; register < 8; register++) put(40 + register * 4, 18 + register * 2, 4, random.u32());
  const ss = stackSelectorFor(random, cs);
  put(56, 26, 4, drawPointer(random, cs & 3, isSmall(ss) ? REAL_BASE : 0));
  const segments = [drawDataSelector(random), cs, ss, drawDataSelector(random), drawDataSelector(random), drawDataSelector(random)];
  segments.slice(0, is32 ? 6 : 4).forEach((selector, i) => {
    put(72 + i * 4, 34 + i * 2, 2, virtual ? REAL_BASE >> 4 : selector);
  });
  put(96, 42, 2, random.chance(90) ? random.pick([0, SLOT.ldt * 8]) : drawSelector(random));
  if (is32) draft.put(area, 100, 4, (TASK_IO_MAP << 16) | (random.chance(10) ? 1 : 0));
}

function putTasks(draft: Draft): void {
  const { random } = draft;
  putTask(draft, 'task', true);
  putTask(draft, 'task32', true);
  putTask(draft, 'task16', false);
  putTask(draft, 'otherTask16', false);
  for (let at = 0x68; at < SYSTEM_AREA.task.bytes; at++) draft.put('task', at, 1, random.pick([0, 0, 0xff, random.below(256)]));
  if (random.chance(5)) draft.put('task', 102, 2, random.pick([0, 0x10, 0xdf, 0xff, 0x100, 0xffff]));
}

function putPages(draft: Draft, pae: boolean, holes: boolean): void {
  const { random } = draft;
  const entry = (page: number): number => {
    const keep = !holes || random.chance(95);
    return (page << 12) | (keep ? DIRTY_PAGE : random.pick([0, 0x61, 0x63, 0x65, 0x60, 7, 0x27]));
  };
  draft.fill('pageDirectory', 0);
  draft.put('pageDirectory', 0, 4, SYSTEM_AREA.pageTable.address | DIRTY_PAGE);
  draft.fill('pageDirectoryPointers', 0);
  draft.put('pageDirectoryPointers', 0, 4, SYSTEM_AREA.paeDirectory.address | (random.chance(97) ? 1 : 3));
  draft.fill('paeDirectory', 0);
  draft.put('paeDirectory', 0, 4, SYSTEM_AREA.paeTable.address | DIRTY_PAGE);
  draft.fill('paeTable', 0);
  for (let page = 0; page < MAPPED_PAGES; page++) {
    draft.put('pageTable', page * 4, 4, entry(page));
    draft.put('paeTable', page * 8, 4, entry(page));
  }
  if (pae) draft.state.setU64(CPU_STATE.pageDirectoryPointers, BigInt(SYSTEM_AREA.paeDirectory.address | 1));
}

function drawRegisters(draft: Draft): void {
  const { random, state } = draft;
  for (let register = 0; register < 8; register++) {
    const value = random.pick([
      () => drawSelector(random),
      () => drawSelector(random),
      () => random.u32(),
      () => random.below(16),
      () => random.pick([0x11, 0x8000_0011, 0x10, 0x3000, 0x5000, 0x30, 0x6b0, 0x7bf, 0x2000_0011, 0x6000_0010, 0x8001_0033]),
      () => SYSTEM_AREA.data.address + random.below(0xf0) - random.pick([0, REAL_BASE]),
    ])();
    state.registers[register] = BigInt(value >>> 0);
  }
  if (random.chance(50)) state.registers[1] = BigInt(random.chance(60) ? random.pick(MSRS) : random.below(20));
  if (random.chance(40)) state.registers[2] = BigInt(random.pick([0, 0, 0x20, 0x60, 0x3f8, SYSTEM_HANDLERS]));
}

function drawControl(draft: Draft, mode: Mode): void {
  const { random, state } = draft;
  const paging = mode !== 'real' && random.chance(45);
  const pae = paging && random.chance(30);
  let cr0 = 0x10 | (mode === 'real' ? 0 : 1) | (paging ? 0x8000_0000 : 0);
  for (const bit of [2, 4, 8, 0x20, 0x1_0000, 0x4_0000, 0x4000_0000]) if (random.chance(20)) cr0 |= bit;
  let cr4 = 0;
  for (const bit of [1, 2, 4, 8, 0x10, 0x80, 0x100, 0x200, 0x400]) if (random.chance(30)) cr4 |= bit;
  if (pae || (!paging && random.chance(10))) cr4 |= 0x20;
  state.setU64(CPU_STATE.cr0, BigInt(cr0 >>> 0));
  state.setU64(CPU_STATE.cr4, BigInt(cr4));
  state.setU64(CPU_STATE.cr3, BigInt((pae ? SYSTEM_AREA.pageDirectoryPointers : SYSTEM_AREA.pageDirectory).address));
  if (pae && random.chance(30)) state.setU64(CPU_STATE.efer, 0x800n);
  putPages(draft, pae, random.chance(50));
}

/** Addresses that code, data, stack, handler or port accesses of a case may meet. */
const drawBreakpoint = (random: Random): number =>
  random.pick([
    () => SYSTEM_CODE + random.below(8),
    () => SYSTEM_HANDLERS + random.below(0x40),
    () => SYSTEM_AREA.data.address + random.below(0x100),
    () => SYSTEM_AREA[random.pick(STACKS)].address + random.below(0x80),
    // Of the ports only one above the vector table: whether its reads are watched is another question.
    () => 0x3f8 + random.below(4),
    () => random.u32(),
  ])();

function drawDebugRegisters(draft: Draft): void {
  const { random, state } = draft;
  for (let number = 0; number < 4; number++) state.setU64(CPU_STATE.debug + number * 8, BigInt(drawBreakpoint(random)));
  state.setU64(CPU_STATE.debug + 6 * 8, 0xffff_0ff0n);
  let control = random.chance(3) ? 0x2400 : 0x400;
  if (random.chance(8)) control |= random.below(256) | (random.below(0x10000) << 16);
  state.setU64(CPU_STATE.debug + 7 * 8, BigInt(control >>> 0));
}

function drawSegments(draft: Draft, mode: Mode, bits: 16 | 32): void {
  const { random, state } = draft;
  const dataSegments = [ES, DS, FS, GS];
  if (mode !== 'protected') {
    const attributes = mode === 'real' ? 0x93 : 0xf3;
    for (const index of [...dataSegments, SS, CS]) {
      const selector = index === CS || index === SS || random.chance(80) ? REAL_BASE >> 4 : random.below(0x10000);
      state.setSegment(index, selector, BigInt(selector * 16), 0xffff, attributes);
    }
    state.setU32(CPU_STATE.cpl, mode === 'real' ? 0 : 3);
    return;
  }
  const rings = [0, 1, 2, 3].filter((ring) => (CODE_SLOTS[bits][ring] as number[]).length > 0);
  const cpl = random.pick(bits === 16 ? rings : [0, 0, 0, 3, 3, 3, 1, 2]);
  state.setU32(CPU_STATE.cpl, cpl);
  draft.setSegment(CS, random.pick(CODE_SLOTS[bits][cpl] as number[]), cpl);
  draft.setSegment(SS, random.pick(STACK_SLOTS[cpl] as number[]), cpl);
  for (const index of dataSegments) {
    const slot = random.pick(bits === 16 ? [8, 12, 12, 12, 0] : [8, 8, 8, 12, 7, 16, 13, 2, 0]);
    if (slot === 0 || (slot === 2 && cpl !== 0)) state.setSegment(index, random.below(4), 0n, 0, 0);
    else draft.setSegment(index, slot, slot === 2 ? 0 : 3);
  }
}

function drawSystemRegisters(draft: Draft, mode: Mode): void {
  const { random, state } = draft;
  const limit = (bytes: number): number => (random.chance(92) ? bytes - 1 : random.below(bytes));
  state.setU64(CPU_STATE.gdtrBase, BigInt(SYSTEM_AREA.gdt.address));
  state.setU32(CPU_STATE.gdtrLimit, limit(SYSTEM_AREA.gdt.bytes));
  const idt = mode === 'real' ? SYSTEM_AREA.vectors : SYSTEM_AREA.idt;
  state.setU64(CPU_STATE.idtrBase, BigInt(idt.address));
  state.setU32(CPU_STATE.idtrLimit, limit(idt.bytes));
  if (random.chance(80)) draft.setSegment(LDTR, SLOT.ldt, 0);
  else state.setSegment(LDTR, 0, 0n, 0, 0);
  draft.setSegment(TR, random.chance(85) ? SLOT.task32 : SLOT.task16, 0);
  state.setU64(CPU_STATE.sysenterCs, random.chance(85) ? 8n : BigInt(random.below(4)));
  state.setU64(CPU_STATE.sysenterEsp, BigInt(SYSTEM_AREA.stack0.address + 0xc0));
  state.setU64(CPU_STATE.sysenterEip, BigInt(SYSTEM_HANDLERS));
}

/** Far pointers and table registers, at any alignment. */
function putData(draft: Draft): void {
  const { random } = draft;
  const { bytes } = SYSTEM_AREA.data;
  for (let at = 0; at < bytes; at += 2) draft.put('data', at, 2, drawSelector(random));
  for (let at = 0; at + 8 <= bytes; at += 8) {
    if (random.chance(30)) continue;
    const is32 = random.chance(50);
    const selector = drawSelector(random);
    if (is32) draft.put('data', at, 4, drawTarget(random, selector));
    else draft.put('data', at, 2, SYSTEM_HANDLERS - REAL_BASE + random.below(64));
    draft.put('data', at + (is32 ? 4 : 2), 2, selector);
  }
}

/** A state for this code, in the record at `at`. @param built the code, if it is one instruction of a certain encoding */
function drawSystemState(
  random: Random,
  bits: 16 | 32,
  code: Uint8Array,
  built: BuiltInstruction | undefined,
  records: Uint8Array,
  at: number,
): void {
  const draft = new Draft(random, records, at);
  const { state } = draft;
  const mode: Mode = bits === 32 ? 'protected' : random.pick(['real', 'virtual', 'virtual', 'protected', 'protected']);
  drawTables(draft);
  putTasks(draft);
  putData(draft);
  drawControl(draft, mode);
  drawDebugRegisters(draft);
  drawSegments(draft, mode, bits);
  drawSystemRegisters(draft, mode);
  drawRegisters(draft);
  state.flags = drawFlags(random) | (mode === 'virtual' ? FLAG.vm : 0);

  const ring = state.u32(CPU_STATE.cpl);
  const stackBase = Number(state.segmentBase(SS));
  const pointer = drawPointer(random, ring, stackBase);
  state.registers[4] = BigInt(pointer >>> 0);
  const area = STACKS[ring] as SystemArea;
  for (let word = 0; word < SYSTEM_AREA[area].bytes; word += 2) draft.put(area, word, 2, drawSelector(random));
  const frameBytes = random.chance(75) === (bits === 32) ? 4 : 2;
  putFrame(draft, area, pointer + stackBase - SYSTEM_AREA[area].address, frameBytes);

  draft.putBytes('code', SYSTEM_CODE - SYSTEM_AREA.code.address, code);
  state.rip = BigInt(SYSTEM_CODE) - state.segmentBase(CS);
  state.setU64(CPU_STATE.cr2, BigInt(random.u32()));
  state.setU32(CPU_STATE.mxcsr, 0x1f80);
  state.setU16(CPU_STATE.x87Control, 0x37f);
  state.setU16(CPU_STATE.x87Empty, 0xff);
  if (built !== undefined) prepareFor(random, state, built);
}

const TICK_LIMIT = 40;

/** Cases that share their code: of any kind that is special to the system arena. */
export function drawSystemBatch(random: Random, count: number, bits: 16 | 32 = random.chance(55) ? 32 : 16): CaseBatch {
  return drawBatch(random, count, bits, drawSystemCode(random, bits), undefined);
}

/** Cases of one instruction of this encoding. */
export function drawEncodingBatch(random: Random, count: number, bits: 16 | 32, encoding: InstructionEncoding): CaseBatch {
  const built = buildSystemInstruction(random, bits, encoding);
  return drawBatch(random, count, bits, built.bytes, built);
}

function drawBatch(random: Random, count: number, bits: 16 | 32, code: Uint8Array, built: BuiltInstruction | undefined): CaseBatch {
  const records = new Uint8Array(count * SYSTEM_RECORD_BYTES);
  for (let i = 0; i < count; i++) drawSystemState(random, bits, code, built, records, i * SYSTEM_RECORD_BYTES);
  const interrupts: OfferedInterrupt[] = random.chance(20) ? [{ tick: random.below(4), vector: 0x20 + random.below(16) }] : [];
  return { arena: 'system', bits, windows: SYSTEM_WINDOWS, count, records, tickLimit: TICK_LIMIT, interrupts };
}

export const createSystemOutcomes = (count: number): Outcomes => createOutcomes(count, SYSTEM_RECORD_BYTES);
