/**
 * QEMU's reverse debugging: a run recorded with `rr=record` and a snapshot of its beginning, replayed with `rr=replay`, moved
 * with `replay-seek` over QMP (QEMU QMP Reference Manual) and with the packets `bs` and `bc` of its gdb stub (GDB manual,
 * appendix E).
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { join } from 'node:path';
import { loopHits, loopTicks } from './time-travel-guest.js';

export interface QemuTravel {
  /** Back to the last hit from the end. */
  readonly breakpointMs: number;
  /** One step back, after this part of the run. */
  readonly reverseSteps: readonly { readonly part: number; readonly ms: number }[];
}

const PROGRAM = 'qemu-system-i386';
const TIMEOUT_MS = 120_000;
const PAUSE_MS = 50;
const DISK_BYTES = 64 * 2 ** 20;
const PARTS = [0.01, 0.25, 0.5, 0.75, 0.99] as const;
/** Behind the last hit, and before the guest ends itself and QEMU with it. */
const END_PART = 0.9999;

const machineOptions = (kernel: string, disk: string): string[] => [
  ...['-accel', 'tcg', '-m', '128', '-nodefaults', '-display', 'none', '-serial', 'none', '-no-reboot', '-kernel', kernel],
  ...['-device', 'isa-debug-exit,iobase=0xf4,iosize=1', '-drive', `file=${disk},format=qcow2,if=none,id=rr`],
];
const logOption = (mode: string, log: string): string[] => ['-icount', `shift=7,rr=${mode},rrfile=${log},rrsnapshot=init`];

/** @param address of the breakpoint @throws Error when something of it is missing or does not work */
export async function measureQemuTravel(folder: string, kernel: string, address: number): Promise<QemuTravel> {
  const disk = join(folder, 'snapshots.qcow2');
  const log = join(folder, 'qemu.rr');
  writeFileSync(disk, emptyQcow2());
  // isa-debug-exit ends QEMU with 1.
  run(PROGRAM, [...machineOptions(kernel, disk), '-monitor', 'none', ...logOption('record', log)], 1);
  const sockets = { qmp: join(folder, 'qmp'), gdb: join(folder, 'gdb') };
  const child = spawn(
    PROGRAM,
    [
      ...[...machineOptions(kernel, disk), ...logOption('replay', log), '-S'],
      ...['-qmp', `unix:${sockets.qmp},server=on,wait=off`, '-gdb', `unix:${sockets.gdb},server=on,wait=off`],
    ],
    { stdio: ['ignore', 'ignore', 'ignore'] },
  );
  const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
  try {
    return await travel(child, sockets, address);
  } finally {
    clearTimeout(timer);
    child.kill('SIGKILL');
  }
}

/** An empty disk that can hold snapshots of the machine (QEMU, docs/interop/qcow2.txt, version 2). */
function emptyQcow2(): Buffer {
  const clusterBits = 16;
  const cluster = 2 ** clusterBits;
  // Header, table of reference counts, reference counts, L1 table: a cluster each.
  const image = Buffer.alloc(4 * cluster);
  const [counts, block, l1] = [cluster, 2 * cluster, 3 * cluster];
  image.write('QFI\xfb', 'latin1');
  const words: Readonly<Record<number, number>> = { 4: 2, 20: clusterBits, 28: DISK_BYTES, 36: 1, 44: l1, 52: counts, 56: 1 };
  for (const [at, value] of Object.entries(words)) image.writeUInt32BE(value, Number(at));
  image.writeBigUInt64BE(BigInt(block), counts);
  for (let used = 0; used < 4; used++) image.writeUInt16BE(1, block + 2 * used);
  return image;
}

function run(program: string, args: readonly string[], expected: number): void {
  const { status, error, stderr } = spawnSync(program, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
  });
  if (error !== undefined) throw new Error(`${program} is not installed`);
  if (status !== expected) throw new Error(`${program} ended with ${status}: ${stderr.trim().split('\n').at(-1)}`);
}

async function travel(child: ChildProcess, paths: { readonly qmp: string; readonly gdb: string }, address: number): Promise<QemuTravel> {
  const qmp = await Channel.open(child, paths.qmp, /^(.*)\r?\n/);
  const gdb = await Channel.open(child, paths.gdb, /^[+-]*(?:\$([^#]*)#..)/);
  const ask = async (packet: string): Promise<string> => {
    const sum = [...Buffer.from(packet)].reduce((total, byte) => total + byte, 0) & 0xff;
    gdb.send(`+$${packet}#${sum.toString(16).padStart(2, '0')}`);
    return gdb.next();
  };
  const command = async (execute: string, options = {}): Promise<Record<string, unknown>> => {
    qmp.send(`${JSON.stringify({ execute, arguments: options })}\n`);
    for (;;) {
      const { return: answer, error } = JSON.parse(await qmp.next()) as Record<string, unknown>;
      if (error !== undefined) throw new Error(`${execute}: ${(error as { desc: string }).desc}`);
      // Everything else is events.
      if (answer !== undefined) return answer as Record<string, unknown>;
    }
  };
  const icountNow = async (): Promise<number> => (await command('query-replay')).icount as number;
  const seek = async (icount: number): Promise<void> => {
    await command('replay-seek', { icount });
    while ((await icountNow()) !== icount || (await command('query-status')).running === true) await pause();
    // The stub tells of it, too, sooner or later.
    await pause();
    gdb.forget();
  };
  const timed = async (packet: string): Promise<number> => {
    const startMs = performance.now();
    const reply = await ask(packet);
    if (!reply.startsWith('T05')) throw new Error(`${packet} was answered with ${reply || 'nothing'}`);
    return performance.now() - startMs;
  };

  await command('qmp_capabilities');
  await ask('?');
  const breakpoint = `0,${address.toString(16)},1`;
  await ask(`Z${breakpoint}`);
  await timed('c');
  const first = await icountNow();
  await ask(`z${breakpoint}`);
  const icountAt = (part: number): number => first + Math.floor(part * loopHits * loopTicks);

  const reverseSteps: { part: number; ms: number }[] = [];
  for (const part of PARTS) {
    await seek(icountAt(part));
    reverseSteps.push({ part, ms: await timed('bs') });
  }
  await seek(icountAt(END_PART));
  await ask(`Z${breakpoint}`);
  return { reverseSteps, breakpointMs: await timed('bc') };
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

/** What comes through a socket, in pieces of one form. */
class Channel {
  private text = '';
  private wake: () => void = () => {};
  private closed = false;

  private constructor(
    private readonly socket: Socket,
    private readonly piece: RegExp,
  ) {
    socket.on('data', (bytes: Buffer) => {
      this.text += bytes.toString('latin1');
      this.wake();
    });
    const close = (): void => {
      this.closed = true;
      this.wake();
    };
    socket.on('error', close).on('close', close);
  }

  static async open(child: ChildProcess, path: string, piece: RegExp): Promise<Channel> {
    while (!existsSync(path)) {
      if (child.exitCode !== null) throw new Error(`${PROGRAM} ended with ${child.exitCode} before its replay began`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return new Channel(createConnection(path), piece);
  }

  send(text: string): void {
    this.socket.write(text);
  }

  /** Whatever has come by now is of no interest. */
  forget(): void {
    this.text = '';
  }

  async next(): Promise<string> {
    for (;;) {
      const found = this.piece.exec(this.text);
      if (found !== null) {
        this.text = this.text.slice(found[0].length);
        return found[1] ?? '';
      }
      if (this.closed) throw new Error(`${PROGRAM} went away`);
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }
}
