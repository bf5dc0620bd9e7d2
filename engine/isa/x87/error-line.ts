/**
 * FERR# and IGNNE#: how an unmasked x87 exception is reported when CR0.NE is clear (Intel SDM volume 1, appendix D; on a PC
 * the line is IRQ 13, and a write to port F0 asserts IGNNE# until FERR# goes away).
 *
 * The machine looks at `numericErrorLine` whenever generated code comes back, which it does at once after an instruction
 * that raised such an exception.
 */
import { type CpuState, CR0 } from '../../cpu/state.js';
import { FpuState } from './fpu-state.js';

/** The level of FERR#, as it reaches the interrupt controller: off again once IGNNE# is asserted. */
export function numericErrorLine(state: CpuState): boolean {
  if (state.cr0 & CR0.ne) return false;
  const fpu = new FpuState(state);
  return fpu.hasPendingError && !fpu.ignoresError;
}

/** A write to port F0. */
export function ignoreNumericError(state: CpuState): void {
  new FpuState(state).ignoreError();
}
