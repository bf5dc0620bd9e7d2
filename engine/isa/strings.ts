/**
 * String instructions (Intel SDM volume 2, MOVS CMPS STOS LODS SCAS, REP). INS and OUTS are host semantics.
 *
 * A repeated instruction ends its block. Each iteration is one tick: the first is paid on entering the block, each
 * further one is taken from the budget; when the budget is used up the instruction is left at its own address with
 * (E)CX, (E)SI and (E)DI as far as they have come, and goes on from there.
 */
import * as layout from '../cpu/layout.js';
import { EFLAG } from '../cpu/state.js';
import { emitWrittenRun } from '../mmu/written-lines.js';
import type { AccessBits, Context } from '../translate/context.js';
import { type Int, toI32, toI64, zeroExtended } from '../translate/int.js';
import type { Label } from '../wasm/function-builder.js';
import { store128 } from '../wasm/memory-access.js';
import { I32, I64, select, V128 } from '../wasm/values.js';
import { type Definition, row, type Semantics } from './definition.js';
import { ADDRESSING } from './record.js';

type Register = 'esi' | 'edi' | 'ecx';
const CELL = { esi: layout.ESI, edi: layout.EDI, ecx: layout.ECX } as const;

/** Address-size dependent access to SI, DI, CX. */
class Counters {
  private readonly narrow: I32;
  readonly step: I32;
  constructor(readonly c: Context) {
    this.narrow = c.let(c.addressingFlags().and(ADDRESSING.narrow));
    const bytes = c.size / 8;
    this.step = c.let(select(c.cell32(layout.EFLAGS_SYSTEM).and(EFLAG.df), I32.of(-bytes), I32.of(bytes)));
  }
  get(register: Register): Int {
    return this.c.narrowed(this.c.wide(CELL[register]));
  }
  add(register: Register, amount: I32 | number): void {
    const { c } = this;
    const cell = CELL[register];
    if (c.form.long) {
      // A 32-bit register that is written loses its upper half.
      c.setWide(cell, c.narrowed(c.wide(cell).add(I32.of(amount).toI64S())));
      return;
    }
    const sum = c.let(c.cell32(cell).add(amount));
    const old = c.cell32(cell);
    c.setCell32(cell, select(this.narrow, old.and(0xffff_0000 | 0).or(sum.and(0xffff)), sum));
  }
  advance(register: 'esi' | 'edi'): void {
    this.add(register, this.step);
  }
  /** Linear address of the source, in the segment the decoder chose. */
  source(write = false): I32 {
    return this.c.linearImplicit(this.get('esi'), this.c.size / 8, write);
  }
  /** Linear address of the destination: always ES, whatever the prefixes. */
  destination(write: boolean): I32 {
    const flags = this.c.addressingFlags();
    const other = ADDRESSING.segment | (this.c.form.long ? ADDRESSING.checked : 0);
    return this.c.linearWith(this.get('edi'), select(flags, flags.and(~other).or(layout.ES), I32.of(0)), this.c.size / 8, write);
  }
}

const bitsOf = (c: Context): AccessBits => c.size;

type Iteration = (c: Context, counters: Counters) => void;

const moveOnce: Iteration = (c, k) => {
  const value = c.let(c.load(k.source(), bitsOf(c)));
  c.store(k.destination(true), bitsOf(c), value);
  k.advance('esi');
  k.advance('edi');
};
const storeOnce: Iteration = (c, k) => {
  c.store(k.destination(true), bitsOf(c), c.register(0, c.size));
  k.advance('edi');
};
const loadOnce: Iteration = (c, k) => {
  c.setRegister(0, c.size, c.load(k.source(), bitsOf(c)));
  k.advance('esi');
};
const compareOnce: Iteration = (c, k) => {
  const a = c.let(c.load(k.source(), bitsOf(c)));
  const b = c.let(c.load(k.destination(false), bitsOf(c)));
  compare(c, a, b);
  k.advance('esi');
  k.advance('edi');
};
const scanOnce: Iteration = (c, k) => {
  const b = c.let(c.load(k.destination(false), bitsOf(c)));
  compare(c, c.let(zeroExtended(c.register(0, c.size), c.size)), b);
  k.advance('edi');
};
function compare(c: Context, a: Int, b: Int): void {
  c.flags.sub(a, b, c.let(a.sub(b)), c.size);
}

/** `limit` iterations at once where nothing can tell the difference, else to `single`. */
type Bulk = (c: Context, limit: I32, single: Label) => void;

function repeated(once: Iteration, conditional: boolean, bulk: Bulk | undefined): Semantics {
  return (c) => {
    const k = new Counters(c);
    if (c.form.repeat === 0) {
      once(c, k);
      return;
    }
    c.f.if(k.get('ecx').eqz(), () => c.done());
    c.f.loop((again) => {
      c.f.block((counted) => {
        if (bulk !== undefined) {
          c.f.block((single) => {
            bulkStep(c, k, bulk, single);
            c.f.br(counted);
          });
        }
        once(c, k);
        k.add('ecx', -1);
      });
      c.f.if(k.get('ecx').eqz(), () => c.done());
      if (conditional) c.f.if(c.form.repeat === 1 ? c.flags.zf().xor(1) : c.flags.zf(), () => c.done());
      const budget = c.let(c.cell32(layout.TICKS_LEFT));
      c.f.if(budget.eqz(), () => c.jump(c.eip()));
      c.setCell32(layout.TICKS_LEFT, budget.sub(1));
      c.f.br(again);
    });
  };
}

/**
 * Tries to do a run of iterations within one page of each operand, forward, with flat or checked segments out of the
 * way; branches to `single` when only single iterations are exact.
 */
function bulkStep(c: Context, k: Counters, bulk: Bulk, single: Label): void {
  if (c.form.long) {
    c.f.brIf(c.addressingFlags().and(ADDRESSING.checked | ADDRESSING.narrow), single);
    const all = toI64(c.wide(layout.ESI).or(c.wide(layout.EDI)).or(c.wide(layout.ECX)));
    c.f.brIf(all.shrU(32).ne(0), single);
  } else c.f.brIf(c.addressingFlags(), single);
  c.f.brIf(k.step.ltS(0), single);
  // The iteration under way is paid for already.
  const affordable = c.let(c.cell32(layout.TICKS_LEFT).add(1));
  const count = c.let(c.cell32(layout.ECX));
  const limit = c.f.local(count.type);
  c.f.set(limit, select(count.ltU(affordable), count, affordable));
  const bytes = c.size / 8;
  const clampToPage = (address: I32): void => {
    const room = c.let(
      I32.of(0x1000)
        .sub(address.and(0xfff))
        .shrU(31 - Math.clz32(bytes)),
    );
    c.f.if(room.ltU(limit.get()), () => c.f.set(limit, room));
  };
  clampToPage(c.cell32(layout.EDI));
  if (bulk === bulkMove) clampToPage(c.cell32(layout.ESI));
  c.f.brIf(limit.get().ltU(4), single);
  bulk(c, limit.get(), single);
}

/** Page faults, devices and overlapping copies go one by one. */
const bulkMove: Bulk = (c, limit, single) => {
  const bytes = c.let(limit.mul(c.size / 8));
  const hostFrom = c.hostPage(c.let(c.cell32(layout.ESI)), false);
  const hostTo = c.hostPage(c.let(c.cell32(layout.EDI)), true);
  const usable = hostFrom.ne(0).and(hostTo.ne(0)).and(hostTo.sub(hostFrom).geU(bytes));
  c.f.brIf(usable.eqz(), single);
  c.f.copyMemory(hostTo, hostFrom, bytes);
  emitWrittenRun(c.f, hostTo, bytes);
  finishBulk(c, limit, bytes, true);
};

const bulkStore: Bulk = (c, limit, single) => {
  const bytes = c.let(limit.mul(c.size / 8));
  const host = c.hostPage(c.let(c.cell32(layout.EDI)), true);
  c.f.brIf(host.eqz().or(bytes.ltU(16)), single);
  const element = zeroExtended(c.register(0, c.size), c.size);
  const value = toI32(element);
  const word = c.size === 8 ? value.mul(0x01010101) : c.size === 16 ? value.mul(0x10001) : value;
  const pair = (whole: I64): V128 => V128.of(new Uint8Array(16)).withLaneI64(0, whole).withLaneI64(1, whole);
  const pattern = c.let(element instanceof I64 ? pair(c.let(element)) : V128.splat32(word));
  const at = c.newLocal();
  const last = c.let(host.add(bytes).sub(16));
  c.f.set(at, host);
  c.f.loop((again) => {
    c.f.emit(store128(at.get(), pattern));
    c.f.set(at, at.get().add(16));
    c.f.brIf(at.get().ltU(last), again);
  });
  // The rest, overlapping what is there: the pattern repeats with the size of an element.
  c.f.emit(store128(last, pattern));
  emitWrittenRun(c.f, host, bytes);
  finishBulk(c, limit, bytes, false);
};

function finishBulk(c: Context, limit: I32, bytes: I32, source: boolean): void {
  if (source) c.setCell32(layout.ESI, c.cell32(layout.ESI).add(bytes));
  c.setCell32(layout.EDI, c.cell32(layout.EDI).add(bytes));
  c.setCell32(layout.ECX, c.cell32(layout.ECX).sub(limit));
  c.setCell32(layout.TICKS_LEFT, c.cell32(layout.TICKS_LEFT).sub(limit.sub(1)));
}

const rep = { repeat: 'rep', terminal: true } as const;
const repe = { repeat: 'repe', terminal: true } as const;
const sized = { sized: true } as const;

const movs = repeated(moveOnce, false, bulkMove);
const stos = repeated(storeOnce, false, bulkStore);
const lods = repeated(loadOnce, false, undefined);
const cmps = repeated(compareOnce, true, undefined);
const scas = repeated(scanOnce, true, undefined);

/** The byte forms name AL so that their operand size is 8. */
export const STRINGS: readonly Definition[] = [
  row('A4', 'movsb', 'AL', movs, rep),
  row('A5', 'movs', '', movs, { ...rep, ...sized }),
  row('AA', 'stosb', 'AL', stos, rep),
  row('AB', 'stos', '', stos, { ...rep, ...sized }),
  row('AC', 'lodsb', 'AL', lods, rep),
  row('AD', 'lods', '', lods, { ...rep, ...sized }),
  row('A6', 'cmpsb', 'AL', cmps, repe),
  row('A7', 'cmps', '', cmps, { ...repe, ...sized }),
  row('AE', 'scasb', 'AL', scas, repe),
  row('AF', 'scas', '', scas, { ...repe, ...sized }),
];
