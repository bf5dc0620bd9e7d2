/** What a search tells while it goes on, and how it is stopped: now and then it lets others have their turn. */

export interface ProgressOptions {
  readonly onProgress?: ((tick: number, lastTick: number) => void) | undefined;
  /** Ends the search; its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

const TURN_MS = 50;

export class Progress {
  private turnMs = performance.now();

  constructor(
    private readonly lastTick: number,
    private readonly options: ProgressOptions,
  ) {}

  async at(tick: number): Promise<void> {
    if (performance.now() - this.turnMs < TURN_MS) return;
    const { onProgress, signal } = this.options;
    onProgress?.(tick, this.lastTick);
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
    this.turnMs = performance.now();
  }
}
