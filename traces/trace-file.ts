/**
 * Traces in files, on Node.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, realpathSync, renameSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { TraceError } from './errors.js';
import type { TraceEnd, TraceHeader } from './events.js';
import { type FileSource, fileProblem, openFileSource } from './file-source.js';
import { findImageFile } from './image-files.js';
import { nodeCodec } from './node-codec.js';
import { readTrace, type Trace } from './reader.js';
import { compactTrace, packTrace } from './rewrite.js';
import { readTraceSummary, type TraceSummary } from './summary.js';
import { type TraceSink, TraceWriter } from './writer.js';

export interface OpenTrace extends Trace {
  /** Closes the file; embedded images and snapshots cannot be read any more. */
  close(): void;
}

/** @throws TraceError */
export function openTraceFile(path: string): OpenTrace {
  const source = openFileSource(path);
  try {
    return { ...readTrace(source, nodeCodec), close: () => source.close() };
  } catch (error) {
    source.close();
    throw error;
  }
}

/** Header and end of a trace, however large it is. @throws TraceError */
export function summarizeTraceFile(path: string): TraceSummary {
  const source = openFileSource(path);
  try {
    return readTraceSummary(source, nodeCodec);
  } finally {
    source.close();
  }
}

/** A recording on its way into a file. */
export interface RecordingFile {
  readonly writer: TraceWriter;
  /** Ends the trace, merges its segments, closes the file. */
  finish(end: TraceEnd): void;
  /** Closes the file as it is: the trace stays incomplete, up to the last flush. */
  close(): void;
}

/** Creates (or overwrites) a trace. The header is in the file when this returns. @throws TraceError */
export function createTraceFile(path: string, header: TraceHeader): RecordingFile {
  const file = openForWriting(path, 'w');
  let writer: TraceWriter;
  try {
    writer = new TraceWriter(file, header, nodeCodec);
  } catch (error) {
    file.close();
    throw error;
  }
  return {
    writer,
    finish(end) {
      try {
        writer.end(end);
      } finally {
        file.close();
      }
      compactTraceFile(path);
    },
    close: () => file.close(),
  };
}

/** The trace is whole before as after: where there is no room for a second copy it stays as it is. */
function compactTraceFile(path: string): void {
  if (!statSync(path).isFile()) return;
  const target = realpathSync(path);
  const trace = openTraceFile(target);
  try {
    replaceFile(target, (sink) => compactTrace(trace, sink, nodeCodec));
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
  } finally {
    trace.close();
  }
}

/**
 * Writes a self-contained copy of a trace: every image that it names is embedded.
 * @param targetPath may be `path` itself.
 * @throws TraceError when an image cannot be found; then nothing has changed.
 */
export function packTraceFile(path: string, targetPath: string, imagesDirectory?: string): void {
  const trace = openTraceFile(path);
  const opened: FileSource[] = [];
  try {
    replaceFile(targetPath, (sink) =>
      packTrace(trace, sink, nodeCodec, (reference) => {
        const image = findImageFile(reference, imagesDirectory);
        opened.push(image);
        return image;
      }),
    );
  } finally {
    for (const image of opened) image.close();
    trace.close();
  }
}

/** Writing failed for a reason outside of the trace. */
class FileError extends TraceError {}

interface OpenFile extends TraceSink {
  close(): void;
}

function openForWriting(path: string, flags: 'w' | 'wx'): OpenFile {
  const attempt = <Result>(action: () => Result): Result => {
    try {
      return action();
    } catch (error) {
      throw new FileError(`cannot be written: ${fileProblem(error)}`, { fileName: path });
    }
  };
  const descriptor = attempt(() => openSync(path, flags));
  let open = true;
  return {
    write(bytes) {
      attempt(() => {
        for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
      });
    },
    close() {
      if (open) closeSync(descriptor);
      open = false;
    },
  };
}

/** Puts a new file in the place of `path` in one step, or leaves everything as it was. */
function replaceFile(path: string, fill: (sink: TraceSink) => void): void {
  const temporaryPath = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  const file = openForWriting(temporaryPath, 'wx');
  try {
    fill(file);
    file.close();
    renameSync(temporaryPath, path);
  } catch (error) {
    file.close();
    unlinkSync(temporaryPath);
    if (error instanceof TraceError) throw error;
    throw new FileError(`cannot be written: ${fileProblem(error)}`, { fileName: path });
  }
}
