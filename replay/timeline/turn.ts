/**
 * Turns of the host's event loop in work that takes long: there signals arrive, and progress is shown. The work says when it
 * could stop for one; how often it does is decided here, and nothing that a guest sees depends on it.
 */

/** Host time between two turns. Each costs a millisecond or two of what the processor has at hand; a person waits this long gladly. */
export const TURN_MS = 200;

export class Turn {
  private startMs = performance.now();

  constructor(private readonly signal: AbortSignal | undefined) {}

  get isDue(): boolean {
    return performance.now() - this.startMs >= TURN_MS;
  }

  /**
   * Gives the host a turn when it is time to.
   * @param onProgress called before, if it is
   * @returns whether to give up
   */
  async pass(onProgress?: () => void): Promise<boolean> {
    if (this.isDue) {
      onProgress?.();
      await new Promise<void>((resolve) => setImmediate(resolve));
      this.startMs = performance.now();
    }
    return this.signal?.aborted === true;
  }
}
