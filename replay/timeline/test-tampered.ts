/** Traces of the corpus that are whole, as far as their checksums say, but tell of another run. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compactTrace, nodeCodec, openTraceFile } from '../../traces/index.js';

const CORPUS = new URL('../../traces/corpus/', import.meta.url);

export type Tampering = 'digest' | 'end digest' | 'input';

/** The tick of what is changed: the second digest, the one at the end, or the last input. */
export interface TamperedTrace {
  readonly path: string;
  readonly tick: number;
  /** What was recorded, and what is there instead, of a digest. */
  readonly recorded: bigint;
  readonly stored: bigint;
}

export function tamperedTrace(name: string, what: Tampering, folder: string): TamperedTrace {
  const trace = openTraceFile(new URL(`${name}.trace`, CORPUS).pathname);
  const path = join(folder, `${name} with another ${what}.trace`);
  const { digests, inputs, end } = trace;
  if (end === undefined) throw new Error(`${name} has no end`);
  let [tick, recorded] = [end.tick, end.digest];
  if (what === 'digest') {
    [tick, recorded] = [digests.ticks[1] as number, digests.values[1] as bigint];
    digests.values[1] = recorded ^ 1n;
  }
  if (what === 'input') {
    const last = inputs.at(-1);
    if (last === undefined) throw new Error(`${name} has no input`);
    last.payload[0] = (last.payload[0] as number) ^ 1;
    tick = last.tick;
  }
  const changed = what === 'end digest' ? { ...trace, end: { ...end, digest: end.digest ^ 1n } } : trace;
  writeFileSync(path, '');
  compactTrace(changed, { write: (bytes) => appendFileSync(path, bytes) }, nodeCodec);
  trace.close();
  return { path, tick, recorded, stored: recorded ^ 1n };
}
