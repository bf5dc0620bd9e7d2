/**
 * Traces and images in real files.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createTraceFile,
  findImageFile,
  type ImageReference,
  imageCandidates,
  nodeCodec,
  openFileSource,
  openTraceFile,
  packTraceFile,
  summarizeTraceFile,
  TraceError,
  type TraceHeader,
  traceIdentity,
} from './index.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'traces-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const HEADER: TraceHeader = { engineVersion: '0.1.0', nsPerTick: 1, seed: 0, machine: {}, images: [] };
const END = { reason: 'halted', status: 0, digest: 5n };
const referenceTo = (path: string, bytes: Uint8Array): ImageReference => ({
  role: 'kernel',
  sha256: Buffer.from(nodeCodec.sha256([bytes])).toString('hex'),
  sizeBytes: bytes.length,
  path,
});

/** One interrupt and one flush for each tick given. */
function record(path: string, ticks: readonly number[], header = HEADER): { finish(): void; close(): void } {
  const file = createTraceFile(path, header);
  for (const tick of ticks) {
    file.writer.interrupt({ tick, vector: 32 });
    file.writer.flush({ tick, ns: tick });
  }
  return { finish: () => file.finish({ ...END, ...file.writer.coveredTo }), close: () => file.close() };
}

function read(path: string) {
  const trace = openTraceFile(path);
  trace.close();
  return trace;
}

describe('a recording', () => {
  it('is in the file after each flush, and compact after the end', () => {
    const path = join(folder, 'a.trace');
    const recording = record(path, [10, 20, 30]);
    const before = read(path);
    expect([...before.interrupts.ticks]).toEqual([10, 20, 30]);
    expect(before.complete).toBe(false);
    expect(before.flushes.length).toBe(3);
    recording.finish();
    const after = read(path);
    expect(after.complete).toBe(true);
    expect(after.flushes.length).toBe(1);
    expect(after.interrupts).toEqual(before.interrupts);
    expect(summarizeTraceFile(path)).toEqual({ header: HEADER, end: { ...END, tick: 30, ns: 30 }, coveredTo: { tick: 30, ns: 30 } });
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('that is closed without an end stays incomplete', () => {
    const path = join(folder, 'closed.trace');
    record(path, [10]).close();
    expect(read(path)).toMatchObject({ complete: false, coveredTo: { tick: 10, ns: 10 }, tornBytes: 0 });
  });

  it('goes to where a link points', () => {
    const target = join(folder, 'target.trace');
    const link = join(folder, 'link.trace');
    writeFileSync(target, '');
    symlinkSync(target, link);
    record(link, [1, 2]).finish();
    expect(read(target).flushes.length).toBe(1);
    expect(statSync(link, { throwIfNoEntry: true }).ino).toBe(statSync(target).ino);
  });

  it('may go nowhere', () => {
    expect(() => record('/dev/null', [1, 2]).finish()).not.toThrow();
  });

  it('survives SIGKILL up to its last flush', async () => {
    const path = join(folder, 'killed.trace');
    const script = `
      import { createTraceFile } from ${JSON.stringify(resolve(import.meta.dirname, 'index.ts'))};
      const { writer } = createTraceFile(${JSON.stringify(path)}, ${JSON.stringify(HEADER)});
      for (let tick = 1; ; tick++) {
        writer.interrupt({ tick, vector: tick & 255 });
        writer.flush({ tick, ns: tick });
        if (tick === 200) process.stdout.write('200');
      }`;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      cwd: resolve(import.meta.dirname, '..'),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((done) => child.stdout.once('data', done));
    const gone = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await gone;
    const trace = read(path);
    expect(trace.complete).toBe(false);
    expect(trace.coveredTo.tick).toBeGreaterThanOrEqual(200);
    expect([...trace.interrupts.ticks]).toEqual(Array.from({ length: trace.coveredTo.tick }, (_, i) => i + 1));
  });
});

describe('a file that cannot be used', () => {
  it('is named, with the reason', () => {
    const missing = join(folder, 'missing.trace');
    expect(() => openTraceFile(missing)).toThrow(`${missing}: cannot be read: no such file or folder`);
    expect(() => openTraceFile(folder)).toThrow(`${folder}: cannot be read: not a regular file`);
    expect(() => createTraceFile(folder, HEADER)).toThrow(`${folder}: cannot be written: it is a folder`);
    expect(() => createTraceFile(join(missing, 'x'), HEADER)).toThrow(TraceError);
    const text = join(folder, 'text.trace');
    writeFileSync(text, 'hello, I am not a trace');
    expect(() => openTraceFile(text)).toThrow(`${text}, byte 0: not a trace: it does not start with the signature of one`);
  });

  it('is not waited for when it is a pipe', () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    expect(() => openTraceFile(pipe)).toThrow(/not a regular file$/);
  });
});

describe('images', () => {
  it('are looked for by the last component of their path only', () => {
    const sha256 = 'a'.repeat(64);
    const inFolder = (path: string) => imageCandidates({ path, sha256 }, '/images').filter((candidate) => candidate !== path);
    expect(imageCandidates({ path: '/boot/vmlinuz', sha256 }, '/images')).toEqual([
      '/images/vmlinuz',
      `/images/${sha256}`,
      '/boot/vmlinuz',
    ]);
    expect(imageCandidates({ path: '/boot/vmlinuz', sha256 })).toEqual(['/boot/vmlinuz']);
    expect(inFolder('../../etc/passwd')).toEqual(['/images/passwd', `/images/${sha256}`]);
    expect(inFolder('..\\..\\secret')).toEqual(['/images/secret', `/images/${sha256}`]);
    for (const path of ['..', '.', '', 'a/..', 'a/.', 'a/', '/', '\\', '../..\\..'])
      expect(inFolder(path), path).toEqual([`/images/${sha256}`]);
    for (const path of ['x/../../y', '....//....//z', '/images/../q']) {
      for (const candidate of inFolder(path)) expect(resolve(candidate).startsWith('/images/'), candidate).toBe(true);
    }
  });

  it('are used only when they are the ones that were recorded', () => {
    const images = join(folder, 'images');
    mkdirSync(images);
    const contents = Buffer.from('kernel contents');
    const reference = referenceTo('/nowhere/kernel', contents);
    const path = join(images, 'kernel');
    expect(() => findImageFile(reference, images)).toThrow(
      /^image kernel \(15 bytes, sha256 [0-9a-f]{64}\) not found; .*no such file.*\/nowhere\/kernel: cannot be read/,
    );
    writeFileSync(path, 'other  contents');
    expect(() => findImageFile(reference, images)).toThrow(`${path}: changed since the recording: has sha256 `);
    writeFileSync(path, 'longer than the contents');
    expect(() => findImageFile(reference, images)).toThrow(`${path}: changed since the recording: has 24 bytes`);
    writeFileSync(join(images, reference.sha256), contents);
    const bySha256 = findImageFile(reference, images);
    expect(bySha256.fileName).toBe(join(images, reference.sha256));
    bySha256.close();
    writeFileSync(path, contents);
    const byName = findImageFile(reference, images);
    expect(byName.fileName).toBe(path);
    const into = new Uint8Array(6);
    byName.read(0, into);
    expect(Buffer.from(into).toString()).toBe('kernel');
    byName.close();
  });

  it('are packed into the trace', () => {
    const kernel = join(folder, 'kernel');
    writeFileSync(kernel, 'the kernel');
    const path = join(folder, 'with-image.trace');
    const packed = join(folder, 'packed.trace');
    const header = {
      ...HEADER,
      images: [referenceTo(kernel, readFileSync(kernel)), { ...referenceTo(kernel, readFileSync(kernel)), role: 'initrd' }],
    };
    record(path, [5], header).finish();
    packTraceFile(path, packed);
    rmSync(kernel);
    const trace = openTraceFile(packed);
    expect(trace.images.size).toBe(1);
    const image = trace.images.get(header.images[0].sha256);
    const into = new Uint8Array(10);
    image?.read(0, into);
    expect(Buffer.from(into).toString()).toBe('the kernel');
    trace.close();
    expect(traceIdentity(trace, nodeCodec)).toBe(traceIdentity(read(path), nodeCodec));

    const bytes = readFileSync(path);
    expect(() => packTraceFile(path, path)).toThrow(/^image kernel .* not found; .*; name the folder it is in$/);
    expect(readFileSync(path)).toEqual(bytes);
    writeFileSync(join(folder, header.images[0].sha256), 'the kernel');
    packTraceFile(path, path, folder);
    expect(readFileSync(path)).toEqual(readFileSync(packed));
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

it('a file that shrinks while it is read is noticed', () => {
  const path = join(folder, 'shrinking');
  writeFileSync(path, 'long');
  const source = openFileSource(path);
  writeFileSync(path, 'l');
  expect(() => source.read(0, new Uint8Array(4))).toThrow(`${path}: cannot be read: it became shorter while it was read`);
  source.close();
});
