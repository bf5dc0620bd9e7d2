/**
 * A `Cpu` for tests: state in a small WebAssembly memory, flat guest memory without paging in which single pages can be
 * made absent or read-only, ports and calls that are written down. Starts as after reset, in real mode.
 */
import { GuestException, VECTOR } from './exceptions.js';
import type { Cpu, HostInstruction, LinearMemory } from './host-instruction.js';
import * as layout from './layout.js';
import { resetMsrs } from './msr.js';
import { checkedLinear } from './segmentation.js';
import { CpuState } from './state.js';

const PAGE_BITS = 12;
const FAULT = { write: 2, user: 4 } as const;

class TestMemory {
  readonly bytes = new Uint8Array(1 << 18);
  readonly view = new DataView(this.bytes.buffer);
  /** Pages that are not present, that may not be written, that user accesses may not touch. */
  readonly absent = new Set<number>();
  readonly readOnly = new Set<number>();
  readonly supervisor = new Set<number>();

  constructor(private readonly state: CpuState) {}

  check(linear: number, bytes: number, write: boolean, user: boolean): number {
    for (const page of new Set([linear >>> PAGE_BITS, (linear + bytes - 1) >>> PAGE_BITS])) {
      const absent = this.absent.has(page);
      if (absent || (write && this.readOnly.has(page)) || (user && this.supervisor.has(page))) {
        this.state.cr2 = Math.max(linear, page << PAGE_BITS);
        throw new GuestException(VECTOR.pageFault, (absent ? 0 : 1) | (write ? FAULT.write : 0) | (user ? FAULT.user : 0));
      }
    }
    if (linear + bytes > this.bytes.length) throw new Error(`test memory has no address ${linear.toString(16)}`);
    return linear;
  }

  access(user: () => boolean): LinearMemory {
    const at = (linear: number, bytes: number, write: boolean): number => this.check(linear, bytes, write, user());
    return {
      read8: (linear) => this.view.getUint8(at(linear, 1, false)),
      read16: (linear) => this.view.getUint16(at(linear, 2, false), true),
      read32: (linear) => this.view.getUint32(at(linear, 4, false), true),
      write8: (linear, value) => this.view.setUint8(at(linear, 1, true), value),
      write16: (linear, value) => this.view.setUint16(at(linear, 2, true), value, true),
      write32: (linear, value) => this.view.setUint32(at(linear, 4, true), value, true),
      probeWrite: (linear, bytes) => void at(linear, bytes, true),
      probeRead: (linear, bytes) => void at(linear, bytes, false),
    };
  }
}

export class TestCpu implements Cpu {
  readonly state = new CpuState(new WebAssembly.Memory({ initial: 1 }));
  readonly guest = new TestMemory(this.state);
  readonly memory = this.guest.access(() => this.state.cpl === 3);
  readonly system = this.guest.access(() => false);
  readonly user = this.guest.access(() => true);
  readonly msr = new Map<number, bigint>();
  tick = 0;
  nowNs = 0;
  /** What happened that is not state, in order. */
  readonly log: string[] = [];
  portValue = 0;
  pointersValid = true;
  interceptsExceptions = false;

  constructor() {
    resetMsrs(this.msr);
    this.state.eflags = 0;
    this.state.set32(layout.CR0, 0x10);
    this.state.set32(layout.IDTR_LIMIT, 0x3ff);
    for (let i = 0; i < 6; i++) this.state.writeSegment(i, { selector: 0, base: 0, limit: 0xffff, attributes: 0x93 });
  }

  linear(segment: number, offset: number, bytes: number, write: boolean, alignment?: number): number {
    return checkedLinear(this, segment, offset, bytes, write, alignment);
  }
  modeChanged(): void {
    this.log.push('modeChanged');
  }
  flushTlb(kind: 'all' | 'nonGlobal'): void {
    this.log.push(`flush ${kind}`);
  }
  invalidatePage(linear: number): void {
    this.log.push(`invalidate ${linear.toString(16)}`);
  }
  loadPageDirectoryPointers(cr3: number): void {
    this.pageDirectoryPointers(cr3);
  }
  pageDirectoryPointers(cr3: number): readonly number[] {
    if (!this.pointersValid) throw new GuestException(VECTOR.generalProtection, 0);
    this.log.push(`pointers ${cr3.toString(16)}`);
    return [];
  }
  inhibitInterrupts(): void {
    this.log.push('inhibit');
  }
  halt(): void {
    this.log.push('halt');
  }
  readPort(port: number, bytes: 1 | 2 | 4): number {
    this.log.push(`in ${port.toString(16)} ${bytes}`);
    return this.portValue;
  }
  writePort(port: number, bytes: 1 | 2 | 4, value: number): void {
    this.log.push(`out ${port.toString(16)} ${bytes} ${value.toString(16)}`);
  }
}

/** An instruction as the decoder would give it, 32-bit register form unless told otherwise. */
export const testInstruction = (fields: Partial<HostInstruction> = {}): HostInstruction => ({
  operandSize: 32,
  addressSize: 32,
  reg: 0,
  rm: 0,
  memory: false,
  segment: layout.DS,
  offset: 0,
  immediate: 0,
  immediate2: 0,
  eip: 0,
  repeat: false,
  ...fields,
});
