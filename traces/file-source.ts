/**
 * Files as byte sources, on Node.
 */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { TraceError } from './errors.js';
import type { ByteSource } from './source.js';

export interface FileSource extends ByteSource {
  readonly fileName: string;
  close(): void;
}

/** @throws TraceError when there is no such file, or it is not a regular one (opening a pipe would wait for ever). */
export function openFileSource(path: string): FileSource {
  const attempt = <Result>(action: () => Result): Result => {
    try {
      return action();
    } catch (error) {
      throw new TraceError(`cannot be read: ${fileProblem(error)}`, { fileName: path });
    }
  };
  if (!attempt(() => statSync(path)).isFile()) throw new TraceError('cannot be read: not a regular file', { fileName: path });
  const descriptor = attempt(() => openSync(path, 'r'));
  const sizeBytes = attempt(() => fstatSync(descriptor)).size;
  let open = true;
  return {
    fileName: path,
    sizeBytes,
    read(offsetBytes, into) {
      attempt(() => {
        for (let done = 0; done < into.length; ) {
          const count = readSync(descriptor, into, done, into.length - done, offsetBytes + done);
          if (count === 0) throw new Error('it became shorter while it was read');
          done += count;
        }
      });
    },
    close() {
      if (open) closeSync(descriptor);
      open = false;
    },
  };
}

const PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is not a folder',
  ENOSPC: 'no space left on the device',
  EROFS: 'the file system is read-only',
  EMFILE: 'too many open files',
};

/** What the operating system says, in words. */
export function fileProblem(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  return (code === undefined ? undefined : (PROBLEMS[code] ?? code)) ?? String(message ?? error);
}
