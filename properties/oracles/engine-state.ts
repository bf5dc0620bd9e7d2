/**
 * Between the state of a case (state/cpu-state.ts) and the cells of the engine (engine/cpu/layout.ts): both are words in
 * memory, and are copied without looking at them wherever their formats agree.
 */
import type { Core } from '../../engine/cpu/core.js';
import * as layout from '../../engine/cpu/layout.js';
import { MSR, resetMsrs } from '../../engine/cpu/msr.js';
import { CR0 } from '../../engine/cpu/state.js';
import { CPU_STATE, SEGMENT_STATE, SEGMENT_STATE_BYTES } from '../state/cpu-state.js';

const TOP_SHIFT = 11;
const TOP_MASK = 7 << TOP_SHIFT;
const WORD = 4;

/** Words that are the same in a record and in the engine: where they are in either. */
interface WordPairs {
  readonly inRecord: Int32Array;
  readonly inEngine: Int32Array;
}

/** Byte offset in a record and in the engine, bytes. */
type Run = readonly [inRecord: number, inEngine: number, bytes: number];

function pairsOf(runs: readonly Run[]): WordPairs {
  const words = (of: 0 | 1): number[] => runs.flatMap((run) => Array.from({ length: run[2] / WORD }, (_, i) => run[of] / WORD + i));
  return { inRecord: Int32Array.from(words(0)), inEngine: Int32Array.from(words(1)) };
}

/** Long ones are copied as a whole. */
const BLOCKS: readonly Run[] = [
  [CPU_STATE.registers, layout.REGISTERS, 128],
  [CPU_STATE.debug, layout.DEBUG, 64],
  [CPU_STATE.xmm, layout.XMM_REGISTERS, 256],
];

const CELLS = pairsOf([
  [CPU_STATE.rip, layout.EIP, 8],
  [CPU_STATE.gdtrBase, layout.GDTR_BASE, 8],
  [CPU_STATE.gdtrLimit, layout.GDTR_LIMIT, 4],
  [CPU_STATE.idtrBase, layout.IDTR_BASE, 8],
  [CPU_STATE.idtrLimit, layout.IDTR_LIMIT, 4],
  [CPU_STATE.cr2, layout.CR2, 8],
  [CPU_STATE.cpl, layout.CPL, 4],
  [CPU_STATE.x87InstructionOffset, layout.X87_INSTRUCTION_OFFSET, 8],
  [CPU_STATE.x87OperandOffset, layout.X87_OPERAND_OFFSET, 8],
  [CPU_STATE.mxcsr, layout.MXCSR, 4],
]);

/** Cells that translations may depend on. */
const PAGING_CELLS = pairsOf([
  [CPU_STATE.cr0, layout.CR0, 8],
  [CPU_STATE.cr3, layout.CR3, 8],
  [CPU_STATE.cr4, layout.CR4, 8],
  [CPU_STATE.efer, layout.EFER, 8],
  [CPU_STATE.pageDirectoryPointers, layout.PDPTE, 32],
]);
const CR0_AT = layout.CR0 / WORD;
/** Bits of CR0 that no translation depends on: MP, EM, TS, NE, AM. */
const CR0_OTHER = (CR0.mp | CR0.em | CR0.ts | CR0.ne | CR0.am) >>> 0;

const SYSENTER: readonly (readonly [number, number])[] = [
  [CPU_STATE.sysenterCs, MSR.sysenterCs],
  [CPU_STATE.sysenterEsp, MSR.sysenterEsp],
  [CPU_STATE.sysenterEip, MSR.sysenterEip],
];

const SEGMENTS = 8;
const X87_REGISTERS = 8;
/** Words of an x87 register that count whole; the third counts by half. */
const SIGNIFICAND_WORDS = 2;
const LOW_16 = 0xffff;

export class EngineState {
  private readonly cells: Uint32Array;
  private readonly blocks: readonly { readonly inRecord: number; readonly words: Uint32Array }[];

  constructor(private readonly core: Core) {
    this.cells = core.state.u32;
    this.blocks = BLOCKS.map(([inRecord, inEngine, bytes]) => ({
      inRecord: inRecord / WORD,
      words: this.cells.subarray(inEngine / WORD, (inEngine + bytes) / WORD),
    }));
  }

  /** Puts the state at `at` (a word offset in `record`) into the engine, at tick 0. */
  load(record: Uint32Array, at: number, system: boolean): void {
    const { core, cells } = this;
    const { state } = core;
    for (const { inRecord, words } of this.blocks) for (let i = 0; i < words.length; i++) words[i] = record[at + inRecord + i] as number;
    for (let i = 0; i < CELLS.inRecord.length; i++)
      cells[CELLS.inEngine[i] as number] = record[at + (CELLS.inRecord[i] as number)] as number;
    let flush = false;
    for (let i = 0; i < PAGING_CELLS.inRecord.length; i++) {
      const to = PAGING_CELLS.inEngine[i] as number;
      const [old, word] = [cells[to] as number, record[at + (PAGING_CELLS.inRecord[i] as number)] as number];
      if (old === word) continue;
      cells[to] = word;
      flush ||= to !== CR0_AT || ((old ^ word) & ~CR0_OTHER) !== 0;
    }
    if (flush) core.flushTlb('all');
    state.eflags = record[at + CPU_STATE.flags / WORD] as number;
    for (let index = 0; index < SEGMENTS; index++) this.loadSegment(record, at, index);
    this.loadX87(record, at);
    state.set32(layout.FAULT_VECTOR, layout.NO_FAULT);
    core.halted = record[at + CPU_STATE.halted / WORD] !== 0;
    core.setTick(0);
    state.f64[layout.SHADOW_TICK >>> 3] = record[at + CPU_STATE.interruptShadow / WORD] === 0 ? -1 : 0;
    if (system) this.loadModelSpecific(record, at);
    core.modeChanged();
  }

  private loadSegment(record: Uint32Array, at: number, index: number): void {
    const { cells } = this;
    const from = at + (CPU_STATE.segments + index * SEGMENT_STATE_BYTES) / WORD;
    const to = layout.segmentAddress(index) / WORD;
    cells[to + layout.SEGMENT.selector / WORD] = (record[from + SEGMENT_STATE.selector / WORD] as number) & LOW_16;
    const base = record[from + SEGMENT_STATE.base / WORD] as number;
    const baseHigh = record[from + SEGMENT_STATE.base / WORD + 1] as number;
    const limit = record[from + SEGMENT_STATE.limit / WORD] as number;
    const attributes = record[from + SEGMENT_STATE.attributes / WORD] as number;
    if (
      cells[to + layout.SEGMENT.base / WORD] === base &&
      cells[to + layout.SEGMENT.base / WORD + 1] === baseHigh &&
      cells[to + layout.SEGMENT.limit / WORD] === limit &&
      cells[to + layout.SEGMENT.attributes / WORD] === attributes
    ) {
      return;
    }
    cells[to + layout.SEGMENT.base / WORD] = base;
    cells[to + layout.SEGMENT.base / WORD + 1] = baseHigh;
    cells[to + layout.SEGMENT.limit / WORD] = limit;
    cells[to + layout.SEGMENT.attributes / WORD] = attributes;
    this.core.state.deriveBounds(index);
  }

  private loadX87(record: Uint32Array, at: number): void {
    const { cells } = this;
    const control = record[at + CPU_STATE.x87Control / WORD] as number;
    const status = control >>> 16;
    const empty = record[at + CPU_STATE.x87Empty / WORD] as number;
    const selectors = record[at + CPU_STATE.x87InstructionSelector / WORD] as number;
    cells[layout.X87_CONTROL / WORD] = control & LOW_16;
    cells[layout.X87_STATUS / WORD] = status & ~TOP_MASK;
    cells[layout.X87_TOP / WORD] = (status & TOP_MASK) >>> TOP_SHIFT;
    cells[layout.X87_EMPTY / WORD] = empty & 0xff;
    cells[layout.X87_OPCODE / WORD] = empty >>> 16;
    cells[layout.X87_INSTRUCTION_SELECTOR / WORD] = selectors & LOW_16;
    cells[layout.X87_OPERAND_SELECTOR / WORD] = selectors >>> 16;
    const from = at + CPU_STATE.x87Registers / WORD;
    const to = layout.X87_REGISTERS / WORD;
    for (let i = 0; i < X87_REGISTERS * WORD; i++) cells[to + i] = record[from + i] as number;
  }

  /** Model-specific registers, those that are no part of a case as after reset. */
  private loadModelSpecific(record: Uint32Array, at: number): void {
    const { core } = this;
    resetMsrs(core.msr);
    core.state.i64[layout.TIME_STAMP_BASE >>> 3] = 0n;
    for (const [from, number] of SYSENTER) {
      const low = record[at + from / WORD] as number;
      const high = record[at + from / WORD + 1] as number;
      if (low !== 0 || high !== 0) core.msr.set(number, (BigInt(high) << 32n) | BigInt(low));
    }
  }

  /** Writes the engine's state to `at` in `record`, over the state that was loaded. */
  store(record: Uint32Array, at: number, system: boolean): void {
    const { core, cells } = this;
    const { state } = core;
    for (const { inRecord, words } of this.blocks) record.set(words, at + inRecord);
    for (const { inRecord, inEngine } of [CELLS, PAGING_CELLS])
      for (let i = 0; i < inRecord.length; i++) record[at + (inRecord[i] as number)] = cells[inEngine[i] as number] as number;
    record[at + CPU_STATE.flags / WORD] = state.eflags;
    for (let index = 0; index < SEGMENTS; index++) {
      const to = at + (CPU_STATE.segments + index * SEGMENT_STATE_BYTES) / WORD;
      const from = layout.segmentAddress(index) / WORD;
      record[to + SEGMENT_STATE.base / WORD] = cells[from + layout.SEGMENT.base / WORD] as number;
      record[to + SEGMENT_STATE.base / WORD + 1] = cells[from + layout.SEGMENT.base / WORD + 1] as number;
      record[to + SEGMENT_STATE.limit / WORD] = cells[from + layout.SEGMENT.limit / WORD] as number;
      record[to + SEGMENT_STATE.selector / WORD] = cells[from + layout.SEGMENT.selector / WORD] as number;
      record[to + SEGMENT_STATE.attributes / WORD] = cells[from + layout.SEGMENT.attributes / WORD] as number;
    }
    this.storeX87(record, at);
    record[at + CPU_STATE.halted / WORD] = core.halted ? 1 : 0;
    record[at + CPU_STATE.interruptShadow / WORD] = state.f64[layout.SHADOW_TICK >>> 3] === core.tick ? 1 : 0;
    if (!system) return;
    for (const [to, number] of SYSENTER) {
      const value = core.msr.get(number) as bigint;
      record[at + to / WORD] = value === 0n ? 0 : Number(value & 0xffff_ffffn);
      record[at + to / WORD + 1] = value === 0n ? 0 : Number(value >> 32n);
    }
  }

  private storeX87(record: Uint32Array, at: number): void {
    const { cells } = this;
    const status = ((cells[layout.X87_STATUS / WORD] as number) & LOW_16) | ((cells[layout.X87_TOP / WORD] as number) << TOP_SHIFT);
    record[at + CPU_STATE.x87Control / WORD] = (cells[layout.X87_CONTROL / WORD] as number) | (status << 16);
    record[at + CPU_STATE.x87Empty / WORD] =
      (cells[layout.X87_EMPTY / WORD] as number) | ((cells[layout.X87_OPCODE / WORD] as number) << 16);
    record[at + CPU_STATE.x87InstructionSelector / WORD] =
      (cells[layout.X87_INSTRUCTION_SELECTOR / WORD] as number) | ((cells[layout.X87_OPERAND_SELECTOR / WORD] as number) << 16);
    const to = at + CPU_STATE.x87Registers / WORD;
    const from = layout.X87_REGISTERS / WORD;
    for (let register = 0; register < X87_REGISTERS * WORD; register += WORD) {
      for (let i = 0; i < SIGNIFICAND_WORDS; i++) record[to + register + i] = cells[from + register + i] as number;
      record[to + register + SIGNIFICAND_WORDS] = (cells[from + register + SIGNIFICAND_WORDS] as number) & LOW_16;
    }
  }
}
