/**
 * The demo: a guest with a race fails with some timings of its input and not with others. Look for one that fails, keep its
 * trace, replay it as often as you like, and go to the very instruction where it went wrong.
 *
 *     npm run demo [-- FIRST_SEED]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { replay } from '../../replay/index.js';
import { bytesSource, nodeCodec, openTraceFile, packTrace, readTrace } from '../../traces/index.js';
import { corruptingInterrupt, type Step, stepsAround } from './autopsy.js';
import { type Attempt, attempt } from './feed.js';
import { assertionFailed, buildGuest } from './guest.js';

const attemptsLimit = 200;
const replays = 3;
/** Below dist/, where everything that is made lies. */
const tracePath = fileURLToPath(new URL('../../dist/examples/race/race.trace', import.meta.url));

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
    interrupt: '',
  };
  const counted = step.where === 'handler' && step.text.startsWith('inc') && step.text.includes('[pending]');
  const note = step.mark !== undefined ? notes[step.mark] : counted ? yellow(`<-- the handler counts: pending = ${step.pending}`) : '';
  const line = `  ${`${step.tick}`.padStart(8)}  ${indent}${step.place.padEnd(20)} ${step.text}`;
  return `${step.where === 'handler' ? dim(line.padEnd(64)) : line.padEnd(64)}${note}`.trimEnd();
}

function main(firstSeed: number): void {
  if (!Number.isSafeInteger(firstSeed)) throw new Error('the first seed must be an integer');
  const guest = buildGuest();
  const found = search(guest.bytes, firstSeed);
  const packedBytes = keep(guest.bytes, found.trace);
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

    const { tick, looked } = corruptingInterrupt(trace, guest);
    print();
    print(bold(`3. ${found.tick - tick} ticks before the failure, ${looked} interrupts from the end: the one that did it`));
    print(`   The main loop takes a byte out of the ring while another one comes in (${dim('tick, place, instruction')}):`);
    print();
    for (const step of stepsAround(trace, guest, tick)) print(show(step));
    print();
    print('   The main loop writes back what it had read before the interrupt. One byte in the ring is not counted any more,');
    print('   and the check at the end of the line finds it. examples/race/README.md has the whole story.');
    print();
    print(`   The trace, with the guest in it (${packedBytes} bytes): ${relative(process.cwd(), tracePath)}`);
    print(`   Replay it yourself: npx replay86 replay ${relative(process.cwd(), tracePath)}`);
  } finally {
    trace.close();
  }
}

main(Number(process.argv[2] ?? 1));
