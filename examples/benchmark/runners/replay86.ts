/** replay86 itself, through its public API. */
import { createMachine } from '../../../engine/index.js';
import { buildImage, kernelNamed } from '../kernels/index.js';
import { Markers, now } from './markers.js';
import type { Job, Measurement } from './runner.js';

export async function measureReplay86(job: Job): Promise<Measurement> {
  const kernel = buildImage(kernelNamed(job.kernel), job.iterations).bytes;
  const machine = createMachine({ boot: { kind: 'multiboot', kernel, modules: [], commandLine: '' }, memoryBytes: 64 << 20 });
  const markers = new Markers(job.kernel, () => ({ seconds: now(), instructions: machine.tick }));
  machine.onSerial = (_port, byte) => markers.accept(String.fromCharCode(byte));
  const reason = machine.run({});
  if (reason.kind !== 'debugExit' || reason.value !== 0) throw new Error(`unexpected end: ${JSON.stringify(reason)}`);
  return markers.result();
}
