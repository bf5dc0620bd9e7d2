/**
 * The demo: a guest with a race fails with some timings of its input and not with others. Look for one that fails, keep its
 * trace, replay it as often as you like, and go to the very instruction where it went wrong.
 *
 *     npm run demo [-- FIRST_SEED]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Assembled } from '../../properties/index.js';
import { openTimeline, replay } from '../../replay/index.js';
import { bytesSource, nodeCodec, openTraceFile, packTrace, readTrace, type Trace } from '../../traces/index.js';
import { symbolFile } from '../corpus/symbol-file.js';
import { address, lostUpdate, type Step, sourceLine, stepsAround } from './autopsy.js';
import { type Attempt, attempt } from './feed.js';
import { assertionFailed, buildGuest } from './guest.js';

const attemptsLimit = 200;
const replays = 3;
/** Below dist/, where everything that is made lies. */
const tracePath = fileURLToPath(new URL('../../dist/examples/race/race.trace', import.meta.url));
/** The names of the guest's source, for a debugger. */
const symbolsPath = tracePath.replace(/trace$/, 'elf');

const colours = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
const paint = (code: number) => (text: string) => (colours ? `\x1b[${code}m${text}\x1b[0m` : text);
const [bold, dim, red, green, yellow] = [paint(1), paint(2), paint(31), paint(32), paint(33)] as const;
const print = (line = ''): void => {
  process.stdout.write(`${line}\n`);
};
const hex = (value: bigint): string => value.toString(16).padStart(16, '0');

function search(kernel: Uint8Array, firstSeed: number): Attempt {
  print(bold('1. Feed the guest at times drawn from a seed, until its own assertion fails'));
  for (let number = 1; number <= attemptsLimit; number++) {
    const seed = firstSeed + number - 1;
    const run = attempt(kernel, seed);
    const failed = run.end.kind === 'debugExit' && run.end.value === assertionFailed;
    print(`   attempt ${number}, seed ${seed}: ${`${run.tick}`.padStart(7)} ticks, ${failed ? red('the assertion failed') : 'all well'}`);
    if (!failed) continue;
    print();
    print('   What the guest said:');
    for (const line of run.serial.trimEnd().split('\n')) print(`   ${dim('|')} ${line}`);
    return run;
  }
  throw new Error(`${attemptsLimit} attempts, and none failed`);
}

/** The trace with the guest in it, so that it needs nothing else. */
function keep(kernel: Uint8Array, trace: Uint8Array): number {
  const pieces: Uint8Array[] = [];
  const recorded = readTrace(bytesSource(trace), nodeCodec);
  packTrace(recorded, { write: (bytes) => pieces.push(bytes.slice()) }, nodeCodec, () => bytesSource(kernel));
  mkdirSync(dirname(tracePath), { recursive: true });
  const packed = Buffer.concat(pieces);
  writeFileSync(tracePath, packed);
  return packed.length;
}

function show(step: Step): string {
  if (step.mark === 'interrupt') return red(`  ${`${step.tick}`.padStart(8)}  ----- interrupt: a byte has arrived -----`);
  const indent = step.where === 'handler' ? '    ' : '';
  const notes = {
    load: yellow(`<-- load: EAX = pending = ${step.eax}`),
    store: red(`<-- store: pending = ${step.pending}, and what the handler did is lost`),
    count: yellow(`<-- the handler counts: pending = ${step.pending}`),
    interrupt: '',
  };
  const note = step.mark === undefined ? '' : notes[step.mark];
  const line = `  ${`${step.tick}`.padStart(8)}  ${indent}${step.place.padEnd(20)} ${step.text}`;
  return `${step.where === 'handler' ? dim(line.padEnd(64)) : line.padEnd(64)}${note}`.trimEnd();
}

/** From the failure backwards, by asking. */
async function explain(trace: Trace, guest: Assembled): Promise<void> {
  const timeline = openTimeline(trace);
  try {
    await timeline.seek(timeline.endTick);
    const lost = await lostUpdate(timeline, guest);
    print();
    print(bold(`3. Back from the failure at tick ${timeline.endTick}`));
    print('   Which store to "pending" counted down from something else than what was in memory?');
    print(`     tick ${lost.storeTick}, ${sourceLine(timeline, guest, address(guest, 'main.store'))}`);
    print('   Who last wrote "pending" before it?');
    print(`     tick ${lost.write.tick}, ${red(sourceLine(timeline, guest, lost.write.ip))}: the interrupt handler`);
    print();
    print(`   The update of "pending" that the handler came into the middle of (${dim('tick, place, instruction')}):`);
    print();
    for (const step of await stepsAround(timeline, guest, lost)) print(show(step));
  } finally {
    timeline.close();
  }
}

async function main(firstSeed: number): Promise<void> {
  if (!Number.isSafeInteger(firstSeed)) throw new Error('the first seed must be an integer');
  const guest = buildGuest();
  const found = search(guest.bytes, firstSeed);
  const packedBytes = keep(guest.bytes, found.trace);
  writeFileSync(symbolsPath, symbolFile(guest));
  const trace = openTraceFile(tracePath);
  try {
    print();
    print(bold(`2. The run is a trace of ${found.trace.length} bytes, replayed ${replays} times`));
    print(`   recorded  digest ${hex(found.digest)} at tick ${found.tick}`);
    for (let number = 1; number <= replays; number++) {
      const { digest, tick, divergence, interruptCount } = replay(trace);
      if (divergence !== undefined || digest !== found.digest) throw new Error(`replay ${number} differs`);
      print(`   replay ${number}  digest ${hex(digest)} at tick ${tick}, ${interruptCount} interrupts checked  ${green('equal')}`);
    }

    await explain(trace, guest);
    print();
    print('   The main loop writes back what it had read before the interrupt. One byte in the ring is not counted any more,');
    print('   and the check at the end of the line finds it. examples/race/README.md has the whole story.');
    print();
    const [shownTrace, shownSymbols] = [tracePath, symbolsPath].map((path) => relative(process.cwd(), path));
    print(`   The trace, with the guest in it (${packedBytes} bytes): ${shownTrace}`);
    print(`   Walk through it yourself: npx replay86 debug ${shownTrace} --symbols ${shownSymbols}`);
  } finally {
    trace.close();
  }
}

await main(Number(process.argv[2] ?? 1));
