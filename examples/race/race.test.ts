import { beforeAll, describe, expect, it } from 'vitest';
import { openTimeline, replay } from '../../replay/index.js';
import { bytesSource, nodeCodec, packTrace, readTrace, type Trace } from '../../traces/index.js';
import { lostUpdate, sourceLine, stepsAround } from './autopsy.js';
import { type Attempt, attempt } from './feed.js';
import { assertionFailed, buildGuest } from './guest.js';

const guest = buildGuest();

function packed({ trace }: Attempt): Trace {
  const pieces: Uint8Array[] = [];
  const sink = { write: (bytes: Uint8Array) => pieces.push(bytes.slice()) };
  packTrace(readTrace(bytesSource(trace), nodeCodec), sink, nodeCodec, () => bytesSource(guest.bytes));
  return readTrace(bytesSource(Uint8Array.from(Buffer.concat(pieces))), nodeCodec);
}

describe('the race', () => {
  let failed: Attempt;
  let ends: string[];

  beforeAll(() => {
    ends = [];
    for (let seed = 1; failed === undefined; seed++) {
      const run = attempt(guest.bytes, seed);
      ends.push(run.end.kind);
      if (run.end.kind === 'debugExit') failed = run;
      if (seed === 100) throw new Error('no seed fails');
    }
  });

  it('needs unlucky timing', () => {
    expect(ends.length).toBeGreaterThan(3);
    expect(ends.slice(0, -1).every((end) => end === 'idle')).toBe(true);
    expect(failed.end).toEqual({ kind: 'debugExit', value: assertionFailed });
    expect(failed.serial).toContain('ASSERTION FAILED');
  });

  it('fails again in every replay, in every tier', () => {
    for (const tier of ['auto', 'interpreter', 'step'] as const) {
      const { divergence, digest, tick } = replay(packed(failed), { tier });
      expect({ divergence, digest, tick }).toEqual({ divergence: undefined, digest: failed.digest, tick: failed.tick });
    }
  });

  it('lies where an interrupt splits the update', async () => {
    const timeline = openTimeline(packed(failed));
    try {
      await timeline.seek(timeline.endTick);
      const lost = await lostUpdate(timeline, guest);
      expect(timeline.tick).toBe(lost.write.tick);
      expect(sourceLine(timeline, guest, lost.write.ip)).toMatch(/^serial\.interrupt\+\d+: inc dword ptr \[pending\]$/);
      const steps = await stepsAround(timeline, guest, lost);
      const marks = steps.flatMap(({ mark }) => (mark === undefined ? [] : [mark]));
      expect(marks).toEqual(['load', 'interrupt', 'count', 'store']);
      const at = (mark: string) => steps.find((step) => step.mark === mark);
      expect(at('count')?.pending).toBe((at('load')?.eax ?? 0) + 1);
      expect(at('store')?.pending).toBe((at('load')?.eax ?? 0) - 1);
    } finally {
      timeline.close();
    }
  });
});
