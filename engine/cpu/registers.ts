/** Registers by name, for embedders and tests. Reading never disturbs the machine; writing is for diversions. */
import type { DeviceState } from '../devices/device.js';
import type { Core } from './core.js';
import { saveCpu } from './cpu-snapshot.js';
import * as layout from './layout.js';

const GENERAL = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'] as const;
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'] as const;
const CONTROL = { cr0: layout.CR0, cr2: layout.CR2, cr3: layout.CR3, cr4: layout.CR4 } as const;

export type RegisterName = (typeof GENERAL)[number] | (typeof SEGMENTS)[number] | keyof typeof CONTROL | 'eip' | 'eflags';
export const REGISTER_NAMES: readonly RegisterName[] = [
  ...GENERAL,
  'eip',
  'eflags',
  ...SEGMENTS,
  ...(Object.keys(CONTROL) as (keyof typeof CONTROL)[]),
];

export class Registers {
  constructor(private readonly core: Core) {}

  /** 32 bits, unsigned; segment registers give their selector. */
  get(name: RegisterName): number {
    const { state } = this.core;
    const general = (GENERAL as readonly string[]).indexOf(name);
    if (general >= 0) return state.reg32(general);
    const segment = (SEGMENTS as readonly string[]).indexOf(name);
    if (segment >= 0) return state.segmentSelector(segment);
    if (name === 'eip') return state.eip;
    if (name === 'eflags') return state.eflags;
    return state.get32(CONTROL[name as keyof typeof CONTROL]);
  }

  /** General registers, EIP and EFLAGS. */
  set(name: (typeof GENERAL)[number] | 'eip' | 'eflags', value: number): void {
    const { state } = this.core;
    if (name === 'eip') state.eip = value;
    else if (name === 'eflags') {
      state.eflags = value;
      this.core.modeChanged();
    } else state.setReg32(GENERAL.indexOf(name), value);
  }

  /** Linear address of a segment's first byte. */
  segmentBase(name: (typeof SEGMENTS)[number]): number {
    return this.core.state.segmentBase(SEGMENTS.indexOf(name));
  }

  /** Width of code at CS: 16 or 32 bits. */
  get codeBits(): 16 | 32 {
    return this.core.state.segmentAttributes(layout.CS) & 0x4000 ? 32 : 16;
  }

  /** Width of the stack pointer in use. */
  get stackBits(): 16 | 32 {
    return this.core.state.segmentAttributes(layout.SS) & 0x4000 ? 32 : 16;
  }

  get privilege(): number {
    return this.core.state.cpl;
  }

  /** HLT waits for an interrupt. */
  get halted(): boolean {
    return this.core.halted;
  }

  /** Everything the CPU has, as in a snapshot (cpu-snapshot.ts). */
  save(): DeviceState {
    return saveCpu(this.core);
  }
}
