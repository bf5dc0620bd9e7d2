/**
 * Operands of MMX and SSE instructions, and what must hold before one runs (Intel SDM volume 3, sections 2.5, 12.1 to
 * 12.5 and 22.25.3). A packed value is a v128; that of an MMX register has zeros in its upper half.
 */
import { VECTOR } from '../../cpu/exceptions.js';
import * as layout from '../../cpu/layout.js';
import { CR0, CR4 } from '../../cpu/state.js';
import type { Context } from '../../translate/context.js';
import { toI32, toI64 } from '../../translate/int.js';
import { load32, load64, load128, store16, store32, store64, store128 } from '../../wasm/memory-access.js';
import { I32, type I64, V128 } from '../../wasm/values.js';
import { STATUS } from '../x87/status.js';
import { SPLAT } from './vector-opcodes.js';

export type RegisterFile = 'mmx' | 'xmm';

/** Sign and exponent of an x87 register that an MMX instruction has written. */
export const MMX_SIGN_EXPONENT = 0xffff;

export const ZERO = V128.of(new Uint8Array(16));

function require(c: Context, usesXmm: boolean, usesMmx: boolean): void {
  const cr0 = c.let(c.cell32(layout.CR0).and(CR0.em | CR0.ts));
  let invalid = cr0.and(CR0.em);
  let unusual = cr0;
  if (usesXmm) {
    const disabled = c.let(c.cell32(layout.CR4).and(CR4.osfxsr).eqz());
    invalid = invalid.or(disabled);
    unusual = unusual.or(disabled);
  }
  if (usesMmx) unusual = unusual.or(c.cell32(layout.X87_STATUS).and(STATUS.errorSummary));
  c.f.if(unusual, () => {
    c.f.if(invalid, () => c.raise(VECTOR.invalidOpcode));
    if (!usesMmx) {
      c.raise(VECTOR.deviceNotAvailable);
      return;
    }
    c.f.if(cr0, () => c.raise(VECTOR.deviceNotAvailable));
    // A pending x87 exception is treated as by a waiting x87 instruction (isa/x87/fpu.ts).
    c.f.if(c.cell32(layout.CR0).and(CR0.ne), () => c.raise(VECTOR.x87));
    c.f.if(c.cell32(layout.X87_STATUS).and(STATUS.ignoreError).eqz(), () => c.leave(c.eip()));
  });
}

/** #UD, #NM or #MF unless MMX instructions may run. */
export const requireMmx = (c: Context): void => require(c, false, true);
/** #UD or #NM unless SSE instructions may run. */
export const requireSse = (c: Context): void => require(c, true, false);
/** For instructions that use both register files. */
export const requireSseAndMmx = (c: Context): void => require(c, true, true);
export const requireFile = (c: Context, file: RegisterFile): void => (file === 'mmx' ? requireMmx(c) : requireSse(c));

/** Every MMX instruction makes all x87 registers valid and their stack begin at R0 (SDM volume 3, table 12-3). */
export function enterMmx(c: Context): void {
  c.setCell32(layout.X87_TOP, 0);
  c.setCell32(layout.X87_EMPTY, 0);
}

/** Address of the register that is operand `index`, evaluated now. */
export function registerAddress(c: Context, index: number, file: RegisterFile): I32 {
  const kind = c.form.operands[index]?.kind;
  const field = kind === 'P' || kind === 'V' ? 'reg' : 'rm';
  return file === 'mmx' ? c.mmxAddress(field) : c.xmmAddress(field);
}

/** An integer in all lanes. */
export const splat16 = (value: I32): V128 => new V128([value.code, 0xfd, SPLAT.i16]);
export const splat32 = (value: I32): V128 => new V128([value.code, 0xfd, SPLAT.i32]);

const widened = (value: I64): V128 => ZERO.withLaneI64(0, value);

/** Linear address of a memory operand; 16 bytes must be aligned unless the instruction is one of the unaligned moves. */
export function memoryAddress(c: Context, index: number, write: boolean, aligned: boolean): I32 {
  return c.linear(index, write, undefined, aligned && c.bits(index) === 128 ? 16 : 1);
}

/** A packed operand, evaluated now. From memory it is as long as the operand says, and zeros follow. */
export function readPacked(c: Context, index: number, file: RegisterFile, aligned = true): V128 {
  if (c.isMemory(index)) {
    const linear = memoryAddress(c, index, false, aligned);
    switch (c.bits(index)) {
      case 32:
        return c.let(ZERO.withLaneI32(0, toI32(c.load(linear, 32))));
      case 64:
        return c.let(widened(toI64(c.load(linear, 64))));
      default:
        return c.load128(linear);
    }
  }
  const address = registerAddress(c, index, file);
  return c.let(file === 'mmx' ? widened(load64(address)) : load128(address));
}

/** Writes register operand `index`. */
export function writePacked(c: Context, index: number, file: RegisterFile, value: V128): void {
  const address = registerAddress(c, index, file);
  if (file === 'xmm') {
    c.f.emit(store128(address, value));
    return;
  }
  c.f.emit(store64(address, value.laneI64(0)));
  c.f.emit(store16(address, MMX_SIGN_EXPONENT, 8));
  enterMmx(c);
}

/** The low 32 bits of operand `index`, evaluated now. */
export function readLow32(c: Context, index: number): I32 {
  if (c.isMemory(index)) return toI32(c.load(c.linear(index, false), 32));
  return c.let(load32(registerAddress(c, index, 'xmm')));
}

/** The low 64 bits of operand `index`, evaluated now. */
export function readLow64(c: Context, index: number): I64 {
  if (c.isMemory(index)) return toI64(c.load(c.linear(index, false), 64));
  return c.let(load64(registerAddress(c, index, 'xmm')));
}

/** Writes the low 32 or 64 bits of XMM register operand `index`; the others stay. */
export function writeLow(c: Context, index: number, value: I32 | I64): void {
  const address = registerAddress(c, index, 'xmm');
  c.f.emit(value instanceof I32 ? store32(address, value) : store64(address, value));
}
