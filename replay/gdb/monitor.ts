/**
 * `monitor` commands: what gdb has no commands for.
 */
import { TraceError } from '../../traces/index.js';
import { bytesText } from '../bytes-text.js';
import { firstAtOrAfter } from '../sorted.js';
import { DivergenceError } from '../timeline/playback.js';
import type { MemoryAccess } from '../timeline/queries/results.js';
import { QueryError } from '../timeline/queries/target.js';
import { linearPc } from './points.js';
import type { Session } from './session.js';

export interface MonitorOutput {
  readonly signal: AbortSignal;
  readonly print: (text: string) => void;
}

interface MonitorCommand {
  readonly usage: string;
  readonly help: string;
  readonly run: (session: Session, words: readonly string[], output: MonitorOutput) => Promise<void> | void;
}

/** The command cannot be carried out as it was given. */
class MonitorError extends Error {
  override readonly name = 'MonitorError';
}

const USAGE_WIDTH = 28;
const PATIENCE_MS = 4000;
const WRITES_SHOWN = 10;
const WRITE_BYTES = 4;
const WRITERS: Readonly<Record<MemoryAccess['by'], string>> = {
  instruction: '',
  delivery: '  by the delivery of an exception',
  pageWalk: '  by a page walk',
  device: '  by a device',
};
/** Interrupts shown before and after the present place. */
const INTERRUPTS_SHOWN = 8;

const COMMANDS: ReadonlyMap<string, MonitorCommand> = new Map<string, MonitorCommand>([
  [
    'when',
    { usage: 'when', help: 'the tick, virtual time and place', run: (session, _words, { print }) => print(`${placeOf(session)}\n`) },
  ],
  ['goto', { usage: 'goto TICK|begin|end', help: 'go to a tick of the recording', run: goto }],
  ['checkpoint', { usage: 'checkpoint', help: 'note the present tick under a number', run: checkpoint }],
  ['restart', { usage: 'restart [NUMBER]', help: 'go to a checkpoint, or to the beginning', run: restart }],
  ['fork', { usage: 'fork [FILE]', help: 'leave the recording: a live machine from here on, recorded to a file', run: fork }],
  ['writes', { usage: 'writes ADDRESS [BYTES]', help: `the last ${WRITES_SHOWN} writes to linear memory before here`, run: writes }],
  ['irqs', { usage: 'irqs', help: 'recorded interrupts around here', run: interrupts }],
  ['save-trace', { usage: 'save-trace FILE', help: 'write the trace with its images to a file', run: saveTrace }],
  ['divergence', { usage: 'divergence', help: 'whether the replay does what was recorded, to the end', run: divergence }],
  ['help', { usage: 'help', help: 'this list', run: help }],
]);

/** Prints what is wrong with the line, if anything is. */
export async function runMonitorCommand(session: Session, line: string, output: MonitorOutput): Promise<void> {
  const [name = 'help', ...words] = line
    .trim()
    .split(/\s+/)
    .filter((word) => word !== '');
  const command = COMMANDS.get(name);
  if (command === undefined) {
    output.print(`there is no command ${name}: see monitor help\n`);
    return;
  }
  try {
    await command.run(session, words, output);
  } catch (error) {
    if (error instanceof MonitorError) output.print(`${error.message}: monitor ${command.usage}\n`);
    else if (error instanceof DivergenceError) output.print(`${error.message}\n`);
    else throw error;
  }
}

function help(_session: Session, _words: readonly string[], { print }: MonitorOutput): void {
  for (const { usage, help: text } of COMMANDS.values()) print(`${usage.padEnd(USAGE_WIDTH)}${text}\n`);
}

function placeOf({ timeline, machine, diversion, host }: Session): string {
  const where =
    diversion === undefined
      ? `tick ${machine.tick} of ${timeline.endTick}`
      : `tick ${machine.tick} of a diversion from tick ${diversion.startTick}`;
  return `${where}, ${machine.nowNs} ns, pc ${addressText(linearPc(machine), host.symbols)}`;
}

function addressText(address: number, symbols: Session['host']['symbols']): string {
  const name = symbols?.textAt(address);
  return `0x${address.toString(16)}${name === undefined ? '' : ` <${name}>`}`;
}

// --- moving --------------------------------------------------------------------------------------------------------------

async function goto(session: Session, [word, ...more]: readonly string[], output: MonitorOutput): Promise<void> {
  const { endTick } = session.timeline;
  const tick = word === 'begin' ? 0 : word === 'end' ? endTick : numberOf(word);
  if (more.length > 0) throw new MonitorError('one tick is enough');
  if (tick > endTick) throw new MonitorError(`the recording ends at tick ${endTick}`);
  await moveTo(session, tick, output);
}

async function restart(session: Session, [word]: readonly string[], output: MonitorOutput): Promise<void> {
  const tick = word === undefined ? 0 : session.marks[numberOf(word) - 1];
  if (tick === undefined) throw new MonitorError(`there is no checkpoint ${word}`);
  await moveTo(session, tick, output);
}

async function moveTo(session: Session, tick: number, { signal, print }: MonitorOutput): Promise<void> {
  const onProgress = patience(print, (at) => `at tick ${at}`);
  const arrived = await session.goTo(tick, { signal, onProgress });
  print(`${arrived ? '' : 'interrupted: '}${placeOf(session)}\n`);
  if (arrived && !session.host.followsModes) print('gdb does not know yet: maintenance flush register-cache\n');
}

/** Whoever waits wants to see that it goes on. */
function patience(print: (text: string) => void, text: (tick: number) => string): (tick: number) => void {
  let saidMs = performance.now();
  return (tick) => {
    if (performance.now() - saidMs < PATIENCE_MS) return;
    saidMs = performance.now();
    print(`${text(tick)}\n`);
  };
}

function checkpoint({ marks, machine, diversion }: Session, _words: readonly string[], { print }: MonitorOutput): void {
  if (diversion !== undefined) throw new MonitorError('a diversion has no checkpoints');
  marks.push(machine.tick);
  print(`checkpoint ${marks.length} at tick ${machine.tick}\n`);
}

async function fork(session: Session, [path]: readonly string[], { print }: MonitorOutput): Promise<void> {
  if (session.diversion !== undefined) throw new MonitorError('this is a diversion already');
  try {
    await session.divert(path);
  } catch (error) {
    if (!(error instanceof TraceError)) throw error;
    throw new MonitorError(error.message);
  }
  session.printNotices(print);
}

// --- asking ----------------------------------------------------------------------------------------------------------------

async function writes(session: Session, [word, length]: readonly string[], { signal, print }: MonitorOutput): Promise<void> {
  const { timeline, host } = session;
  if (session.diversion !== undefined) throw new MonitorError('only the recording knows its writes; monitor restart returns to it');
  const linear = (word === undefined ? undefined : host.symbols?.addressOf(word)) ?? numberOf(word);
  const bytes = length === undefined ? WRITE_BYTES : numberOf(length);
  try {
    const { items, more } = await host.queries.writes(linear, bytes, {
      toTick: timeline.tick,
      limit: WRITES_SHOWN,
      end: 'last',
      signal,
      onProgress: patience(print, (tick) => `${tick} ticks looked through`),
    });
    for (const write of [...items].reverse()) print(`${writeText(write, host.symbols)}\n`);
    if (!more) print(items.length === 0 ? 'never written before here\n' : 'none before that\n');
  } catch (error) {
    if (signal.aborted) print('interrupted\n');
    else if (error instanceof QueryError) throw new MonitorError(error.message);
    else throw error;
  }
}

function writeText(write: MemoryAccess, symbols: Session['host']['symbols']): string {
  const { tick, ip, linear, physical, valueBefore, valueAfter, by, vector } = write;
  const who = by === 'delivery' && vector !== undefined ? `  by the delivery of vector 0x${vector.toString(16)}` : WRITERS[by];
  const values = `${bytesText(valueBefore)} -> ${bytesText(valueAfter)}`;
  return `tick ${tick}  pc ${addressText(ip, symbols)}  0x${(linear ?? physical).toString(16)}: ${values}${who}`;
}

function interrupts({ timeline, machine }: Session, _words: readonly string[], { print }: MonitorOutput): void {
  const { ticks, vectors } = timeline.trace.interrupts;
  const next = firstAtOrAfter(ticks, machine.tick);
  const first = Math.max(0, next - INTERRUPTS_SHOWN);
  const end = Math.min(ticks.length, next + INTERRUPTS_SHOWN);
  for (let index = first; index < end; index++) {
    const distance = (ticks[index] as number) - machine.tick;
    print(`tick ${ticks[index]} (${distance < 0 ? '' : '+'}${distance})  vector 0x${(vectors[index] as number).toString(16)}\n`);
  }
  print(`${next} of ${ticks.length} interrupts before tick ${machine.tick}\n`);
}

function saveTrace({ host, diversion }: Session, [path, ...more]: readonly string[], { print }: MonitorOutput): void {
  if (path === undefined || more.length > 0) throw new MonitorError('give a file name');
  if (diversion !== undefined) throw new MonitorError('a diversion is recorded by monitor fork FILE');
  print(`${host.saveTrace(path)}\n`);
}

async function divergence({ timeline }: Session, _words: readonly string[], { signal, print }: MonitorOutput): Promise<void> {
  const { tick: startTick, endTick } = timeline;
  const onProgress = patience(print, (tick) => `none up to tick ${tick}`);
  try {
    const complete = await timeline.history.explore(endTick, { signal, onProgress });
    print(
      complete
        ? `none in a recording of ${endTick} ticks\n`
        : `interrupted: none up to tick ${timeline.history.exploredTo} of ${endTick}\n`,
    );
  } finally {
    await timeline.seek(startTick);
  }
}

/** @throws MonitorError */
function numberOf(word: string | undefined): number {
  const value = word !== undefined && /^(0x[0-9a-f]+|[0-9][0-9_,]*)$/i.test(word) ? Number(word.replace(/[_,]/g, '')) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new MonitorError(word === undefined ? 'a number is missing' : `${word} is no number`);
  return value;
}
