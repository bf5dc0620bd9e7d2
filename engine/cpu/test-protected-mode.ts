/**
 * A protected-mode system for tests: descriptor tables, a task with inner stacks and an I/O map, and helpers that put
 * descriptors and gates in place (SDM volume 3, sections 3.4.5, 5.8.3, 6.11, 7.2.1).
 */
import { GuestException } from './exceptions.js';
import type { HostInstruction } from './host-instruction.js';
import * as layout from './layout.js';
import { setPrivilege, virtual8086Segment } from './segmentation.js';
import { EFLAG } from './state.js';
import { systemSemantics } from './system-semantics.js';
import { TestCpu, testInstruction } from './test-cpu.js';

const GDT = 0x1000;
export const IDT = 0x1800;
export const LDT = 0x2000;
export const TSS = 0x3000;
export const TSS_LIMIT = 0x20ff;
/** Of the task's I/O map; the redirection bitmap of VME lies in the 32 bytes below. */
export const IO_MAP = 0x88;
export const KERNEL_STACK = 0x9000;
/** ESP0 of the task. */
export const RING0_STACK = 0x9800;
export const RING1_STACK = 0xa800;
export const USER_STACK = 0xb000;

export const SELECTOR = {
  kernelCode: 0x08,
  kernelData: 0x10,
  userCode: 0x1b,
  userData: 0x23,
  tss: 0x28,
  ldt: 0x30,
  kernelCode16: 0x38,
  kernelData16: 0x40,
  conforming: 0x48,
  ring1Code: 0x51,
  ring1Data: 0x59,
  /** For the test to fill. */
  free: 0x60,
  free2: 0x68,
  free3: 0x70,
  /** The first selector behind the end of the GDT. */
  outside: 0x100,
} as const;

/** Access bytes: present, DPL 0. */
export const ACCESS = { code: 0x9b, executeOnly: 0x99, data: 0x93, readOnly: 0x91, expandDown: 0x97, conforming: 0x9f, ldt: 0x82 } as const;
export const DPL3 = 0x60;
/** Flags nibble: 4 KiB granularity, 32 bits. */
const FLAT = 0xc;

export class ProtectedModeCpu extends TestCpu {
  constructor() {
    super();
    const { state } = this;
    state.set32(layout.CR0, 0x11);
    state.set32(layout.GDTR_BASE, GDT);
    state.set32(layout.GDTR_LIMIT, SELECTOR.outside - 1);
    state.set32(layout.IDTR_BASE, IDT);
    state.set32(layout.IDTR_LIMIT, 0x7ff);
    this.segment(SELECTOR.kernelCode, ACCESS.code);
    this.segment(SELECTOR.kernelData, ACCESS.data);
    this.segment(SELECTOR.userCode, ACCESS.code | DPL3);
    this.segment(SELECTOR.userData, ACCESS.data | DPL3);
    this.segment(SELECTOR.ldt, ACCESS.ldt, LDT, 0x3f, 0);
    this.segment(SELECTOR.tss, 0x8b, TSS, TSS_LIMIT, 0);
    this.segment(SELECTOR.kernelCode16, ACCESS.code, 0, 0xffff, 0);
    this.segment(SELECTOR.kernelData16, ACCESS.data, 0, 0xffff, 0);
    this.segment(SELECTOR.conforming, ACCESS.conforming);
    this.segment(SELECTOR.ring1Code, ACCESS.code | 0x20);
    this.segment(SELECTOR.ring1Data, ACCESS.data | 0x20);
    this.put32(TSS + 4, RING0_STACK, SELECTOR.kernelData, RING1_STACK, SELECTOR.ring1Data);
    this.put16(TSS + 0x66, IO_MAP);
    state.writeSegment(layout.TR, { selector: SELECTOR.tss, base: TSS, limit: TSS_LIMIT, attributes: 0x8b });
    state.writeSegment(layout.LDTR, { selector: SELECTOR.ldt, base: LDT, limit: 0x3f, attributes: 0x82 });
    this.enterRing(0);
  }

  put16(at: number, ...values: number[]): void {
    values.forEach((value, i) => {
      this.guest.view.setUint16(at + 2 * i, value, true);
    });
  }
  put32(at: number, ...values: number[]): void {
    values.forEach((value, i) => {
      this.guest.view.setUint32(at + 4 * i, value, true);
    });
  }
  words(at: number, count: number, bytes: 2 | 4 = 4): number[] {
    return Array.from({ length: count }, (_, i) =>
      bytes === 4 ? this.guest.view.getUint32(at + 4 * i, true) : this.guest.view.getUint16(at + 2 * i, true),
    );
  }

  descriptorAddress(selector: number): number {
    return (selector & 4 ? LDT : GDT) + (selector & 0xfff8);
  }
  /** @param limit of 20 bits, scaled by `flags` (G, D/B, L, AVL). */
  segment(selector: number, access: number, base = 0, limit = 0xfffff, flags = FLAT): void {
    const low = (limit & 0xffff) | (base << 16);
    const high = ((base >>> 16) & 0xff) | (access << 8) | (limit & 0xf0000) | (flags << 20) | (base & 0xff00_0000);
    this.put32(this.descriptorAddress(selector), low, high);
  }
  gate(at: number, access: number, selector: number, offset: number, parameters = 0): void {
    this.put32(at, (offset & 0xffff) | (selector << 16), (offset & 0xffff_0000) | (access << 8) | parameters);
  }
  interruptGate(vector: number, access = 0x8e, selector: number = SELECTOR.kernelCode, offset = 0x1_2340 + vector): void {
    this.gate(IDT + vector * 8, access, selector, offset);
  }
  access(selector: number): number {
    return this.guest.bytes[this.descriptorAddress(selector) + 5] as number;
  }

  /** Flat segments of a ring, its stack pointer, EIP 0x400. */
  enterRing(ring: 0 | 3): void {
    const { state } = this;
    const [code, data] = ring === 0 ? [SELECTOR.kernelCode, SELECTOR.kernelData] : [SELECTOR.userCode, SELECTOR.userData];
    for (let i = 0; i < 6; i++) {
      const attributes = (i === layout.CS ? 0xc09b : 0xc093) | (ring << 5);
      state.writeSegment(i, { selector: i === layout.CS ? code : data, base: 0, limit: 0xffff_ffff, attributes });
    }
    setPrivilege(state, ring);
    state.setReg32(4, ring === 0 ? KERNEL_STACK : USER_STACK);
    state.eip = 0x400;
  }

  /** CS 100h, SS 200h, DS 300h, ES 400h, FS 500h, GS 600h; SP 1000h, IP 10h. */
  enterVirtual(iopl: number, extra = 0): void {
    const { state } = this;
    const selectors = [0x400, 0x100, 0x200, 0x300, 0x500, 0x600];
    selectors.forEach((selector, index) => {
      state.writeSegment(index, virtual8086Segment(selector));
    });
    setPrivilege(state, 3);
    state.eflags = EFLAG.vm | EFLAG.if | (iopl << 12) | extra;
    state.setReg32(4, 0x1000);
    state.eip = 0x10;
  }

  run(name: string, fields: Partial<HostInstruction> = {}): void {
    const semantics = systemSemantics[name];
    if (semantics === undefined) throw new Error(`no instruction ${name}`);
    semantics(this, testInstruction(fields));
  }

  /**
   * Runs an instruction that must fault and gives [vector, error code]. A fault may have changed neither registers
   * (other than CR2 and DR6) nor memory (other than accessed bits).
   */
  faultOf(action: () => void): [number, number] {
    const before = this.image();
    try {
      action();
    } catch (thrown) {
      if (!(thrown instanceof GuestException)) throw thrown;
      const after = this.image();
      const at = after.findIndex((byte, i) => byte !== before[i]);
      if (thrown.kind === 'fault' && at >= 0) throw new Error(`the fault changed the byte at ${at.toString(16)}`);
      return [thrown.vector, thrown.errorCode];
    }
    throw new Error('no fault');
  }

  private image(): Uint8Array {
    const state = this.state.u8.slice(0, layout.CPU_STATE_END);
    state.fill(0, layout.CR2, layout.CR2 + 4);
    state.fill(0, layout.DEBUG + 48, layout.DEBUG + 52);
    const guest = this.guest.bytes.slice(0, 0x1_0000);
    for (const table of [GDT, LDT]) {
      for (let at = table; at < table + SELECTOR.outside; at += 8) {
        const access = guest[at + 5] as number;
        if (access & 0x10) guest[at + 5] = access | 1;
      }
    }
    const both = new Uint8Array(state.length + guest.length);
    both.set(state);
    both.set(guest, state.length);
    return both;
  }
}
