/**
 * What a list of traces shows: header and end, without reading what is between when the trace has an index.
 */

import { readIndex } from './chunk-index.js';
import { checkPreamble, locationOf, readChunkHead, readRaw } from './chunks.js';
import type { Codec } from './codec.js';
import { locate, TraceError } from './errors.js';
import type { Point, TraceEnd, TraceHeader } from './events.js';
import { readTrace } from './reader.js';
import { endRecord, headerRecord } from './records.js';
import type { ByteSource } from './source.js';

export interface TraceSummary {
  readonly header: TraceHeader;
  /** Undefined when the recording was not finished. */
  readonly end: TraceEnd | undefined;
  readonly coveredTo: Point;
}

/** @throws TraceError. What it does not read, it does not check: that is readTrace's job. */
export function readTraceSummary(source: ByteSource, codec: Codec): TraceSummary {
  checkPreamble(source);
  const index = readIndex(source, codec);
  if (index === undefined) {
    const { header, end, coveredTo } = readTrace(source, codec);
    return { header, end, coveredTo };
  }
  const payload = (type: string): Uint8Array => {
    const entry = index.find((candidate) => candidate.type === type);
    const head = entry && entry.offsetBytes < source.sizeBytes ? readChunkHead(source, entry.offsetBytes) : undefined;
    if (head?.type !== type) throw new TraceError(`the index leads to no chunk ${type}`, { fileName: source.fileName });
    return locate(locationOf(source, head), () => readRaw(source, head, codec));
  };
  const { fileName } = source;
  const header = locate({ fileName, chunk: 'HEAD' }, () => headerRecord.decode(payload('HEAD')));
  const { seal: _, ...end } = locate({ fileName, chunk: 'END ' }, () => endRecord.decode(payload('END ')));
  return { header, end, coveredTo: { tick: end.tick, ns: end.ns } };
}
