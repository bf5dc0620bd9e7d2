/**
 * `replay86 query`: one question about a whole run, answered as lines or as JSON.
 */
import { openTraceFile } from '../../traces/index.js';
import { bytesText } from '../bytes-text.js';
import { Symbols } from '../debugger/symbols.js';
import { STATUS } from '../exit-status.js';
import { CONSOLE_SOURCES } from '../timeline/console-log.js';
import { DivergenceError } from '../timeline/playback.js';
import { type ListOptions, Queries } from '../timeline/queries/queries.js';
import type { Call, Findings, MemoryAccess, Place } from '../timeline/queries/results.js';
import { type Address, QueryError } from '../timeline/queries/target.js';
import type { Timeline } from '../timeline/timeline.js';
import { UsageError } from './failure.js';
import { closeKeptTimeline, openKeptTimeline } from './kept-timeline.js';
import { ProgressLine } from './progress-line.js';
import type { QuestionName } from './questions.js';
import { symbolsFrom } from './symbols-file.js';
import { grouped, millions } from './text.js';

export interface QueryCommandOptions {
  readonly physical?: boolean;
  readonly at?: number;
  readonly from?: number;
  readonly to?: number;
  readonly limit?: number;
  readonly last?: boolean;
  readonly symbols?: string;
  readonly images?: string;
  readonly workers?: number;
  readonly checkpointMemory: number;
  readonly json?: boolean;
}

/** What is said to a question: for `--json`, and as lines. */
interface Answer {
  readonly data: unknown;
  readonly lines: readonly string[];
}

const ADDRESS = /^(?:(?<name>[A-Za-z_.$][\w.$]*)(?:\+(?<offset>0x[\da-f]+|\d+))?|(?<number>0x[\da-f]+|\d+))$/i;

/** @returns the exit status */
export async function query(
  path: string,
  question: QuestionName,
  address: string | undefined,
  bytes: number | undefined,
  options: QueryCommandOptions,
): Promise<number> {
  const symbols = options.symbols === undefined ? new Symbols() : symbolsFrom(options.symbols);
  const target = address === undefined ? undefined : addressOf(address, symbols);
  const interrupted = new AbortController();
  const stop = (): void => interrupted.abort();
  const progress = new ProgressLine();
  const trace = openTraceFile(path);
  let timeline: Timeline | undefined;
  let queries: Queries | undefined;
  process.on('SIGINT', stop);
  try {
    const { images: imagesDirectory, workers } = options;
    timeline = openKeptTimeline(path, trace, options);
    queries = new Queries(timeline, { path, imagesDirectory, workers });
    await timeline.seek(options.at ?? timeline.endTick, {
      signal: interrupted.signal,
      onProgress: (tick, end) => showProgress(progress, 'going through the run', tick, end),
    });
    const answer = await new Asker(queries, timeline, symbols, options, {
      signal: interrupted.signal,
      onProgress: (done, total) => showProgress(progress, 'looking', done, total),
    }).ask(question, target, bytes);
    progress.hide();
    const text = options.json === true ? JSON.stringify(answer.data, jsonValue, 2) : answer.lines.join('\n');
    process.stdout.write(text === '' || text.endsWith('\n') ? text : `${text}\n`);
    return STATUS.ok;
  } catch (error) {
    progress.hide();
    if (interrupted.signal.aborted) return STATUS.interrupted;
    if (error instanceof QueryError) throw new UsageError(error.message);
    if (!(error instanceof DivergenceError)) throw error;
    process.stderr.write(`replay86: ${error.message}\n`);
    return STATUS.divergence;
  } finally {
    process.off('SIGINT', stop);
    await queries?.close();
    if (timeline !== undefined) closeKeptTimeline(timeline);
    trace.close();
  }
}

class Asker {
  private readonly list: ListOptions;

  constructor(
    private readonly queries: Queries,
    private readonly timeline: Timeline,
    private readonly symbols: Symbols,
    private readonly options: QueryCommandOptions,
    travel: Pick<ListOptions, 'signal' | 'onProgress'>,
  ) {
    this.list = {
      ...travel,
      fromTick: options.from,
      toTick: options.to,
      limit: options.limit,
      end: options.last === true ? 'last' : 'first',
    };
  }

  async ask(question: QuestionName, target: number | undefined, bytes = 1): Promise<Answer> {
    const { queries, list } = this;
    const needed = (): number => {
      if (target === undefined) throw new UsageError(`${question} needs an address`);
      return target;
    };
    const memory = (): Address => (this.options.physical === true ? { physical: needed() } : needed());
    const one = (access: MemoryAccess | undefined): Answer => ({
      data: access ?? null,
      lines: access === undefined ? ['never'] : [this.access(access)],
    });
    switch (question) {
      case 'last-write':
        return one(await queries.lastWrite(memory(), bytes, list));
      case 'first-write':
        return one(await queries.firstWrite(memory(), bytes, list));
      case 'writes':
      case 'reads':
      case 'accesses': {
        const access = question === 'writes' ? 'write' : question === 'reads' ? 'read' : 'access';
        return this.findings(await queries.accesses(memory(), bytes, access, list), (item) => this.access(item));
      }
      case 'executions':
        return this.findings(await queries.executions(needed(), list), (item) => this.place(item));
      case 'calls':
        return this.findings(await queries.calls(needed(), list), (item) => this.call(item));
      case 'interrupts':
        return this.findings(queries.interrupts(list), ({ tick, vector }) => `tick ${grouped(tick)}  vector ${hex(vector, 2)}`);
      case 'inputs':
        return this.findings(
          queries.inputs(list),
          ({ tick, device, payload }) => `tick ${grouped(tick)}  ${device}  ${bytesText(payload)}`,
        );
      case 'console':
        return this.console();
    }
  }

  private findings<T>(findings: Findings<T>, line: (item: T) => string): Answer {
    const lines = findings.items.map(line);
    if (lines.length === 0) lines.push('never');
    if (findings.more) lines.push(`and more: --limit, --from and --to say which`);
    return { data: findings, lines };
  }

  private async console(): Promise<Answer> {
    const { tick } = this.timeline;
    const texts = await Promise.all(CONSOLE_SOURCES.map(async (source) => [source, await this.queries.console(source, tick)] as const));
    return { data: Object.fromEntries(texts), lines: [texts.map(([, text]) => text).join('')] };
  }

  private place({ tick, ip, cs, eip, cr3 }: Place): string {
    const name = this.symbols.textAt(ip);
    return `tick ${grouped(tick)}  ${hex(cs, 4)}:${hex(eip)}${name === undefined ? '' : ` ${name}`}  cr3 ${hex(cr3)}`;
  }

  private access(access: MemoryAccess): string {
    const { by, vector, physical, bytes, valueBefore, valueAfter } = access;
    const who = by === 'delivery' && vector !== undefined ? `delivery of ${hex(vector, 2)}` : (BY[by] ?? by);
    const values = access.access === 'read' ? bytesText(valueAfter) : `${bytesText(valueBefore)} -> ${bytesText(valueAfter)}`;
    return `${this.place(access)}  ${access.access} by ${who}, ${bytes} at ${hex(physical)}: ${values}`;
  }

  private call(call: Call): string {
    const { returnAddress, returnTick, returnValue } = call;
    const caller = this.symbols.textAt(returnAddress) ?? hex(returnAddress);
    const end = returnTick === undefined ? 'does not return' : `returns ${hex(returnValue ?? 0)} at tick ${grouped(returnTick)}`;
    return `${this.place(call)}  for ${caller}, ${end}`;
  }
}

const BY: Readonly<Record<string, string>> = { pageWalk: 'page walk' };

const hex = (value: number, digits = 8): string => value.toString(16).padStart(digits, '0');
const jsonValue = (_key: string, value: unknown): unknown => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value);

function showProgress(line: ProgressLine, what: string, done: number, total: number): void {
  if (process.stderr.isTTY) line.show(`${what}: ${millions(done)} of ${millions(total)} ticks`);
}

/** @throws UsageError */
function addressOf(text: string, symbols: Symbols): number {
  const { name, offset = '0', number } = ADDRESS.exec(text)?.groups ?? {};
  if (number !== undefined) return Number(number);
  const base = name === undefined ? undefined : symbols.addressOf(name);
  if (base === undefined) throw new UsageError(`${text} is no address${name === undefined ? '' : ' and no symbol that is known'}`);
  return base + Number(offset);
}
