/**
 * A guest for breakpoints: a loop of exactly 100 ticks, 100,000 times, and the end. The same image boots in QEMU.
 */
import { type Assembled, ecx, edx } from '../../properties/index.js';
import { exit, exitSuccess, protectedGuest } from '../corpus/kit.js';

export const loopHits = 100_000;
export const loopTicks = 100;

/** `hit` is the instruction that the breakpoint stands at. */
export function buildLoopGuest(): Assembled {
  return protectedGuest({}, (a) => {
    a.mov(ecx, loopHits);
    a.label('hit');
    a.mov(edx, 48);
    a.label('inner');
    a.dec(edx);
    a.jnz('inner');
    a.nop();
    a.dec(ecx);
    a.jnz('hit');
    exit(a, exitSuccess);
  });
}
