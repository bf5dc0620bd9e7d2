/** Disks and CDs that are files, not packed into the trace, are read while the guest runs, and as often as it goes back. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { BlockImage } from '../../engine/index.js';
import { disk } from '../../examples/corpus/guests/disk.js';
import { openTraceFile } from '../../traces/index.js';
import { record } from '../record.js';
import { openTimeline } from './timeline.js';

const folder = mkdtempSync(join(tmpdir(), 'replay86-disk-files-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

it('reads the files of a trace until it is closed', async () => {
  const config = disk.config();
  const image = config.disk as BlockImage;
  const contents = new Uint8Array(image.sizeBytes);
  image.read(0, contents);
  const imagePaths = { kernel: join(folder, 'kernel'), disk: join(folder, 'disk') };
  writeFileSync(imagePaths.kernel, (config.boot as { kernel: Uint8Array }).kernel);
  writeFileSync(imagePaths.disk, contents);
  const { digest } = await record({ config, to: join(folder, 'disk.trace'), imagePaths });
  const trace = openTraceFile(join(folder, 'disk.trace'));
  const timeline = openTimeline(trace);
  for (const from of [0, 1000]) {
    await timeline.seek(from);
    await timeline.seek(timeline.endTick);
    expect(timeline.machine.digest()).toBe(digest);
  }
  timeline.close();
  trace.close();
});
