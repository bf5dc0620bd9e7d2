/**
 * Commands that ask the whole recording.
 */
import { bytesText } from '../bytes-text.js';
import { grouped } from '../cli/text.js';
import { firstAtOrAfter } from '../sorted.js';
import type { ListOptions } from '../timeline/queries/queries.js';
import type { Call, Findings, MemoryAccess } from '../timeline/queries/results.js';
import { type Command, countOf, requireNothing, valueOf, wordsOf } from './command.js';
import { CommandError } from './command-error.js';
import type { Session } from './session.js';
import { hex, valueText } from './text.js';
import { timelineBar } from './timeline-bar.js';

const DEFAULT_BYTES = 4;
const FOUND_AROUND = 10;
const EVENTS_AROUND = 5;
const PAYLOAD_SHOWN_BYTES = 16;
const INFO_TOPICS = ['stops', 'marks', 'trace'] as const;
export const TOPICS: readonly string[] = INFO_TOPICS;

export const RECORD_COMMANDS: readonly Command[] = [
  {
    names: ['last-write', 'lw'],
    operands: 'ADDRESS [LENGTH]',
    help: 'back to the last write to memory before this place, so that what is about to be overwritten can be seen',
    completes: 'expression',
    run: async (session, operands) => {
      const { address, bytes } = rangeOf(session, operands);
      const { timeline, queries, travelOptions } = session;
      const found = await session.interruptible(() => queries.lastWrite(address, bytes, { ...travelOptions, toTick: timeline.tick }));
      if (found === 'interrupted') session.print('interrupted');
      else if (found === undefined) session.print(`nothing before this place wrote ${hex(address)}`);
      else {
        session.print(writeText(session, found));
        await session.travel('back', (options) => timeline.seek(found.tick, options).then(() => ({ kind: 'stepped' })));
      }
    },
  },
  {
    names: ['writes'],
    operands: 'ADDRESS [LENGTH]',
    help: 'who writes memory, before and after this place',
    completes: 'expression',
    run: (session, operands) => {
      const { address, bytes } = rangeOf(session, operands);
      return showAround(
        session,
        (options) => session.queries.writes(address, bytes, options),
        (item) => writeText(session, item),
      );
    },
  },
  {
    names: ['executions'],
    operands: 'ADDRESS',
    help: 'when an instruction is executed, before and after this place',
    completes: 'expression',
    run: (session, operands) => {
      const address = addressOf(session, operands);
      return showAround(
        session,
        (options) => session.queries.executions(address, options),
        ({ cr3, esp, privilege }) => `cr3 ${hex(cr3)}, esp ${hex(esp)}, privilege level ${privilege}`,
      );
    },
  },
  {
    names: ['calls'],
    operands: 'ADDRESS',
    help: 'calls of a function, with what they returned in EAX, before and after this place',
    completes: 'expression',
    run: (session, operands) => {
      const address = addressOf(session, operands);
      return showAround(
        session,
        (options) => session.queries.calls(address, options),
        (call) => callText(session, call),
      );
    },
  },
  {
    names: ['irqs'],
    operands: '[N]',
    help: 'interrupts accepted before and after this place, N each',
    run: (session, operands) => {
      const around = countOf(operands.trim(), EVENTS_AROUND);
      const { ticks, vectors } = session.timeline.trace.interrupts;
      const at = firstAtOrAfter(ticks, session.timeline.tick);
      const first = Math.max(0, at - around);
      const items = Array.from(ticks.subarray(first, at + around), (tick, index) => ({ tick, vector: vectors[first + index] as number }));
      if (items.length === 0) session.print('no interrupts');
      for (const line of withPlace(session, items, ({ vector }) => `interrupt ${hex(vector, 2)}`)) session.print(line);
    },
  },
  {
    names: ['inputs'],
    operands: '[N]',
    help: 'inputs before and after this place, N each',
    run: (session, operands) => {
      const around = countOf(operands.trim(), EVENTS_AROUND);
      const { inputs } = session.timeline.trace;
      const before = inputs.findIndex(({ tick }) => tick >= session.timeline.tick);
      const at = before < 0 ? inputs.length : before;
      const items = inputs.slice(Math.max(0, at - around), at + around);
      if (items.length === 0) session.print('no inputs');
      for (const line of withPlace(session, items, ({ device, payload }) => `${device} ${payloadText(payload)}`)) session.print(line);
    },
  },
  {
    names: ['timeline', 't'],
    operands: '',
    help: 'the recording as a line: interrupts, marks, this place',
    run: (session, operands) => {
      requireNothing(operands);
      const { timeline, marks, host } = session;
      const { tick, endTick } = timeline;
      session.print(timelineBar({ tick, endTick, marks, interruptTicks: timeline.trace.interrupts.ticks, emphasize: host.emphasize }));
    },
  },
  {
    names: ['info', 'i'],
    operands: '[stops | marks | trace]',
    help: 'stops, marks, and what the recording is',
    completes: 'topic',
    run: (session, operands) => {
      const [word] = wordsOf(operands, 1);
      const topics = word === undefined ? INFO_TOPICS : INFO_TOPICS.filter((topic) => topic.startsWith(word));
      if (topics.length === 0) throw new CommandError(`info on what? ${INFO_TOPICS.join(', ')}`);
      for (const topic of topics) for (const line of INFO[topic](session)) session.print(line);
    },
  },
];

const INFO: Readonly<Record<(typeof INFO_TOPICS)[number], (session: Session) => string[]>> = {
  stops: ({ stops }) => (stops.all.length === 0 ? ['no stops'] : stops.all.map(({ number, text }) => `stop ${number}: ${text}`)),
  marks: ({ marks }) =>
    marks.size === 0 ? ['no marks'] : [...marks].sort(([, a], [, b]) => a - b).map(([name, tick]) => `mark ${name}: tick ${grouped(tick)}`),
  trace: ({ timeline }) => {
    const { header, interrupts, inputs, end } = timeline.trace;
    const events = `${grouped(interrupts.ticks.length)} interrupts, ${grouped(inputs.length)} inputs`;
    return [
      `recording: ${grouped(timeline.endTick)} ticks, ${events}, ${end === undefined ? 'not finished' : `${end.reason}, status ${end.status}`}`,
      ...header.images.map(({ role, path }) => `image: ${role}${path === '' ? '' : ` ${path}`}`),
    ];
  },
};

/** Lists the last ones before the present place and the first ones from it on. */
async function showAround<T extends { readonly tick: number }>(
  session: Session,
  ask: (options: ListOptions) => Promise<Findings<T>>,
  text: (item: T) => string,
): Promise<void> {
  const { timeline, travelOptions } = session;
  const found = await session.interruptible(async () => ({
    before: await ask({ ...travelOptions, toTick: timeline.tick, limit: FOUND_AROUND, end: 'last' }),
    after: await ask({ ...travelOptions, fromTick: timeline.tick, limit: FOUND_AROUND }),
  }));
  if (found === 'interrupted') {
    session.print('interrupted');
    return;
  }
  const { before, after } = found;
  const items = [...before.items, ...after.items];
  if (items.length === 0) session.print('nowhere in the recording');
  if (before.more) session.print('  ...');
  for (const line of withPlace(session, items, text)) session.print(line);
  if (after.more) session.print('  ...');
}

/** @throws CommandError */
function addressOf(session: Session, operands: string): number {
  const [place] = wordsOf(operands, 1);
  if (place === undefined) throw new CommandError('an address is missing');
  return valueOf(session, place);
}

function callText({ timeline, view }: Session, { tick, returnAddress, returnTick, returnValue }: Call): string {
  const to = `to return to ${view.addressText(returnAddress)}`;
  // Of calls before the present place, returns are looked for up to there.
  if (returnTick === undefined || returnValue === undefined) return `${to}: ${tick < timeline.tick ? 'not by now' : 'never'}`;
  return `${to}: at tick ${grouped(returnTick)}, with eax ${hex(returnValue)}`;
}

function rangeOf(session: Session, operands: string): { readonly address: number; readonly bytes: number } {
  const [place, length] = wordsOf(operands, 2);
  if (place === undefined) throw new CommandError('an address is missing');
  return { address: valueOf(session, place), bytes: length === undefined ? DEFAULT_BYTES : valueOf(session, length) };
}

function writeText({ view }: Session, { ip, by, vector, linear, physical, valueBefore, valueAfter }: MemoryAccess): string {
  const writer = by === 'instruction' ? view.addressText(ip) : `${by}${vector === undefined ? '' : ` of interrupt ${hex(vector, 2)}`}`;
  const place = linear === undefined ? `physical ${hex(physical)}` : hex(linear);
  return `${place}: ${valueText(valueBefore)} -> ${valueText(valueAfter)}, by ${writer}`;
}

/** With the present place between what has happened and what is to come. */
function withPlace<T extends { readonly tick: number }>({ timeline }: Session, items: readonly T[], text: (item: T) => string): string[] {
  const lines = items.map((item) => `  tick ${grouped(item.tick)}  ${text(item)}`);
  if (items.length === 0) return lines;
  const next = items.findIndex(({ tick }) => tick >= timeline.tick);
  lines.splice(next < 0 ? items.length : next, 0, `> tick ${grouped(timeline.tick)}  here`);
  return lines;
}

function payloadText(payload: Uint8Array): string {
  const shown = bytesText(payload.subarray(0, PAYLOAD_SHOWN_BYTES));
  return payload.length > PAYLOAD_SHOWN_BYTES ? `${shown} ... (${payload.length} bytes)` : shown;
}
