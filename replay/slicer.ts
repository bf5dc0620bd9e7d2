/**
 * How far to run before the host looks after its own affairs. A slice is as long as what the host did lately in
 * about `targetMs`. Host time decides nothing else: where slices end is invisible to the guest and to the trace's content.
 */
/** A first guess, on the safe side. */
const TICKS_PER_MS = 5000;
const SLICE_TICKS_MIN = 64;
const SLICE_TICKS_MAX = 2 ** 26;

export class Slicer {
  private sliceTicks: number;

  /** @param cautious starts with the shortest slice. */
  constructor(
    private readonly targetMs: number,
    cautious = false,
  ) {
    this.sliceTicks = cautious ? SLICE_TICKS_MIN : Math.max(SLICE_TICKS_MIN, Math.floor(targetMs * TICKS_PER_MS));
  }

  get ticks(): number {
    return this.sliceTicks;
  }

  /** A slice of `ticks` took `ms`. Slices that ended early say nothing about long ones. */
  took(ticks: number, ms: number): void {
    if (ms > 2 * this.targetMs) this.sliceTicks = Math.max(SLICE_TICKS_MIN, Math.floor(this.sliceTicks / 2));
    else if (ticks >= this.sliceTicks && ms < this.targetMs / 2) this.sliceTicks = Math.min(SLICE_TICKS_MAX, this.sliceTicks * 2);
  }
}
