/**
 * Conversion between virtual nanoseconds and the cycles of an oscillator, exact for as long as nanoseconds are exact
 * integers: whole seconds are split off first, so that no product leaves 2^53 and no error can add up.
 *
 * Cycle n completes at the first nanosecond not before n / frequency seconds; hence cyclesAt(nsOfCycle(n)) = n.
 */
const NS_PER_SECOND = 1_000_000_000;

/** Above this a second's worth of cycles times 10^9 would not be exact. */
const FREQUENCY_HIGHEST_HZ = 9_000_000;

/** How many cycles are complete `ns` nanoseconds after the oscillator started. */
export function cyclesAt(ns: number, frequencyHz: number): number {
  checkArguments(ns, frequencyHz);
  const seconds = Math.floor(ns / NS_PER_SECOND);
  const restNs = ns - seconds * NS_PER_SECOND;
  return seconds * frequencyHz + Math.floor((restNs * frequencyHz) / NS_PER_SECOND);
}

/** When cycle number `cycle` is complete, in nanoseconds after the oscillator started. */
export function nsOfCycle(cycle: number, frequencyHz: number): number {
  checkArguments(cycle, frequencyHz);
  const seconds = Math.floor(cycle / frequencyHz);
  const restCycles = cycle - seconds * frequencyHz;
  return seconds * NS_PER_SECOND + Math.ceil((restCycles * NS_PER_SECOND) / frequencyHz);
}

function checkArguments(amount: number, frequencyHz: number): void {
  if (!Number.isSafeInteger(amount) || amount < 0) throw new RangeError(`frequency: ${amount} is not an exact count`);
  if (!Number.isInteger(frequencyHz) || frequencyHz < 1 || frequencyHz > FREQUENCY_HIGHEST_HZ) {
    throw new RangeError(`frequency: ${frequencyHz} Hz is out of range`);
  }
}
