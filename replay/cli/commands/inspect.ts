/**
 * `replay86 inspect`
 */
import { nodeCodec, type OpenTrace, openTraceFile, quote, traceIdentity } from '../../../traces/index.js';
import { grouped, hexDigest, plural, virtualTime } from '../text.js';

export interface InspectOptions {
  readonly events?: boolean;
  readonly json?: boolean;
}

export function inspect(path: string, options: InspectOptions): number {
  const trace = openTraceFile(path);
  // `inspect --events | head` is no failure.
  process.stdout.on('error', () => process.exit());
  try {
    if (options.json === true) process.stdout.write(`${JSON.stringify(asJson(trace, options.events === true), replaceBytes, 2)}\n`);
    else {
      process.stdout.write(overview(path, trace));
      if (options.events === true) writeEvents(trace);
    }
  } finally {
    trace.close();
  }
  return 0;
}

function overview(path: string, trace: OpenTrace): string {
  const { header, end, coveredTo, source, interrupts, inputs, digests } = trace;
  const rows: [string, string][] = [
    [
      'trace',
      `${quote(path)}, ${plural(source.sizeBytes, 'byte')}, format ${trace.formatVersion}, recorded by ${quote(header.engineVersion)}`,
    ],
    ['identity', traceIdentity(trace, nodeCodec)],
    ['machine', `${header.nsPerTick} ns a tick, seed ${header.seed}, ${quote(JSON.stringify(header.machine, replaceBytes))}`],
    ...header.images.map((image): [string, string] => [
      'image',
      `${quote(image.role)}: ${quote(image.path)}, ${plural(image.sizeBytes, 'byte')}, sha256 ${image.sha256}${trace.images.has(image.sha256) ? ', inside' : ''}`,
    ]),
    [
      'covered',
      `${plural(coveredTo.tick, 'tick')}, ${virtualTime(coveredTo.ns)} of virtual time, ${plural(trace.flushes.length, 'segment')}`,
    ],
    [
      'inputs',
      `${grouped(inputs.length)}, ${plural(
        inputs.reduce((sum, { payload }) => sum + payload.length, 0),
        'byte',
      )}`,
    ],
    ['interrupts', `${grouped(interrupts.ticks.length)}${byVector(interrupts.vectors)}`],
    ['digests', grouped(digests.ticks.length)],
    [
      'end',
      end === undefined
        ? 'none: the recording was not finished'
        : `${quote(end.reason)}, status ${end.status}, digest ${hexDigest(end.digest)}`,
    ],
  ];
  if (trace.tornBytes > 0) rows.push(['torn', `${plural(trace.tornBytes, 'byte')} at the end that the recorder did not finish`]);
  return rows.map(([name, text]) => `${name.padEnd(11)} ${text}\n`).join('');
}

function byVector(vectors: Uint8Array): string {
  const counts = new Map<number, number>();
  for (const vector of vectors) counts.set(vector, (counts.get(vector) ?? 0) + 1);
  const parts = [...counts].sort(([a], [b]) => a - b).map(([vector, count]) => `0x${vector.toString(16)}: ${grouped(count)}`);
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}

const EVENT_LINES_PER_WRITE = 1000;

/** All events in the order of their ticks. At one tick digests come first, then inputs, as a replay takes them. */
function writeEvents(trace: OpenTrace): void {
  let lines: string[] = [];
  for (const line of eventLines(trace)) {
    lines.push(line);
    if (lines.length === EVENT_LINES_PER_WRITE) {
      process.stdout.write(lines.join(''));
      lines = [];
    }
  }
  process.stdout.write(lines.join(''));
}

function* eventLines({ interrupts, inputs, digests }: OpenTrace): Generator<string> {
  const width = 15;
  const at = { interrupt: 0, input: 0, digest: 0 };
  for (;;) {
    const digestTick = digests.ticks[at.digest] ?? Number.POSITIVE_INFINITY;
    const input = inputs[at.input];
    const inputTick = input?.tick ?? Number.POSITIVE_INFINITY;
    const interruptTick = interrupts.ticks[at.interrupt] ?? Number.POSITIVE_INFINITY;
    const tick = Math.min(digestTick, inputTick, interruptTick);
    if (tick === Number.POSITIVE_INFINITY) return;
    const place = grouped(tick).padStart(width);
    if (digestTick === tick) yield `${place}  digest     ${hexDigest(digests.values[at.digest++] as bigint)}\n`;
    else if (input !== undefined && inputTick === tick) {
      yield `${place}  input      ${quote(input.device)} at ${input.ns} ns: ${payloadText(input.payload)}\n`;
      at.input++;
    } else yield `${place}  interrupt  0x${(interrupts.vectors[at.interrupt++] as number).toString(16).padStart(2, '0')}\n`;
  }
}

const PAYLOAD_SHOWN_BYTES = 32;

function payloadText(payload: Uint8Array): string {
  const shown = Array.from(payload.subarray(0, PAYLOAD_SHOWN_BYTES), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return payload.length > PAYLOAD_SHOWN_BYTES ? `${shown} ... (${plural(payload.length, 'byte')})` : shown;
}

function asJson(trace: OpenTrace, withEvents: boolean): unknown {
  const { header, end, coveredTo, complete, tornBytes, formatVersion, source, interrupts, inputs, digests } = trace;
  const events = {
    interrupts: Array.from(interrupts.ticks, (tick, index) => ({ tick, vector: interrupts.vectors[index] })),
    inputs,
    digests: Array.from(digests.ticks, (tick, index) => ({ tick, digest: hexDigest(digests.values[index] as bigint) })),
  };
  return {
    formatVersion,
    identity: traceIdentity(trace, nodeCodec),
    sizeBytes: source.sizeBytes,
    header,
    images: [...trace.images.keys()],
    coveredTo,
    complete,
    tornBytes,
    counts: { interrupts: interrupts.ticks.length, inputs: inputs.length, digests: digests.ticks.length },
    end: end === undefined ? null : { ...end, digest: hexDigest(end.digest) },
    ...(withEvents && { events }),
  };
}

/** Bytes as hexadecimal digits, big integers as decimal ones. */
function replaceBytes(_key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return typeof value === 'bigint' ? String(value) : value;
}
