/**
 * The registers as gdb numbers them: the standard features of its i386 target description (GDB manual, appendix G.5.8 "i386
 * Features"), and a feature of our own with what system code needs. The order of this table is the order in `g`.
 *
 * gdb knows of no segments: it reads instructions, and sets breakpoints, at what it takes for PC. So `eip` is given as the
 * linear address, CS base + EIP, in every mode; the offset itself is in `ip`. General registers are as programs see them:
 * the stack lies at `ss_base + esp`.
 */
import type { ChangeableRegister, Machine, StateValue } from '../../engine/index.js';

export interface RegisterRow {
  readonly name: string;
  readonly bits: number;
  /** In the target description. */
  readonly type: string;
  readonly feature: Feature;
  readonly group?: 'general' | 'float' | 'vector' | 'system';
  readonly read: (cpu: CpuView) => bigint;
  /** By what name a diversion may change it, if it may. */
  readonly writes?: ChangeableRegister;
}

export type Feature = 'org.gnu.gdb.i386.core' | 'org.gnu.gdb.i386.sse' | 'org.replay86.system';

const SEGMENT_INDEX = { es: 0, cs: 1, ss: 2, ds: 3, fs: 4, gs: 5, ldtr: 6, tr: 7 } as const;
type Segment = keyof typeof SEGMENT_INDEX;

/** The saved state of the CPU (engine/cpu/cpu-snapshot.ts), field by field. */
export class CpuView {
  readonly tick: number;
  readonly nowNs: number;
  readonly codeBits: number;
  readonly eflags: number;
  private readonly cells: { readonly [name: string]: StateValue };

  constructor({ registers, tick, nowNs }: Pick<Machine, 'registers' | 'tick' | 'nowNs'>) {
    const saved = registers.save();
    this.cells = saved.cells as { readonly [name: string]: StateValue };
    this.eflags = saved.eflags as number;
    this.tick = tick;
    this.nowNs = nowNs;
    this.codeBits = registers.codeBits;
  }

  /** Little-endian. */
  cell(name: string, offsetBytes: number, bytes: number): bigint {
    const cell = this.cells[name];
    if (!(cell instanceof Uint8Array) || cell.length < offsetBytes + bytes) throw new Error(`the CPU has no field ${name} of that size`);
    let value = 0n;
    for (let at = offsetBytes + bytes - 1; at >= offsetBytes; at--) value = (value << 8n) | BigInt(cell[at] as number);
    return value;
  }

  segmentBase(segment: Segment): bigint {
    return this.cell(`segment${SEGMENT_INDEX[segment]}`, 0, 4);
  }
  segmentLimit(segment: Segment): bigint {
    return this.cell(`segment${SEGMENT_INDEX[segment]}`, 8, 4);
  }
  selector(segment: Segment): bigint {
    return this.cell(`segment${SEGMENT_INDEX[segment]}`, 12, 2);
  }

  /** ST(index), 80 bits. */
  stack(index: number): bigint {
    return this.cell('x87Registers', this.physical(index) * 16, 10);
  }
  get x87Status(): bigint {
    return (this.cell('x87Status', 0, 2) & ~0x3800n) | BigInt(this.x87Top << 11);
  }
  /** Two bits for each physical register: valid, zero, special, empty (Intel SDM volume 1, section 8.1.7). */
  get x87Tags(): bigint {
    const empty = Number(this.cell('x87Empty', 0, 1));
    let tags = 0;
    for (let physical = 0; physical < 8; physical++) tags |= (empty & (1 << physical) ? 3 : this.tagOf(physical)) << (physical * 2);
    return BigInt(tags);
  }
  private tagOf(physical: number): number {
    const significand = this.cell('x87Registers', physical * 16, 8);
    const exponent = Number(this.cell('x87Registers', physical * 16 + 8, 2)) & 0x7fff;
    if (exponent === 0 && significand === 0n) return 1;
    return exponent === 0 || exponent === 0x7fff || significand >> 63n === 0n ? 2 : 0;
  }
  private get x87Top(): number {
    return Number(this.cell('x87Top', 0, 1)) & 7;
  }
  private physical(index: number): number {
    return (this.x87Top + index) & 7;
  }
}

const GENERAL = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'] as const;
const POINTERS: readonly string[] = ['esp', 'ebp'];
const CORE = 'org.gnu.gdb.i386.core';
const SYSTEM = 'org.replay86.system';

const general = GENERAL.map(
  (name, index): RegisterRow => ({
    name,
    bits: 32,
    type: POINTERS.includes(name) ? 'data_ptr' : 'int32',
    feature: CORE,
    read: (cpu) => cpu.cell('registers', index * 8, 4),
    writes: name,
  }),
);

const linearEip = (cpu: CpuView): bigint => (cpu.segmentBase('cs') + cpu.cell('eip', 0, 4)) & 0xffff_ffffn;

const core: readonly RegisterRow[] = [
  ...general,
  { name: 'eip', bits: 32, type: 'code_ptr', feature: CORE, read: linearEip, writes: 'eip' },
  { name: 'eflags', bits: 32, type: 'i386_eflags', feature: CORE, read: (cpu) => BigInt(cpu.eflags), writes: 'eflags' },
  ...(['cs', 'ss', 'ds', 'es', 'fs', 'gs'] as const).map(
    (name): RegisterRow => ({ name, bits: 32, type: 'int32', feature: CORE, read: (cpu) => cpu.selector(name) }),
  ),
];

const floating: readonly RegisterRow[] = [
  ...Array.from(
    { length: 8 },
    (_, index): RegisterRow => ({ name: `st${index}`, bits: 80, type: 'i387_ext', feature: CORE, read: (cpu) => cpu.stack(index) }),
  ),
  ...(
    [
      ['fctrl', (cpu) => cpu.cell('x87Control', 0, 2)],
      ['fstat', (cpu) => cpu.x87Status],
      ['ftag', (cpu) => cpu.x87Tags],
      ['fiseg', (cpu) => cpu.cell('x87InstructionSelector', 0, 2)],
      ['fioff', (cpu) => cpu.cell('x87InstructionOffset', 0, 4)],
      ['foseg', (cpu) => cpu.cell('x87OperandSelector', 0, 2)],
      ['fooff', (cpu) => cpu.cell('x87OperandOffset', 0, 4)],
      ['fop', (cpu) => cpu.cell('x87Opcode', 0, 2)],
    ] satisfies [string, RegisterRow['read']][]
  ).map(([name, read]): RegisterRow => ({ name, bits: 32, type: 'int', feature: CORE, group: 'float', read })),
];

const vector: readonly RegisterRow[] = [
  ...Array.from(
    { length: 8 },
    (_, index): RegisterRow => ({
      name: `xmm${index}`,
      bits: 128,
      type: 'vec128',
      feature: 'org.gnu.gdb.i386.sse',
      read: (cpu) => cpu.cell('xmm', index * 16, 16),
    }),
  ),
  {
    name: 'mxcsr',
    bits: 32,
    type: 'i386_mxcsr',
    feature: 'org.gnu.gdb.i386.sse',
    group: 'vector',
    read: (cpu) => cpu.cell('mxcsr', 0, 4),
  },
];

const systemRow = (name: string, bits: number, type: string, read: RegisterRow['read']): RegisterRow => ({
  name,
  bits,
  type,
  feature: SYSTEM,
  group: 'system',
  read,
});

const SEGMENT_REGISTERS = ['cs', 'ss', 'ds', 'es', 'fs', 'gs'] as const;
const TABLE_SEGMENTS = ['ldtr', 'tr'] as const;

const system: readonly RegisterRow[] = [
  systemRow('tick', 64, 'uint64', (cpu) => BigInt(cpu.tick)),
  systemRow('time_ns', 64, 'uint64', (cpu) => BigInt(cpu.nowNs)),
  systemRow('code_bits', 32, 'uint32', (cpu) => BigInt(cpu.codeBits)),
  systemRow('cpl', 32, 'uint32', (cpu) => cpu.cell('cpl', 0, 4)),
  systemRow('ip', 32, 'uint32', (cpu) => cpu.cell('eip', 0, 4)),
  ...SEGMENT_REGISTERS.map((name) => systemRow(`${name}_base`, 32, 'data_ptr', (cpu) => cpu.segmentBase(name))),
  ...SEGMENT_REGISTERS.map((name) => systemRow(`${name}_limit`, 32, 'uint32', (cpu) => cpu.segmentLimit(name))),
  ...TABLE_SEGMENTS.flatMap((name) => [
    systemRow(name, 32, 'uint32', (cpu) => cpu.selector(name)),
    systemRow(`${name}_base`, 32, 'data_ptr', (cpu) => cpu.segmentBase(name)),
    systemRow(`${name}_limit`, 32, 'uint32', (cpu) => cpu.segmentLimit(name)),
  ]),
  ...(['gdtr', 'idtr'] as const).flatMap((name) => [
    systemRow(`${name}_base`, 32, 'data_ptr', (cpu) => cpu.cell(`${name}Base`, 0, 4)),
    systemRow(`${name}_limit`, 32, 'uint32', (cpu) => cpu.cell(`${name}Limit`, 0, 4)),
  ]),
  ...[0, 2, 3, 4].map((index) => systemRow(`cr${index}`, 32, 'uint32', (cpu) => cpu.cell('control', index * 8, 4))),
  systemRow('efer', 64, 'uint64', (cpu) => cpu.cell('efer', 0, 8)),
  ...[0, 1, 2, 3, 6, 7].map((index) => systemRow(`dr${index}`, 32, 'uint32', (cpu) => cpu.cell('debug', index * 8, 4))),
];

/** By gdb's number. */
export const REGISTERS: readonly RegisterRow[] = [...core, ...floating, ...vector, ...system];

function littleEndian(value: bigint, bits: number): Uint8Array {
  const bytes = new Uint8Array(bits / 8);
  for (let at = 0, rest = value; at < bytes.length; at++, rest >>= 8n) bytes[at] = Number(rest & 0xffn);
  return bytes;
}

export function readRegister(row: RegisterRow, cpu: CpuView): Uint8Array {
  return littleEndian(row.read(cpu), row.bits);
}

/** The contents of `g`. */
export function readAllRegisters(cpu: CpuView): Uint8Array {
  return Uint8Array.from(REGISTERS.flatMap((row) => [...readRegister(row, cpu)]));
}
