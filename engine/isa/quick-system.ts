/**
 * The frequent cases of some system instructions as generated code (Intel SDM volume 2, HLT, CLI, STI, PUSHF, POPF, INT n, IRET,
 * RDTSC, IN, OUT; volume 3, section 6.12.1): flags and ports that IOPL opens, interrupts within one flat 32-bit code segment.
 *
 * Each case is recognised before anything has changed; all else goes to the host semantics named in the row, which alone
 * know the whole of the manual. What needs single stepping, alignment checks or a look at a pending interrupt is there.
 */
import * as layout from '../cpu/layout.js';
import { MODE_CODE_32, MODE_CODE_FLAT } from '../cpu/mode.js';
import { ATTRIBUTE, CR0, CR4, EFLAG } from '../cpu/state.js';
import { emitWritten } from '../mmu/written-lines.js';
import type { Context } from '../translate/context.js';
import { toI32 } from '../translate/int.js';
import { load32, load64, loadF64, store32, storeF64 } from '../wasm/memory-access.js';
import { F64, I32 } from '../wasm/values.js';
import type { Semantics } from './definition.js';

const ZERO = I32.of(0);
const ESP = 4;
const EAX = 0;
const EDX = 2;

const systemFlags = (c: Context): I32 => c.let(c.cell32(layout.EFLAGS_SYSTEM));
const privilege = (c: Context): I32 => c.cell32(layout.CPL);
/** CPL <= IOPL. Real mode has CPL 0, virtual-8086 mode CPL 3. */
const inputOutputAllowed = (c: Context, flags: I32): I32 => flags.shrU(12).and(3).geU(privilege(c));

function hostWhen(c: Context, condition: I32): void {
  c.f.if(condition, () => c.host());
}

/** Privileged; what it does is the host's business. */
export const hlt: Semantics = (c) => {
  c.f.if(privilege(c), () => c.raise(13));
  c.host();
};

export const cli: Semantics = (c) => {
  const flags = systemFlags(c);
  hostWhen(c, inputOutputAllowed(c, flags).eqz());
  c.setCell32(layout.EFLAGS_SYSTEM, flags.and(~EFLAG.if));
};

export const sti: Semantics = (c) => {
  const flags = systemFlags(c);
  hostWhen(c, inputOutputAllowed(c, flags).eqz());
  c.f.if(flags.and(EFLAG.if).eqz(), () => {
    hostWhen(c, c.cell32(layout.INTERRUPT_PENDING));
    c.f.emit(storeF64(ZERO, c.tick().add(F64.of(1)), layout.SHADOW_TICK));
    c.setCell32(layout.EFLAGS_SYSTEM, flags.or(EFLAG.if));
  });
};

/** EFLAGS as PUSHF and INT write it, outside virtual-8086 mode. */
const image = (c: Context, flags: I32): I32 => c.flags.lowByte().or(c.flags.of().shl(11)).or(flags);

/** Takes the arithmetic flags from an image. */
function setArithmeticFlags(c: Context, value: I32): void {
  const bit = (flag: number): I32 => value.shrU(31 - Math.clz32(flag)).and(1);
  c.flags.setLow(bit(EFLAG.cf), bit(EFLAG.pf), bit(EFLAG.af), bit(EFLAG.zf), bit(EFLAG.sf), bit(EFLAG.of));
}

/**
 * The system flags that POPF and IRET make of a popped image; `privileged` are further ones that ring 0 may change.
 * Flags that start or stop tracing and alignment checks, and an interrupt that could come in now, are for the host.
 */
function flagsAfterPop(c: Context, flags: I32, popped: I32, privileged: number): I32 {
  hostWhen(c, popped.and(EFLAG.tf | EFLAG.rf | EFLAG.vm).or(popped.xor(flags).and(EFLAG.ac)));
  const mask = c.newLocal();
  c.f.set(mask, I32.of(EFLAG.df | EFLAG.nt | EFLAG.id));
  c.f.if(inputOutputAllowed(c, flags), () => c.f.set(mask, mask.get().or(EFLAG.if)));
  c.f.if(privilege(c).eqz(), () => c.f.set(mask, mask.get().or(privileged)));
  const after = c.let(flags.and(mask.get().not()).or(popped.and(mask.get())));
  hostWhen(c, after.and(EFLAG.if).ne(0).and(c.cell32(layout.INTERRUPT_PENDING)));
  return after;
}

export const pushf: Semantics = (c) => {
  if (c.form.long) return c.host();
  const flags = systemFlags(c);
  hostWhen(c, flags.and(EFLAG.vm | EFLAG.rf));
  c.push(image(c, flags), c.size === 16 ? 16 : 32);
};

export const popf: Semantics = (c) => {
  if (c.size === 16 || c.form.long) return c.host();
  const flags = systemFlags(c);
  hostWhen(c, flags.and(EFLAG.vm | EFLAG.tf | EFLAG.rf).or(c.cell32(layout.STACK_FLAT).eqz()));
  const popped = toI32(c.load(c.cell32(layout.ESP), 32));
  const after = flagsAfterPop(c, flags, popped, EFLAG.iopl);
  setArithmeticFlags(c, popped);
  c.setCell32(layout.EFLAGS_SYSTEM, after);
  c.setRegister(ESP, 32, c.cell32(layout.ESP).add(4));
};

/** Protected mode, flat 32-bit code and stack, none of `flags` set. */
function requireFlatProtected(c: Context, flags: I32, clear: number): void {
  const flatCode = MODE_CODE_FLAT | MODE_CODE_32;
  const flat = c.cell32(layout.MODE).and(flatCode).eq(flatCode).and(c.cell32(layout.STACK_FLAT));
  hostWhen(c, flat.and(c.cell32(layout.CR0).and(CR0.pe)).eqz().or(flags.and(clear).ne(0)));
}

/** Host address of the eight bytes of a descriptor in a system table. */
function descriptorHost(c: Context, tableBase: number, tableLimit: number, offset: I32): I32 {
  hostWhen(c, offset.add(7).gtU(c.cell32(tableLimit)));
  return bytesWithinPage(c, c.let(c.cell32(tableBase).add(offset)), 8, (linear) => c.supervisorPage(linear));
}

/** Host address of `bytes` that lie in one page, which may be accessed without a walk. */
function bytesWithinPage(c: Context, linear: I32, bytes: number, page: (linear: I32) => I32): I32 {
  const host = page(linear);
  hostWhen(c, host.eqz().or(linear.and(0xfff).gtU(0x1000 - bytes)));
  return host;
}

const FLAT_CODE = ATTRIBUTE.present | ATTRIBUTE.nonSystem | ATTRIBUTE.code | ATTRIBUTE.accessed | ATTRIBUTE.granularity;

/**
 * The transfer stays in the code segment in use: the same selector of the GDT, at the same privilege, and the descriptor
 * has not changed since it was loaded (non-conforming, flat, accessed).
 */
function requireSameCode(c: Context, selector: I32): void {
  const segment = layout.segmentAddress(layout.CS);
  hostWhen(
    c,
    selector
      .ne(c.cell32(segment + layout.SEGMENT.selector))
      .or(selector.and(3).ne(privilege(c)))
      .or(selector.and(4))
      .or(selector.and(0xfff8).eqz()),
  );
  const host = descriptorHost(c, layout.GDTR_BASE, layout.GDTR_LIMIT, selector.and(0xfff8));
  const high = c.let(load32(host, 4));
  const attributes = c.let(high.shrU(8).and(0xf0ff));
  hostWhen(
    c,
    load32(host)
      .ne(0xffff)
      .or(high.and(0xff0f_00ff).ne(0x000f_0000))
      .or(attributes.ne(c.cell32(segment + layout.SEGMENT.attributes)))
      .or(attributes.and(FLAT_CODE | ATTRIBUTE.expandDownOrConforming).ne(FLAT_CODE))
      .or(attributes.shrU(5).and(3).ne(privilege(c))),
  );
}

/** High word of a present 32-bit interrupt or trap gate: P, S and type without the bit that tells the two apart. */
const GATE_32 = { mask: 0x9e00, value: 0x8e00, trap: 0x0100 } as const;

export const int: Semantics = (c) => {
  if (c.size !== 32 || c.form.long) return c.host();
  const flags = systemFlags(c);
  requireFlatProtected(c, flags, EFLAG.vm | EFLAG.tf | EFLAG.rf);
  const gate = descriptorHost(c, layout.IDTR_BASE, layout.IDTR_LIMIT, c.let(c.immediate.and(0xff).shl(3)));
  const low = c.let(load32(gate));
  const high = c.let(load32(gate, 4));
  hostWhen(
    c,
    high
      .and(GATE_32.mask)
      .ne(GATE_32.value)
      .or(high.shrU(13).and(3).ltU(privilege(c))),
  );
  requireSameCode(c, c.let(low.shrU(16).and(0xfffc).or(privilege(c))));
  const pointer = c.let(c.cell32(layout.ESP).sub(12));
  const stack = bytesWithinPage(c, pointer, 12, (linear) => c.hostPage(linear, true));
  c.f.emit(store32(stack, image(c, flags), 8));
  c.f.emit(store32(stack, c.cell32(layout.segmentAddress(layout.CS) + layout.SEGMENT.selector), 4));
  c.f.emit(store32(stack, c.nextEip()));
  emitWritten(c.f, stack, 12);
  c.setRegister(ESP, 32, pointer);
  const keepsInterrupts = high
    .and(GATE_32.trap)
    .ne(0)
    .shl(31 - Math.clz32(EFLAG.if));
  c.setCell32(layout.EFLAGS_SYSTEM, flags.and(keepsInterrupts.or(~(EFLAG.if | EFLAG.nt))));
  c.jump(c.let(low.and(0xffff).or(high.and(0xffff_0000))));
};

export const iret: Semantics = (c) => {
  if (c.size !== 32 || c.form.long) return c.host();
  const flags = systemFlags(c);
  requireFlatProtected(c, flags, EFLAG.vm | EFLAG.tf | EFLAG.rf | EFLAG.nt);
  const pointer = c.let(c.cell32(layout.ESP));
  const stack = bytesWithinPage(c, pointer, 12, (linear) => c.hostPage(linear, false));
  requireSameCode(c, c.let(load32(stack, 4).and(0xffff)));
  const popped = c.let(load32(stack, 8));
  const after = flagsAfterPop(c, flags, popped, EFLAG.iopl | EFLAG.vif | EFLAG.vip);
  const target = c.let(load32(stack));
  setArithmeticFlags(c, popped);
  c.setCell32(layout.EFLAGS_SYSTEM, after);
  c.setRegister(ESP, 32, pointer.add(12));
  c.jump(target);
};

export const rdtsc: Semantics = (c) => {
  hostWhen(c, c.cell32(layout.CR4).and(CR4.tsd).ne(0).and(privilege(c).ne(0)));
  const elapsedNs = c.tick().mul(loadF64(ZERO, layout.NS_PER_TICK)).truncSatI64S();
  const counter = c.let(elapsedNs.add(load64(ZERO, layout.TIME_STAMP_BASE)));
  c.setRegister(EAX, 32, counter.wrap());
  c.setRegister(EDX, 32, counter.shrU(32).wrap());
};

/** The I/O permission bitmap is for the host. */
function requirePortAccess(c: Context): void {
  const flags = systemFlags(c);
  hostWhen(c, flags.and(EFLAG.vm).or(inputOutputAllowed(c, flags).eqz()));
}

const EIGHT_BITS = 0xff;
const immediatePort = (c: Context): I32 => c.immediate.and(EIGHT_BITS);
const dxPort = (c: Context): I32 => toI32(c.register(EDX, 16));

const input =
  (port: (c: Context) => I32): Semantics =>
  (c) => {
    requirePortAccess(c);
    c.write(0, c.readPort(port(c), c.bits(0) / 8));
  };
const output =
  (port: (c: Context) => I32): Semantics =>
  (c) => {
    requirePortAccess(c);
    c.writePort(port(c), c.bits(1) / 8, toI32(c.read(1)));
  };

export const inImmediate = input(immediatePort);
export const inDx = input(dxPort);
export const outImmediate = output(immediatePort);
export const outDx = output(dxPort);
