/**
 * Where the images of a trace are looked for. The path in a trace is a hint from whoever wrote it: in a folder of images
 * only its last component counts, so that it cannot lead out of the folder, and a file is used only when its
 * size and its sha256 are those of the trace.
 */
import { join } from 'node:path';
import { quote, TraceError } from './errors.js';
import type { ImageReference } from './events.js';
import { type FileSource, openFileSource } from './file-source.js';
import { toHex } from './hex.js';
import { nodeCodec } from './node-codec.js';
import { piecesOf } from './source.js';

/** The last component of a path of any system; undefined when that is not the name of a file. */
function lastComponent(path: string): string | undefined {
  const name = path.split(/[/\\]/).at(-1);
  return name === undefined || /^\.{0,2}$|\0/.test(name) ? undefined : name;
}

/** The places where an image may be, best first: in the folder under its name or its sha256, then where it was. */
export function imageCandidates(reference: Pick<ImageReference, 'path' | 'sha256'>, imagesDirectory?: string): string[] {
  const name = lastComponent(reference.path);
  const names = name === undefined ? [reference.sha256] : [name, reference.sha256];
  const inFolder = imagesDirectory === undefined ? [] : names.map((candidate) => join(imagesDirectory, candidate));
  return reference.path === '' ? inFolder : [...inFolder, reference.path];
}

/**
 * Opens the image that a trace names.
 * @throws TraceError that says for each place what was wrong.
 */
export function findImageFile(reference: ImageReference, imagesDirectory?: string): FileSource {
  const reasons: string[] = [];
  for (const path of imageCandidates(reference, imagesDirectory)) {
    let file: FileSource;
    try {
      file = openFileSource(path);
    } catch (error) {
      if (!(error instanceof TraceError)) throw error;
      reasons.push(error.message);
      continue;
    }
    const problem = mismatch(file, reference);
    if (problem === undefined) return file;
    file.close();
    reasons.push(`${quote(path)}: ${problem}`);
  }
  throw new TraceError(
    `image ${quote(reference.role)} (${reference.sizeBytes} bytes, sha256 ${reference.sha256}) not found; ${[...reasons, 'name the folder it is in'].join('; ')}`,
  );
}

const HASH_STEP_BYTES = 1 << 20;

function mismatch(file: FileSource, { sizeBytes, sha256 }: ImageReference): string | undefined {
  if (file.sizeBytes !== sizeBytes) return `changed since the recording: has ${file.sizeBytes} bytes`;
  const found = toHex(nodeCodec.sha256(piecesOf(file, HASH_STEP_BYTES)));
  return found === sha256 ? undefined : `changed since the recording: has sha256 ${found}`;
}
