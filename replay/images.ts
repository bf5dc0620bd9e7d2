/**
 * The files a machine is made of. Kernels and the like are read whole; disks and CDs stay where they are and are read as
 * the guest asks, never written. A trace names each by its sha256, so a changed one is noticed before anything runs.
 */
import { createHash } from 'node:crypto';
import { quote, TraceError } from '../traces/errors.js';
import type { ImageReference } from '../traces/events.js';
import { type FileSource, openFileSource } from '../traces/file-source.js';
import { findImageFile } from '../traces/image-files.js';
import type { Trace } from '../traces/reader.js';
import type { ByteSource } from '../traces/source.js';

const MIB = 2 ** 20;

/** Largest image of each role; modules of a multiboot kernel are all called `module`. */
const LIMIT_BYTES: Readonly<Record<string, number>> = {
  kernel: 512 * MIB,
  initrd: 2048 * MIB,
  module: 2048 * MIB,
  bios: 16 * MIB,
  raw: 2048 * MIB,
};

const HASH_STEP_BYTES = MIB;

/** An image file, and where it is. */
export interface ImageFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** Reads an image whole. @throws TraceError naming the file. */
export function loadImageFile(path: string, role: string): ImageFile {
  const file = openFileSource(path);
  try {
    return { path, bytes: readWhole(file, role, path) };
  } finally {
    file.close();
  }
}

/** @throws TraceError when it is larger than an image of its role can be. */
function readWhole(source: ByteSource, role: string, name: string): Uint8Array {
  const limitBytes = LIMIT_BYTES[role.replace(/\d+$/, '')] ?? 0;
  if (source.sizeBytes > limitBytes) {
    throw new TraceError(`${source.sizeBytes} bytes are too many for ${role} (at most ${limitBytes / MIB} MiB)`, { fileName: name });
  }
  const bytes = new Uint8Array(source.sizeBytes);
  source.read(0, bytes);
  return bytes;
}

/** 64 hexadecimal digits. */
export function sha256Of(source: ByteSource | Uint8Array): string {
  const hash = createHash('sha256');
  if (source instanceof Uint8Array) return hash.update(source).digest('hex');
  const buffer = new Uint8Array(Math.min(HASH_STEP_BYTES, source.sizeBytes));
  for (let offset = 0; offset < source.sizeBytes; offset += buffer.length) {
    const part = buffer.subarray(0, Math.min(buffer.length, source.sizeBytes - offset));
    source.read(offset, part);
    hash.update(part);
  }
  return hash.digest('hex');
}

/** The images of a trace, opened where they are found: inside it, in a folder, or where they were. */
export class TraceImages {
  private readonly opened: FileSource[] = [];

  constructor(
    private readonly trace: Pick<Trace, 'header' | 'images'>,
    private readonly imagesDirectory?: string | undefined,
  ) {}

  has(role: string): boolean {
    return this.trace.header.images.some((reference) => reference.role === role);
  }

  /** A disk, read as the guest asks. @throws TraceError when it is missing or has changed. */
  open(role: string): ByteSource {
    const reference = this.reference(role);
    const embedded = this.trace.images.get(reference.sha256);
    if (embedded !== undefined) {
      embedded.verify();
      return embedded;
    }
    const file = findImageFile(reference, this.imagesDirectory);
    this.opened.push(file);
    return file;
  }

  /** Any other image, whole. @throws TraceError */
  load(role: string): Uint8Array {
    const source = this.open(role);
    return readWhole(source, role, source.fileName ?? role);
  }

  close(): void {
    for (const file of this.opened) file.close();
  }

  private reference(role: string): ImageReference {
    const references = this.trace.header.images.filter((candidate) => candidate.role === role);
    const [reference] = references;
    if (reference === undefined || references.length > 1) {
      throw new TraceError(`the trace names ${references.length} images for ${quote(role)}, where one is needed`);
    }
    return reference;
  }
}
