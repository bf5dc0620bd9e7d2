/**
 * Records every guest of the corpus into traces/corpus, or only those named:
 *
 *     npx tsx examples/corpus/record.ts [NAME...]
 *
 * A trace whose content has not changed is left as it is.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeCodec, openTraceFile, traceIdentity } from '../../traces/index.js';
import { corpusGuests } from './guests/index.js';
import { recordGuest } from './recording.js';

const folder = fileURLToPath(new URL('../../traces/corpus/', import.meta.url));

async function main(names: readonly string[]): Promise<void> {
  const unknown = names.find((name) => !corpusGuests.some((guest) => guest.name === name));
  if (unknown !== undefined) throw new Error(`no guest "${unknown}"; there are ${corpusGuests.map(({ name }) => name).join(', ')}`);
  mkdirSync(folder, { recursive: true });
  for (const guest of corpusGuests) {
    if (names.length > 0 && !names.includes(guest.name)) continue;
    const path = join(folder, `${guest.name}.trace`);
    const { bytes, identity, ticks } = await recordGuest(guest);
    const changed = identityIn(path) !== identity;
    if (changed) writeFileSync(path, bytes);
    const columns = [guest.name.padEnd(12), `${ticks} ticks`.padStart(16), `${bytes.length} bytes`.padStart(14), identity.slice(0, 16)];
    process.stdout.write(`${columns.join('  ')}  ${changed ? 'written' : 'unchanged'}\n`);
  }
}

function identityIn(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  const trace = openTraceFile(path);
  try {
    return traceIdentity(trace, nodeCodec);
  } finally {
    trace.close();
  }
}

await main(process.argv.slice(2));
