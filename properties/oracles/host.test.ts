import { spawn } from 'node:child_process';
import { afterAll, describe, expect, it } from 'vitest';
import * as x86 from '../assembler/index.js';
import { type Assembler, assemble } from '../assembler/index.js';
import { USER_RECORD_BYTES, USER_WINDOWS } from '../state/arena.js';
import { CPU_STATE, CPU_STATE_BYTES, CpuState, CS, DS, ES, FS, GS, REGISTER_NAMES, SS } from '../state/cpu-state.js';
import { findTool, missing } from '../testing/system-tool.js';
import { createHostOracle, type HostOracle, hostReason } from './host.js';
import { HOST_REASON } from './host-layout.js';
import { hostRefusal, hostVendor, parseHostVendor } from './host-vendor.js';
import { type CaseBatch, type CodeBits, createOutcomes, END, type Outcomes } from './oracle.js';

const { al, bl, eax, xmm0, xmm1 } = x86;

const CODE = 0x10f00;
const DATA = 0x20f00;
const CODE_BASE_16 = 0x10000;
const DATA_BASE_16 = 0x20000;
const FLAGS = 0x202;
const CF = 1;
const PF = 4;
const AF = 0x10;
const ZF = 0x40;
const SF = 0x80;
const TF = 0x100;
const OF = 0x800;
const AC = 0x40000;
const VECTOR = { de: 0, db: 1, bp: 3, of: 4, br: 5, ud: 6, ss: 12, gp: 13, pf: 14, mf: 16, ac: 17, xm: 19 };
const FLAT = 0xffff_ffff;

/** Windows of a record by name, as offsets in it. */
const WINDOW_AT = new Map<string, number>();
let windowAt = CPU_STATE_BYTES;
for (const { name, bytes } of USER_WINDOWS) {
  WINDOW_AT.set(name, windowAt);
  windowAt += bytes;
}

let opened: HostOracle | undefined;
afterAll(() => opened?.close());

/** Inside a test. */
function host(): HostOracle {
  const refusal = hostRefusal();
  if (refusal !== undefined) missing(refusal);
  if (findTool('gcc') === undefined) missing('gcc is not installed (Debian package gcc)');
  opened ??= createHostOracle();
  return opened;
}

interface Case {
  readonly state: CpuState;
  readonly record: Uint8Array;
  readonly view: DataView;
}

function caseAt(records: Uint8Array, index: number): Case {
  const record = records.subarray(index * USER_RECORD_BYTES, (index + 1) * USER_RECORD_BYTES);
  return {
    state: new CpuState(record.buffer, record.byteOffset),
    record,
    view: new DataView(record.buffer, record.byteOffset, record.length),
  };
}

function initialize({ state, record }: Case, bits: CodeBits): void {
  record.fill(0xf4, CPU_STATE_BYTES);
  state.bytes.fill(0);
  state.rip = BigInt(CODE - (bits === 16 ? CODE_BASE_16 : 0));
  state.flags = FLAGS;
  state.setU32(CPU_STATE.cpl, 3);
  state.setU64(CPU_STATE.cr0, 0x8004_0033n);
  state.setU64(CPU_STATE.cr4, 0x600n);
  state.setU32(CPU_STATE.mxcsr, 0x1f80);
  state.setU16(CPU_STATE.x87Control, 0x37f);
  state.setU16(CPU_STATE.x87Empty, 0xff);
  state.registers[4] = BigInt(DATA + 0x80 - (bits === 16 ? DATA_BASE_16 : 0));
  for (const index of [ES, SS, DS, FS, GS]) {
    if (bits === 16) state.setSegment(index, 7 + 8 * index, BigInt(DATA_BASE_16), 0xffff, 0xf3);
    else state.setSegment(index, 0x2b, 0n, FLAT, 0xc0f3);
  }
  if (bits === 16) state.setSegment(CS, 7 + 8 * CS, BigInt(CODE_BASE_16), 0xffff, 0xfb);
  else if (bits === 32) state.setSegment(CS, 0x23, 0n, FLAT, 0xc0fb);
  else state.setSegment(CS, 0x33, 0n, FLAT, 0xa0fb);
}

function batchOf(bits: CodeBits, count: number, code: Uint8Array, prepare: (it: Case, index: number) => void): CaseBatch {
  const records = new Uint8Array(count * USER_RECORD_BYTES);
  for (let i = 0; i < count; i++) {
    const it = caseAt(records, i);
    initialize(it, bits);
    it.record.set(code, WINDOW_AT.get('code')!);
    prepare(it, i);
  }
  return { arena: 'user', bits, windows: USER_WINDOWS, count, records, tickLimit: 1000 };
}

function assembled(bits: CodeBits, write: (a: Assembler) => void): Uint8Array {
  return assemble({ bits, origin: CODE - (bits === 16 ? CODE_BASE_16 : 0) }, write).bytes;
}

function run(batch: CaseBatch): Outcomes {
  const oracle = host();
  expect(oracle.refuses(batch)).toBe(undefined);
  const outcomes = createOutcomes(batch.count, USER_RECORD_BYTES);
  oracle.run(batch, outcomes);
  return outcomes;
}

interface Outcome extends Case {
  readonly end: number;
  readonly vector: number;
  readonly errorCode: number;
  /** Of the end, from the first byte of the code window. */
  readonly offset: number;
  readonly strayWrites: number[];
  /** What differs from the case: registers by name with their values, other bytes of state and windows by their offset. */
  readonly changes: Record<string, bigint | number>;
}

/** @param code bytes, or what assembles them */
function runOne(bits: CodeBits, code: Uint8Array | number[] | ((a: Assembler) => void), prepare: (it: Case) => void = () => {}): Outcome {
  const bytes = typeof code === 'function' ? assembled(bits, code) : Uint8Array.from(code);
  const batch = batchOf(bits, 1, bytes, prepare);
  const { records, ends, vectors, errorCodes, strayWrites } = run(batch);
  const before = caseAt(batch.records, 0);
  const after = caseAt(records, 0);
  const changes: Record<string, bigint | number> = {};
  for (const [i, name] of REGISTER_NAMES.entries()) {
    if (after.state.registers[i] !== before.state.registers[i]) changes[name] = after.state.registers[i]!;
  }
  for (let i = CPU_STATE.segments; i < USER_RECORD_BYTES; i++) if (after.record[i] !== before.record[i]) changes[i] = after.record[i]!;
  const offset = Number(after.state.rip) + (bits === 16 ? CODE_BASE_16 : 0) - CODE;
  return { ...after, end: ends[0]!, vector: vectors[0]!, errorCode: errorCodes[0]!, offset, strayWrites, changes };
}

const ended = ({ end, vector, errorCode, offset }: Outcome) => ({ end, vector, errorCode, offset });
const exception = (vector: number, errorCode: number, offset: number) => ({ end: END.exception, vector, errorCode, offset });
/** At the filler. */
const normal = (offset: number) => exception(VECTOR.gp, 0, offset);
const unsupported = (reason: number) => ({ end: END.unsupported, errorCode: reason });

describe.each([16, 32, 64] as const)('%i-bit code', (bits) => {
  const data = BigInt(DATA - (bits === 16 ? DATA_BASE_16 : 0));

  it('computes and sets flags', () => {
    const outcome = runOne(
      bits,
      (a) => a.add(al, bl),
      ({ state }) => {
        state.registers[0] = 0x7fn;
        state.registers[3] = 0x01n;
      },
    );
    expect(ended(outcome)).toEqual(normal(2));
    expect(outcome.state.flags).toBe(FLAGS | OF | SF | AF);
    expect(outcome.changes).toEqual({ rax: 0x80n });
  });

  it('begins with all flags as they are in the case', () => {
    const flags = FLAGS | CF | PF | AF | ZF | SF | OF | 0x400 | 0x4000 | AC | 0x20_0000;
    const outcome = runOne(
      bits,
      (a) => a.nop(),
      ({ state }) => {
        state.flags = flags;
      },
    );
    expect(ended(outcome)).toEqual(normal(1));
    expect(outcome.state.flags).toBe(flags);
    expect(outcome.changes).toEqual({});
  });

  it('returns every general register', () => {
    const count = bits === 64 ? 16 : 8;
    const outcome = runOne(
      bits,
      (a) => a.nop(),
      ({ state }) => {
        for (let i = 0; i < count; i++) state.registers[i] = bits === 64 ? 0x8123_4567_89ab_cde0n + BigInt(i) : 0xfedc_ba90n + BigInt(i);
      },
    );
    expect(outcome.changes).toEqual({});
    expect(ended(outcome)).toEqual(normal(1));
  });

  it('traps after one instruction with TF', () => {
    const outcome = runOne(
      bits,
      (a) => (a.inc(eax), a.inc(eax)),
      ({ state }) => {
        state.flags = FLAGS | TF;
        state.registers[4] = 0x8765_0f80n;
      },
    );
    expect(ended(outcome)).toEqual(exception(VECTOR.db, 0, bits === 32 ? 1 : 2));
    expect(outcome.state.flags).toBe(FLAGS | TF);
    expect(outcome.changes).toEqual({ rax: 1n });
  });

  it('faults: #DE, #UD, #GP, #BP', () => {
    expect(ended(runOne(bits, (a) => a.div(bl)))).toEqual(exception(VECTOR.de, 0, 0));
    expect(ended(runOne(bits, (a) => a.ud2()))).toEqual(exception(VECTOR.ud, 0, 0));
    expect(ended(runOne(bits, (a) => (a.nop(), a.cli())))).toEqual(exception(VECTOR.gp, 0, 1));
    expect(ended(runOne(bits, (a) => a.int3()))).toEqual(exception(VECTOR.bp, 0, 1));
    expect(ended(runOne(bits, [0xcd, 0x21]))).toEqual(exception(VECTOR.gp, 0x21 * 8 + 2, 0));
  });

  it('faults of an unaligned access with AC', () => {
    const prepare = ({ state }: Case) => {
      state.flags = FLAGS | AC;
      state.registers[6] = data + 1n;
    };
    // mov ecx, [esi] or [si]
    const code = bits === 16 ? [0x66, 0x8b, 0x0c] : [0x8b, 0x0e];
    expect(ended(runOne(bits, code, prepare))).toEqual(exception(VECTOR.ac, 0, 0));
  });

  it('reads and writes across pages, to the very end, and not behind it', () => {
    // mov [esi], eax
    const code = bits === 16 ? [0x66, 0x89, 0x04] : [0x89, 0x06];
    const at = (address: number) => (it: Case) => {
      it.state.registers[0] = 0x4433_2211n;
      it.state.registers[6] = BigInt(address - (bits === 16 ? DATA_BASE_16 : 0));
    };
    const inside = runOne(bits, code, at(0x20ffe));
    expect(ended(inside)).toEqual(normal(code.length));
    expect(inside.view.getUint32(WINDOW_AT.get('data')! + 0xfe, true)).toBe(0x4433_2211);
    expect(Object.keys(inside.changes)).toHaveLength(4);
    const last = runOne(bits, code, at(0x21ffc));
    expect(ended(last)).toEqual(normal(code.length));
    expect(last.view.getUint32(WINDOW_AT.get('edge')! + 0xfc, true)).toBe(0x4433_2211);
    const behind = runOne(bits, code, at(0x21ffd));
    expect(ended(behind)).toEqual(exception(VECTOR.pf, 6, 0));
    expect(behind.state.u64(CPU_STATE.cr2)).toBe(0x22000n);
    // Nothing but CR2 has changed.
    expect(Object.keys(behind.changes).every((key) => Math.floor((Number(key) - CPU_STATE.cr2) / 8) === 0)).toBe(true);
    const readOnly = runOne(bits, code, at(0x24010));
    expect(ended(readOnly)).toEqual(exception(VECTOR.pf, 7, 0));
    expect(readOnly.state.u64(CPU_STATE.cr2)).toBe(0x24010n);
  });

  it('has the contents of the read-only window', () => {
    // mov eax, [esi]
    const outcome = runOne(bits, bits === 16 ? [0x66, 0x8b, 0x04] : [0x8b, 0x06], ({ state, view }) => {
      view.setUint32(WINDOW_AT.get('readOnly')! + 8, 0x1234_5678, true);
      state.registers[6] = BigInt(0x24008 - (bits === 16 ? DATA_BASE_16 : 0));
    });
    expect(outcome.changes).toEqual({ rax: 0x1234_5678n });
  });

  it('executes code across the middle of the window', () => {
    const outcome = runOne(bits, [], ({ state, record }) => {
      record.set([0xb0, 0x55], WINDOW_AT.get('code')! + 0xff);
      state.rip += 0xffn;
    });
    expect(ended(outcome)).toEqual(normal(0x101));
    expect(outcome.changes).toEqual({ rax: 0x55n });
  });

  it('faults of a fetch, as a read where nothing forbids execution', () => {
    // jmp [esi]
    const prepare = ({ state, view }: Case) => {
      view.setUint32(WINDOW_AT.get('data')!, 0x3456, true);
      view.setUint32(WINDOW_AT.get('data')! + 4, 0, true);
      state.registers[6] = data;
    };
    const code = bits === 16 ? [0xff, 0x24] : [0xff, 0x26];
    const target = bits === 16 ? 0x13456 : 0x3456;
    const outcome = runOne(bits, code, prepare);
    expect(ended(outcome)).toEqual(exception(VECTOR.pf, 4, target - CODE));
    expect(outcome.state.u64(CPU_STATE.cr2)).toBe(BigInt(target));
    const tellsApart = runOne(bits, code, (it) => {
      prepare(it);
      it.state.setU64(CPU_STATE.cr4, 0x620n);
      it.state.setU64(CPU_STATE.efer, 0x800n);
    });
    expect(tellsApart.errorCode).toBe(0x14);
  });

  it('sees what is written outside of the windows, and repairs it', () => {
    // mov [esi], al
    const code = bits === 16 ? [0x88, 0x04] : [0x88, 0x06];
    const prepare = ({ state }: Case) => {
      state.registers[0] = 0x77n;
      state.registers[6] = BigInt(0x21800 - (bits === 16 ? DATA_BASE_16 : 0));
    };
    expect(runOne(bits, code, prepare).strayWrites).toEqual([0, 0x21800, 0x77]);
    // mov al, [esi]
    const read = runOne(bits, bits === 16 ? [0x8a, 0x04] : [0x8a, 0x06], prepare);
    expect(read.changes).toEqual({ rax: 0xf4n });
    expect(read.strayWrites).toEqual([]);
  });

  it('returns x87 registers by their physical number, pointers and tags', () => {
    const one = [0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f];
    const prepare = ({ state }: Case) => {
      state.setU16(CPU_STATE.x87Status, 3 << 11);
      state.setU16(CPU_STATE.x87Empty, 0b1111_0000);
      for (let i = 0; i < 4; i++) state.bytes.set([i + 1, ...one.slice(1)], CPU_STATE.x87Registers + i * 16);
    };
    const untouched = runOne(bits, (a) => a.nop(), prepare);
    expect(untouched.changes).toEqual({});
    const { state } = runOne(bits, [0xd9, 0xe8, 0xd9, 0xc8], prepare);
    expect(state.u16(CPU_STATE.x87Status)).toBe((2 << 11) | 0x40 | 1 | (state.u16(CPU_STATE.x87Status) & 0x4700));
    expect([...state.bytes.subarray(CPU_STATE.x87Registers + 32, CPU_STATE.x87Registers + 42)]).toEqual([
      0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff,
    ]);
    const pushed = runOne(
      bits,
      (a) => a.fld1(),
      (it) => {
        prepare(it);
        it.state.setU16(CPU_STATE.x87Status, 0);
      },
    );
    expect(pushed.state.u16(CPU_STATE.x87Empty)).toBe(0b0111_0000);
    expect(pushed.state.u16(CPU_STATE.x87Status)).toBe(7 << 11);
    expect([...pushed.state.bytes.subarray(CPU_STATE.x87Registers + 112, CPU_STATE.x87Registers + 122)]).toEqual(one);
  });

  it('raises #MF at the next waiting instruction', () => {
    const outcome = runOne(bits, [0xd9, 0xee, 0xd9, 0xe8, 0xde, 0xf1, 0x90, 0x9b], ({ state }) =>
      state.setU16(CPU_STATE.x87Control, 0x37b),
    );
    expect(ended(outcome)).toEqual(exception(VECTOR.mf, 0, 7));
    expect(outcome.state.u16(CPU_STATE.x87Status) & 0x80ff).toBe(0x8084);
  });

  it('executes SSE, and raises #XM', () => {
    const prepare = ({ state }: Case) => {
      state.setU32(CPU_STATE.xmm, 0x3f80_0000);
      state.setU32(CPU_STATE.xmm + 4, 0xdead_beef);
    };
    const zero = runOne(bits, (a) => a.divss(xmm0, xmm1), prepare);
    expect(ended(zero)).toEqual(normal(4));
    expect(zero.state.u32(CPU_STATE.xmm)).toBe(0x7f80_0000);
    expect(zero.state.u32(CPU_STATE.xmm + 4)).toBe(0xdead_beef);
    expect(zero.state.u32(CPU_STATE.mxcsr)).toBe(0x1f84);
    const unmasked = runOne(
      bits,
      (a) => a.divss(xmm0, xmm1),
      (it) => {
        prepare(it);
        it.state.setU32(CPU_STATE.mxcsr, 0x1d80);
      },
    );
    expect(ended(unmasked)).toEqual(exception(VECTOR.xm, 0, 0));
    expect(unmasked.state.u32(CPU_STATE.mxcsr)).toBe(0x1d84);
    expect(unmasked.state.u32(CPU_STATE.xmm)).toBe(0x3f80_0000);
  });

  it('stops what runs away', () => {
    const batch = batchOf(bits, 3, Uint8Array.from([0x74, 0xfe]), ({ state }, index) => {
      state.flags = FLAGS | (index === 1 ? ZF : 0);
    });
    expect([...run(batch).ends]).toEqual([END.exception, END.limit, END.exception]);
  });

  it('lets no system call through', () => {
    // jmp ecx; mov eax, ...: what is called is inside of an instruction.
    const hidden = runOne(bits, [0xff, 0xe1, 0xb8, 0xcd, 0x80, 0x90, 0x90], ({ state }) => {
      state.registers[1] = state.rip + 3n;
    });
    expect(hidden).toMatchObject(unsupported(HOST_REASON.systemCall));
    const refused = (code: number[]) => host().refuses(batchOf(bits, 1, Uint8Array.from(code), () => {}));
    // INT 80h, behind a branch into the middle of MOV as well; and the gates of #BP and #OF.
    for (const code of [
      [0xcd, 0x80],
      [0xeb, 0x01, 0xb8, 0xcd, 0x80, 0x90, 0x90],
      [0xcd, 3],
      [0xcd, 4],
    ]) {
      expect(refused(code)).toBe('the host has a gate for it');
    }
    expect(refused([0x90, 0x0f, 0x34])).toBe('it calls the operating system of the host');
    expect(refused([0x90, 0x0f, 0x05])).toBe('it uses SYSCALL');
    expect(refused([0x90, 0x0f, 0x07])).toBe('it uses SYSCALL');
  });

  it('refuses what another machine would answer otherwise', () => {
    const refused = (code: number[]) => host().refuses(batchOf(bits, 1, Uint8Array.from(code), () => {}));
    expect(refused([0x0f, 0xa2])).toBe('it uses CPUID');
    expect(refused([0x0f, 0x31])).toBe('it uses TSC');
    expect(refused([0xf3, 0x0f, 0xb8, 0xc1])).toBe('it uses POPCNT');
    expect(refused([0x90, 0x0f, 0x01, 0xe0])).toBe('the kernel of the host answers in its place');
    expect(refused([0x0f, 0x02, 0xc1])).toBe('it looks at the descriptor tables of the host');
    expect(refused([0x90])).toBe(undefined);
  });

  it('says why a state cannot be', () => {
    const nop = [0x90];
    expect(runOne(bits, nop, ({ state }) => (state.flags = 2))).toMatchObject(unsupported(HOST_REASON.flags));
    expect(runOne(bits, nop, ({ state }) => (state.flags = FLAGS | 0x3000))).toMatchObject(unsupported(HOST_REASON.flags));
    expect(runOne(bits, nop, ({ state }) => state.setU64(CPU_STATE.cr0, 0x8004_003bn))).toMatchObject(unsupported(HOST_REASON.state));
    expect(runOne(bits, nop, ({ state }) => state.setU32(CPU_STATE.cpl, 0))).toMatchObject(unsupported(HOST_REASON.state));
    if (bits !== 64)
      expect(runOne(bits, nop, ({ state }) => state.setSegment(SS, 0, 0n, 0, 0))).toMatchObject(unsupported(HOST_REASON.segment));
    expect(hostReason(HOST_REASON.segment)).toBe('a segment that a process of the host cannot have');
  });

  it('supports of segment loads the faults only', () => {
    // mov ds, eax
    const loaded = (value: bigint) =>
      runOne(bits, [0x8e, 0xd8], ({ state }) => {
        state.registers[0] = value;
      });
    for (const known of [2n, 0x2bn, 0x63n]) expect(loaded(known)).toMatchObject(unsupported(HOST_REASON.selector));
    expect(ended(loaded(0x1230n))).toEqual(exception(VECTOR.gp, 0x1230, 0));
  });

  it('stores selectors only as they are', () => {
    // mov eax, ss
    const code = [0x8c, 0xd0];
    const outcome = runOne(bits, code);
    expect(ended(outcome)).toEqual(normal(2));
    expect(outcome.changes).toEqual({ rax: bits === 16 ? BigInt(7 + 8 * SS) : 0x2bn });
    const other = ({ state }: Case) =>
      state.setSegment(SS, 0x3b, state.segmentBase(SS), state.segmentLimit(SS), state.segmentAttributes(SS));
    expect(runOne(bits, code, other)).toMatchObject(unsupported(HOST_REASON.segment));
    // Nobody sees the selector: another one will do.
    const unseen = runOne(bits, [0x90], other);
    expect(ended(unseen)).toEqual(normal(1));
    expect(unseen.changes).toEqual({});
  });
});

describe('segments', () => {
  it('16-bit code: #SS behind the limit of the stack, #GP behind that of other segments', () => {
    const limited =
      (selected: number) =>
      ({ state }: Case) => {
        state.setSegment(selected, 7 + 8 * selected, BigInt(DATA_BASE_16), 0xf7f, 0xf3);
        state.registers[5] = 0xf7fn;
        state.registers[3] = 0xf7fn;
        state.registers[4] = 0xf80n;
      };
    // mov ax, [bp+0]; mov ax, [bx]; push ax; pop ax
    expect(ended(runOne(16, [0x8b, 0x46, 0x00], limited(SS)))).toEqual(exception(VECTOR.ss, 0, 0));
    expect(ended(runOne(16, [0x8b, 0x07], limited(DS)))).toEqual(exception(VECTOR.gp, 0, 0));
    expect(ended(runOne(16, [0x50], limited(SS)))).toEqual(normal(1));
    expect(ended(runOne(16, [0x58], limited(SS)))).toEqual(exception(VECTOR.ss, 0, 0));
  });

  it('16-bit code keeps the upper half of ESP', () => {
    for (const flags of [FLAGS, FLAGS | TF]) {
      const outcome = runOne(16, [0x50], ({ state }) => {
        state.flags = flags;
        state.registers[4] = 0xabcd_0f82n;
      });
      expect(outcome.changes.rsp).toBe(0xabcd_0f80n);
    }
  });

  it('32-bit code: bases, expand-down and read-only segments', () => {
    // mov [esi], eax
    const stored = (attributes: number, limit: number, address: bigint) =>
      runOne(32, [0x89, 0x06], ({ state }) => {
        state.setSegment(DS, 0x17, 0x20f10n, limit, attributes);
        state.registers[6] = address;
        state.registers[0] = 0x01020304n;
      });
    const based = stored(0x40f3, 0xff, 4n);
    expect(ended(based)).toEqual(normal(2));
    expect(based.view.getUint32(WINDOW_AT.get('data')! + 0x14, true)).toBe(0x01020304);
    expect(ended(stored(0x40f3, 0xff, 0xfdn))).toEqual(exception(VECTOR.gp, 0, 0));
    expect(ended(stored(0x40f7, 0xff, 0xffn))).toEqual(exception(VECTOR.gp, 0, 0));
    expect(ended(stored(0x40f7, 0xff, 0x100n))).toEqual(normal(2));
    expect(ended(stored(0x40f1, 0xff, 4n))).toEqual(exception(VECTOR.gp, 0, 0));
  });

  it('32-bit code: execute-only and conforming code', () => {
    // mov eax, cs:[esi]
    const read = (attributes: number) =>
      runOne(32, [0x2e, 0x8b, 0x06], ({ state }) => {
        state.setSegment(CS, 0x0f, 0n, FLAT, attributes);
        state.registers[6] = BigInt(DATA);
      });
    expect(ended(read(0xc0ff))).toEqual(normal(3));
    expect(read(0xc0ff).state.segmentAttributes(CS)).toBe(0xc0ff);
    for (const executeOnly of [0xc0f9, 0xc0fd]) expect(ended(read(executeOnly))).toEqual(exception(VECTOR.gp, 0, 0));
  });

  it('takes many different segments in one batch', () => {
    const count = 1000;
    // mov eax, [esi]
    const batch = batchOf(32, count, Uint8Array.from([0x8b, 0x06]), ({ state, view }, index) => {
      for (let i = 0; i < 128; i++) view.setUint32(WINDOW_AT.get('data')! + 4 * i, i, true);
      state.setSegment(DS, 0x43, BigInt(DATA + 4 * (index % 128)), 3 + index, 0x40f3);
    });
    const { records, vectors } = run(batch);
    for (let i = 0; i < count; i++) {
      expect(vectors[i]).toBe(VECTOR.gp);
      expect(caseAt(records, i).state.registers[0]).toBe(BigInt(i % 128));
    }
  });

  it('64-bit code: the bases of FS and GS, and addresses that are none', () => {
    const prepare = ({ state, view }: Case) => {
      state.setSegment(FS, 0, BigInt(DATA), FLAT, 0xc0f3);
      state.setSegment(GS, 0, 0xffff_8000_0000_0000n, FLAT, 0xc0f3);
      view.setUint32(WINDOW_AT.get('data')! + 16, 0x55667788, true);
      state.registers[6] = 16n;
      state.registers[5] = 0x8000_0000_0000_0000n;
    };
    expect(runOne(64, [0x64, 0x8b, 0x06], prepare).changes).toEqual({ rax: 0x55667788n });
    const kernel = runOne(64, [0x65, 0x8b, 0x06], prepare);
    expect(ended(kernel)).toEqual(exception(VECTOR.pf, 4, 0));
    expect(kernel.state.u64(CPU_STATE.cr2)).toBe(0xffff_8000_0000_0010n);
    // mov eax, [rbp]; mov eax, ds:[rbp]
    expect(ended(runOne(64, [0x8b, 0x45, 0x00], prepare))).toEqual(exception(VECTOR.ss, 0, 0));
    expect(ended(runOne(64, [0x8b, 0x04, 0x2e], prepare))).toEqual(exception(VECTOR.gp, 0, 0));
  });

  it('#BR and #OF in 32-bit code', () => {
    expect(ended(runOne(32, [0xce], ({ state }) => (state.flags = FLAGS | OF)))).toEqual(exception(VECTOR.of, 0, 1));
    // bound eax, [esi]
    expect(
      ended(
        runOne(32, [0x62, 0x06], ({ state, view }) => {
          view.setBigUint64(WINDOW_AT.get('data')!, 0x0000_0005_0000_0001n, true);
          state.registers[6] = BigInt(DATA);
        }),
      ),
    ).toEqual(exception(VECTOR.br, 0, 0));
  });
});

describe('the helper', () => {
  it('runs batches of any size, in order', () => {
    for (const count of [1, 256, 257, 1500]) {
      const { records } = run(batchOf(64, count, Uint8Array.from([0xff, 0xc0]), ({ state }, i) => (state.registers[0] = BigInt(i))));
      for (let i = 0; i < count; i++) expect(caseAt(records, i).state.registers[0]).toBe(BigInt(i + 1));
    }
  });

  it('is started again when it dies, and loses one case', () => {
    const oracle = host();
    run(batchOf(64, 1, Uint8Array.from([0x90]), () => {}));
    const killed = oracle.workerProcess;
    // Cases of some 2 ms each.
    const batch = batchOf(64, 400, Uint8Array.from([0xeb, 0xfe]), () => {});
    spawn('sh', ['-c', `sleep 0.1; kill -9 ${killed}`], { stdio: 'ignore' });
    const { ends, errorCodes } = run(batch);
    expect(oracle.workerProcess).not.toBe(killed);
    const lost = [...ends.keys()].filter((i) => ends[i] !== END.limit);
    expect(lost).toHaveLength(1);
    expect(ends[lost[0]!]).toBe(END.unsupported);
    expect(errorCodes[lost[0]!]).toBe(HOST_REASON.died);
    expect(ended(runOne(16, [0x40]))).toEqual(normal(1));
  });

  it('goes on when it is killed between batches', () => {
    const oracle = host();
    for (let i = 0; i < 6; i++) {
      expect(ended(runOne(32, [0x40]))).toEqual(normal(1));
      process.kill(oracle.workerProcess, 'SIGKILL');
    }
    expect(ended(runOne(64, [0x90]))).toEqual(normal(1));
  });

  it('prints how fast it is', () => {
    for (const bits of [16, 32, 64] as const) {
      const batch = batchOf(bits, 5000, Uint8Array.from([0x01, 0xd8]), () => {});
      const outcomes = run(batch);
      const begin = process.hrtime.bigint();
      host().run(batch, outcomes);
      const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
      process.stderr.write(`host, ${bits}-bit code: ${Math.round(batch.count / seconds)} cases/s\n`);
      expect(outcomes.ends.every((end) => end === END.exception)).toBe(true);
    }
  });

  it('ends with the oracle', () => {
    const oracle = createHostOracle();
    const batch = batchOf(32, 1, Uint8Array.from([0x40]), () => {});
    const outcomes = createOutcomes(1, USER_RECORD_BYTES);
    oracle.run(batch, outcomes);
    oracle.close();
    oracle.run(batch, outcomes);
    expect(outcomes.ends[0]).toBe(END.exception);
    oracle.close();
  });
});

describe('hostVendor', () => {
  it('reads what Linux says', () => {
    const text = 'processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\nmodel name\t: Intel(R) Xeon(R)\n';
    expect(parseHostVendor(text)).toEqual({ vendor: 'intel', family: 6, model: 143, name: 'Intel(R) Xeon(R)' });
    expect(parseHostVendor(text.replace('GenuineIntel', 'AuthenticAMD')).vendor).toBe('amd');
    expect(parseHostVendor('')).toEqual({ vendor: 'other', family: 0, model: 0, name: '' });
    expect(hostVendor()).toBe(hostVendor());
  });
});
