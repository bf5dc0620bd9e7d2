/**
 * Records the guest's crash, and walks back from it to its cause: `npx tsx examples/heap-corruption/demo.ts`
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openTimeline } from '../../replay/index.js';
import { openTraceFile } from '../../traces/index.js';
import { recordGuest } from '../corpus/recording.js';
import { symbolFile } from '../corpus/symbol-file.js';
import { buildGuest, notes } from './guest.js';
import { report, walkBack } from './walk.js';

const tracePath = fileURLToPath(new URL('../../dist/examples/heap-corruption/notes.trace', import.meta.url));
const symbolsPath = tracePath.replace(/trace$/, 'elf');

const print = (line = ''): void => {
  process.stdout.write(`${line}\n`);
};

const guest = buildGuest();
const { bytes, ticks } = await recordGuest(notes);
mkdirSync(dirname(tracePath), { recursive: true });
writeFileSync(tracePath, bytes);
writeFileSync(symbolsPath, symbolFile(guest));
print(`The guest ran for ${ticks} ticks, and crashed:`);
for (const line of notes.serial.trimEnd().split('\n')) print(`  | ${line}`);

const trace = openTraceFile(tracePath);
const timeline = openTimeline(trace);
try {
  print();
  print('From the crash backwards:');
  for (const line of report(await walkBack(timeline), guest)) print(line);
} finally {
  timeline.close();
  trace.close();
}
const [shownTrace, shownSymbols] = [tracePath, symbolsPath].map((path) => relative(process.cwd(), path));
print();
print(`Walk yourself: npx replay86 debug ${shownTrace} --symbols ${shownSymbols}`);
