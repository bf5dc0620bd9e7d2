/**
 * The identity of a trace: a digest of what was recorded, whatever compressed it, however it was flushed, wherever its
 * images were, and whether they are embedded. Specified under IDENTITY in format.ts.
 */
import type { Codec } from './codec.js';
import { encodePlainColumn } from './columns.js';
import { FORMAT_VERSION, SEAL_BYTES } from './format.js';
import { toHex } from './hex.js';
import { encodeMessage } from './message.js';
import type { Trace } from './reader.js';
import { encodeSegment } from './segment.js';

/** @returns 64 hex digits. */
export function traceIdentity(trace: Trace, codec: Codec): string {
  const { engineVersion, nsPerTick, seed, machine, images } = trace.header;
  const header = {
    engineVersion,
    nsPerTick,
    seed,
    machine,
    images: images.map(({ role, sha256, sizeBytes }) => ({ role, sha256, sizeBytes })),
  };
  const run = encodeSegment(new Uint8Array(SEAL_BYTES), { tick: 0, ns: 0 }, trace.coveredTo, trace, nsPerTick, encodePlainColumn);
  const end = trace.end === undefined ? null : { ...trace.end };
  return toHex(codec.sha256([encodeMessage([FORMAT_VERSION, header, run, end])]));
}
