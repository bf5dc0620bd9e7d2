import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { corpusGuests } from '../examples/corpus/guests/index.js';
import { recordGuest } from '../examples/corpus/recording.js';
import { nodeCodec, openTraceFile, traceIdentity } from '../traces/index.js';
import { findTraces, verify } from './verify.js';

const folder = fileURLToPath(new URL('../traces/corpus/', import.meta.url));
const traces = findTraces([folder]);
const nameOf = (path: string): string => path.slice(folder.length, -'.trace'.length);

describe('the corpus', () => {
  it('has a trace of each guest, and no other', () => {
    expect(traces.map(nameOf)).toEqual(corpusGuests.map(({ name }) => name).sort());
    expect(traces.length).toBeGreaterThanOrEqual(10);
  });

  it('replays in every tier', async () => {
    const verdicts = await verify(traces, { tiers: ['auto', 'interpreter', 'step'] });
    expect(verdicts).toHaveLength(3 * traces.length);
    expect(verdicts.filter(({ outcome }) => outcome !== 'agrees').map(({ path, tier, problem }) => [nameOf(path), tier, problem])).toEqual(
      [],
    );
    for (const path of traces)
      expect(new Set(verdicts.filter((verdict) => verdict.path === path).map(({ digest }) => digest)).size).toBe(1);
  });

  it.each(corpusGuests.map((guest) => [guest.name, guest] as const))('%s is recorded again as it was', async (name, guest) => {
    const stored = openTraceFile(`${folder}${name}.trace`);
    try {
      expect((await recordGuest(guest)).identity).toBe(traceIdentity(stored, nodeCodec));
    } finally {
      stored.close();
    }
  });
});
