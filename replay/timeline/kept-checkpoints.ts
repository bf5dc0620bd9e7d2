/**
 * The checkpoints of one trace between openings: found and taken over when they are of use, written when something has been
 * found out.
 */

import { fileProblem } from '../../traces/file-source.js';
import { nodeCodec, type Trace, TraceError, traceIdentity } from '../../traces/index.js';
import { ENGINE_VERSION } from '../version.js';
import { CheckpointFile, CheckpointFileError, type RunIdentity } from './checkpoint-file.js';
import type { History } from './history.js';

export class KeptCheckpoints {
  private file: CheckpointFile | undefined;
  /** So far the file knows the run. */
  private keptTick = 0;
  private readonly identity: RunIdentity | undefined;

  /** @param path where they are; undefined: they are not kept */
  constructor(
    trace: Trace,
    private readonly path: string | undefined,
  ) {
    if (path !== undefined) this.identity = { trace: traceIdentity(trace, nodeCodec), engineVersion: ENGINE_VERSION };
  }

  openFor(history: History): void {
    const { path, identity } = this;
    if (path === undefined || identity === undefined) return;
    try {
      this.file = new CheckpointFile(path, identity);
      history.adopt(this.file);
      this.keptTick = history.exploredTo;
    } catch (error) {
      if ((error as { code?: string }).code === 'ENOENT') return;
      const reason = error instanceof CheckpointFileError ? error.message : fileProblem(error);
      history.onNote?.(`${path}: not used: ${reason}`);
    }
  }

  /** @throws TraceError */
  write(history: History): void {
    const { path, identity } = this;
    if (path === undefined || identity === undefined || history.exploredTo <= this.keptTick) return;
    try {
      history.keep(path, identity);
    } catch (error) {
      throw new TraceError(`cannot be written: ${fileProblem(error)}`, { fileName: path });
    }
    this.keptTick = history.exploredTo;
  }

  close(): void {
    this.file?.close();
  }
}
