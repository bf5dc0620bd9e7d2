import { beforeAll, describe, expect, it } from 'vitest';
import { replay } from '../../replay/index.js';
import { bytesSource, nodeCodec, packTrace, readTrace, type Trace } from '../../traces/index.js';
import { corruptingInterrupt, stepsAround } from './autopsy.js';
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

  it('lies where an interrupt splits the update', () => {
    const trace = packed(failed);
    const { tick } = corruptingInterrupt(trace, guest);
    const steps = stepsAround(trace, guest, tick);
    const marks = steps.flatMap(({ mark }) => (mark === undefined ? [] : [mark]));
    expect(marks).toEqual(['load', 'interrupt', 'store']);
    const at = (mark: string) => steps.find((step) => step.mark === mark);
    const counted = steps.find(({ where, text }) => where === 'handler' && text.startsWith('inc') && text.includes('[pending]'));
    expect(counted?.pending).toBe((at('load')?.eax ?? 0) + 1);
    expect(at('store')?.pending).toBe((at('load')?.eax ?? 0) - 1);
  });
});
