/** The helper of the host oracle as a process: built when its source has changed, fed through shared memory and pipes. */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hostHeader, REQUEST_BYTES, SHARED, SHARED_BYTES } from './host-layout.js';
import { hostRefusal } from './host-vendor.js';

const COMPILER = 'gcc';
/** No C library, nothing of its own at low addresses; the processor's state is none of the compiler's business. */
const FLAGS = [
  ...[
    '-std=gnu11',
    '-O2',
    '-Wall',
    '-Wextra',
    '-fPIE',
    '-static-pie',
    '-nostdlib',
    '-ffreestanding',
    '-fno-builtin',
    '-fno-stack-protector',
  ],
  ...['-fcf-protection=none', '-fno-asynchronous-unwind-tables', '-fno-strict-aliasing', '-mno-red-zone'],
];
const START_TIMEOUT_MS = 5000;

/** Beside this file; what tsc has made of it lies elsewhere. */
function sourcePath(): string {
  for (const place of ['./host-cpu.c', '../../../properties/oracles/host-cpu.c']) {
    const path = fileURLToPath(new URL(place, import.meta.url));
    if (existsSync(path)) return path;
  }
  throw new Error('host-cpu.c, the source of the host oracle, is not there');
}

/** Where built helpers stay: a folder of nobody else's. */
function cacheFolder(): string {
  const folder = join(tmpdir(), `replay86-host-${process.getuid?.() ?? 0}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid, mode } = statSync(folder);
  if (uid !== process.getuid?.() || (mode & 0o022) !== 0) throw new Error(`${folder} belongs to somebody else`);
  return folder;
}

/** The path of the helper's program. Throws an error of one line where there cannot be one. */
function buildHelper(): string {
  const refusal = hostRefusal();
  if (refusal !== undefined) throw new Error(refusal);
  const source = sourcePath();
  const header = hostHeader();
  const hash = createHash('sha256').update(readFileSync(source)).update(header).update(FLAGS.join(' ')).digest('hex').slice(0, 24);
  const cache = cacheFolder();
  const program = join(cache, hash);
  if (existsSync(program)) return program;
  const folder = mkdtempSync(join(cache, 'build-'));
  try {
    writeFileSync(join(folder, 'arena.h'), header);
    const built = join(folder, 'helper');
    const { error, status, stderr } = spawnSync(COMPILER, [...FLAGS, '-I', folder, '-o', built, source], { encoding: 'utf8' });
    if (error !== undefined) throw new Error(`the host oracle needs a C compiler: ${COMPILER} cannot be run (${error.message})`);
    if (status !== 0 || stderr !== '') throw new Error(`${COMPILER} does not take host-cpu.c: ${stderr}`);
    renameSync(built, program);
  } finally {
    rmSync(folder, { recursive: true });
  }
  return program;
}

export class HostHelper {
  /** Shared with the helper: reads and writes of the file are reads and writes of its memory. */
  readonly memory: number;
  private readonly commands: number;
  private readonly answers: number;
  private readonly wake = new Uint8Array(1);

  constructor() {
    const program = buildHelper();
    const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'replay86-host-'));
    try {
      const [memory, commands, answers] = [join(folder, 'memory'), join(folder, 'commands'), join(folder, 'answers')];
      writeFileSync(memory, '');
      truncateSync(memory, SHARED_BYTES);
      const { error, status } = spawnSync('mkfifo', [commands, answers]);
      if (error !== undefined || status !== 0) throw new Error('the host oracle cannot make its pipes');
      this.memory = openSync(memory, 'r+');
      // In a session of its own: the Ctrl-C that ends a run is not for the helper, which ends with its pipe.
      const child = spawn(program, [memory, commands, answers], { stdio: 'ignore', detached: true });
      child.on('error', () => {});
      child.unref();
      if (child.pid === undefined) throw new Error(`${program} cannot be run`);
      this.commands = openWhenRead(commands);
      this.answers = openSync(answers, 'r');
      // The helper has opened its memory before it answers; until then the names must stay.
      const nothing = new Uint8Array(REQUEST_BYTES);
      nothing[SHARED.busy] = 1;
      if (!this.call(nothing)) throw new Error('the helper of the host oracle does not start');
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  /** Has the helper run what is in the memory, under this request. False: it is dead. */
  call(request: Uint8Array): boolean {
    return this.send(request) && this.isAnswered();
  }

  /** The first half of a call: the helper begins. */
  send(request: Uint8Array): boolean {
    writeSync(this.memory, request, 0, request.length, 0);
    try {
      writeSync(this.commands, this.wake);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EPIPE') return false;
      throw error;
    }
  }

  /** The second half: waits until the helper is done. */
  isAnswered(): boolean {
    return readSync(this.answers, this.wake) === 1;
  }

  close(): void {
    for (const file of [this.commands, this.answers, this.memory]) closeSync(file);
  }
}

/** Opens a pipe for writing as soon as somebody reads it. */
function openWhenRead(path: string): number {
  for (let waitedMs = 0; ; waitedMs++) {
    try {
      return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO' || waitedMs > START_TIMEOUT_MS) throw error;
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  }
}
