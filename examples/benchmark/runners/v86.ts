/**
 * npm's v86. Without a BIOS image its `multiboot` option loads the kernel and enters it directly. v86 runs in slices
 * between turns of the event loop and answers a write to port 0xf4 by throwing 'HALT' out of a slice.
 */
import { createRequire } from 'node:module';
import { V86 } from 'v86';
import { buildImage, kernelNamed } from '../kernels/index.js';
import { Markers, now } from './markers.js';
import type { Job, Measurement } from './runner.js';

const wasmFile = createRequire(import.meta.url)
  .resolve('v86')
  .replace(/[^/\\]*$/, 'v86.wasm');
const counterRange = 2 ** 32;

export async function measureV86(job: Job, jit: boolean): Promise<Measurement> {
  const image = Uint8Array.from(buildImage(kernelNamed(job.kernel), job.iterations).bytes);
  return await new Promise((resolve, reject) => {
    const emulator = new V86({
      wasm_path: wasmFile,
      multiboot: { buffer: image.buffer },
      memory_size: 64 << 20,
      autostart: true,
      disable_jit: !jit,
      disable_speaker: true,
    });
    const markers = new Markers(job.kernel, () => ({ seconds: now(), instructions: emulator.get_instruction_counter() }));
    const onStray = (error: unknown): void => {
      process.off('uncaughtException', onStray);
      if (error !== 'HALT') reject(error);
      else if (markers.measurement === undefined) reject(new Error('the kernel ended without a checksum'));
      else resolve(unwrapped(markers.measurement));
    };
    process.on('uncaughtException', onStray);
    emulator.add_listener('serial0-output-byte', (byte: number) => markers.accept(String.fromCharCode(byte)));
  });
}

/** v86 counts in 32 bits. */
function unwrapped(measurement: Measurement): Measurement {
  const { instructions } = measurement;
  return instructions !== undefined && instructions < 0 ? { ...measurement, instructions: instructions + counterRange } : measurement;
}
