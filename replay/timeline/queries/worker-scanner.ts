/**
 * A scanner on a worker thread. It is sent the checkpoint at which each stretch begins, with the pages that differ from what
 * it has: so it shares nothing, and the timeline may drop checkpoints as it likes.
 */
import { Worker } from 'node:worker_threads';
import type { Checkpoints } from '../checkpoints.js';
import { PAGE_BYTES } from '../page-store.js';
import type { Reply, Request } from './query-worker.js';
import type { Found, Question } from './question.js';
import type { Quota, Scanner, Stretch } from './scanner.js';
import type { Beginning } from './stretch-player.js';

/** Where a worker finds the run. */
export interface TraceLocation {
  readonly path: string;
  readonly imagesDirectory?: string | undefined;
}

export class WorkerScanner implements Scanner {
  /** Whether it can take a question. */
  ready = false;
  /** When it can, or has died. */
  readonly opened: Promise<void>;
  private readonly worker = startWorker();
  private question: Question | undefined;
  /** Tick of the checkpoint that it was sent last, and what it has written since. */
  private baseTick = 0;
  private dirty: Uint32Array = new Uint32Array();
  private settle: { readonly resolve: (reply: Reply) => void; readonly reject: (error: Error) => void } | undefined;

  constructor(
    private readonly checkpoints: Checkpoints,
    location: TraceLocation,
  ) {
    const { worker } = this;
    const fail = (error: Error): void => {
      this.ready = false;
      this.settle?.reject(error);
      this.settle = undefined;
    };
    this.opened = new Promise((resolve) => {
      worker.once('message', () => {
        this.ready = true;
        resolve();
      });
      worker.once('exit', () => resolve());
    });
    worker.on('message', (reply: Reply) => this.settle?.resolve(reply));
    worker.on('error', fail);
    worker.on('exit', (code) => fail(new Error(`a thread of the query ended with status ${code}`)));
    // Whoever asks waits for the answer; nobody waits for a thread that is merely there.
    worker.unref();
    this.post({ kind: 'open', path: location.path, imagesDirectory: location.imagesDirectory });
  }

  async scan(question: Question, stretch: Stretch, quota: Quota, signal: AbortSignal | undefined): Promise<Found[]> {
    signal?.throwIfAborted();
    if (this.question !== question) {
      this.question = question;
      this.post({ kind: 'ask', question });
    }
    const abort = (): void => this.post({ kind: 'abort' });
    signal?.addEventListener('abort', abort);
    this.worker.ref();
    try {
      const reply = await new Promise<Reply>((resolve, reject) => {
        this.settle = { resolve, reject };
        this.post({ kind: 'scan', stretch, quota, beginning: this.beginning(stretch.startTick) });
      });
      if (reply.kind === 'opened') throw new Error('a thread of the query was opened twice');
      this.dirty = reply.dirty;
      if (reply.kind === 'aborted') throw signal?.reason;
      return reply.found;
    } finally {
      this.settle = undefined;
      this.worker.unref();
      signal?.removeEventListener('abort', abort);
    }
  }

  close(): void {
    this.question = undefined;
    this.post({ kind: 'ask', question: undefined });
  }

  async terminate(): Promise<void> {
    await this.worker.terminate();
  }

  private post(request: Request): void {
    this.worker.postMessage(request);
  }

  private beginning(startTick: number): Beginning {
    const { checkpoints } = this;
    const { all } = checkpoints;
    const checkpoint = all[checkpoints.indexAt(startTick)];
    if (checkpoint?.tick !== startTick) throw new Error(`no checkpoint is at tick ${startTick}`);
    const baseIsThere = all[checkpoints.indexAt(this.baseTick)]?.tick === this.baseTick;
    // What has become of the base is not known if its checkpoint has gone: everything is sent.
    const numbers = baseIsThere
      ? checkpoints.framesBetween(this.baseTick, startTick)
      : new Set([...checkpoints.framesBetween(0, Number.POSITIVE_INFINITY), ...(all[0]?.footprint.frames ?? [])]);
    for (const frame of this.dirty) numbers.add(frame);
    const frames = Uint32Array.from(numbers);
    const contents = new Uint8Array(frames.length * PAGE_BYTES);
    frames.forEach((frame, i) => {
      contents.set(checkpoints.contents(frame, startTick), i * PAGE_BYTES);
    });
    this.baseTick = startTick;
    this.dirty = new Uint32Array();
    const { state, inputCount, midRepeat } = checkpoint;
    return { state, inputCount, midRepeat, frames, contents };
  }
}

/** The worker stands beside this file, compiled or (in this repository) as source. */
function startWorker(): Worker {
  const entry = import.meta.url.replace(/worker-scanner(\.[jt]s)$/, 'query-worker$1');
  if (entry.endsWith('.js')) return new Worker(new URL(entry));
  return new Worker(new URL('../../source-worker.mjs', entry), { workerData: { entry }, execArgv: [] });
}
