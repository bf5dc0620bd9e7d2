/** QEMU's qemu-system-i386, where it is installed: one process for each round, the serial port on its standard output. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildImage, kernelNamed } from '../kernels/index.js';
import { Markers, now } from './markers.js';
import type { Job, Measurement, Runner } from './runner.js';

const program = 'qemu-system-i386';
const timeoutMs = 180_000;
/** isa-debug-exit ends QEMU with (value << 1) | 1. */
const exitStatus = 1;

const machineOptions = [
  ...['-accel', 'tcg', '-m', '64', '-nodefaults', '-display', 'none', '-monitor', 'none', '-serial', 'stdio', '-no-reboot'],
  ...['-device', 'isa-debug-exit,iobase=0xf4,iosize=1'],
];

async function runOnce(imageFile: string, kernel: string, options: readonly string[]): Promise<Measurement> {
  const markers = new Markers(kernel, () => ({ seconds: now() }));
  return await new Promise((resolve, reject) => {
    const child = spawn(program, [...machineOptions, ...options, '-kernel', imageFile], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
    });
    let complaints = '';
    child.stdout.on('data', (piece: Buffer) => markers.accept(piece.toString('latin1')));
    child.stderr.on('data', (piece: Buffer) => {
      complaints += piece.toString();
    });
    child.on('error', reject);
    child.on('close', (status, signal) => {
      if (status !== exitStatus) reject(new Error(`${program} ended with ${signal ?? status}: ${complaints.trim() || 'no message'}`));
      else resolve(Promise.resolve().then(() => markers.result()));
    });
  });
}

export function qemuRunner(name: string, title: string, options: readonly string[]): Runner {
  return {
    name,
    title,
    async unavailable() {
      return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0 ? undefined : `${program} is not installed`;
    },
    async measure(job: Job, rounds: number, onRound: (round: number) => void) {
      const folder = mkdtempSync(join(tmpdir(), 'replay86-bench-'));
      try {
        const imageFile = join(folder, `${job.kernel}.bin`);
        writeFileSync(imageFile, buildImage(kernelNamed(job.kernel), job.iterations).bytes);
        const measurements: Measurement[] = [];
        for (let round = 1; round <= rounds; round++) {
          onRound(round);
          measurements.push(await runOnce(imageFile, job.kernel, options));
        }
        return measurements;
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  };
}
