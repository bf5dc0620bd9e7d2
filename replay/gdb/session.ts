/**
 * What a debugging session knows: the recorded run, where in it one is, a diversion if there is one, gdb's breakpoints. It
 * outlives the connection of gdb.
 */
import type { Machine } from '../../engine/index.js';
import { TraceError } from '../../traces/index.js';
import type { TravelOptions } from '../timeline/history.js';
import { DivergenceError } from '../timeline/playback.js';
import type { Queries } from '../timeline/queries/queries.js';
import type { Stop, StopCondition } from '../timeline/stops.js';
import type { Timeline } from '../timeline/timeline.js';
import { Turn } from '../timeline/turn.js';
import { Diversion } from './diversion.js';
import { hexOf, PacketError } from './hex.js';
import { runMonitorCommand } from './monitor.js';
import { linearPc, Points } from './points.js';
import { CpuView, REGISTERS, type RegisterRow, readRegister } from './registers.js';
import { type Motion, type Target, TimelineTarget } from './target.js';

/** Names of the guest's addresses. */
export interface SymbolNames {
  /** As `name+0x12`. */
  textAt(address: number): string | undefined;
  addressOf(name: string): number | undefined;
}

/** What a session is given. */
export interface StubHost {
  readonly timeline: Timeline;
  readonly queries: Queries;
  /** gdb wants to end everything. */
  readonly onKill: () => void;
  /** Writes lead to a diversion; otherwise they are refused. */
  readonly writesDivert: boolean;
  /** Writes the trace, complete with its images. @returns what to tell about it */
  readonly saveTrace: (path: string) => string;
  readonly symbols: SymbolNames | undefined;
  /** gdb is set up to ask for the target description again when the guest changes between 16 and 32 bits. */
  readonly followsModes: boolean;
}

export interface Resumption {
  readonly motion: Motion;
  /** Steps on while PC is in this range, its end excluded. */
  readonly within?: { readonly start: number; readonly end: number };
}

interface Resuming {
  readonly signal: AbortSignal;
  readonly print: (text: string) => void;
}

const SIGINT = '02';
const SIGTRAP = '05';
/** What gdb wants to know at each stop. */
const EXPEDITED: readonly string[] = ['esp', 'ebp', 'eip'];

export class Session {
  readonly points: Points;
  /** Ticks one can come back to, by number less 1. */
  readonly marks: number[] = [];
  /** The width of code that gdb has been told of. */
  describedBits: 16 | 32 | undefined;
  diversion: Diversion | undefined;
  private readonly recorded: TimelineTarget;
  /** To be said as soon as gdb listens. */
  private notices = '';

  constructor(readonly host: StubHost) {
    this.recorded = new TimelineTarget(host.timeline);
    this.points = new Points((linear) => {
      const physical = this.machine.translate(linear);
      return physical !== undefined && this.machine.peekPhysical(physical, 1).length > 0 ? physical : undefined;
    });
  }

  get timeline(): Timeline {
    return this.host.timeline;
  }
  private get target(): Target {
    return this.diversion ?? this.recorded;
  }
  get machine(): Machine {
    return this.target.machine;
  }
  get linearPc(): number {
    return linearPc(this.machine);
  }

  /** The present place as a stop reply. */
  stopReply(stop: Stop = { kind: 'stepped' }): string {
    const cpu = new CpuView(this.machine);
    const registers = REGISTERS.flatMap((row, number) =>
      EXPEDITED.includes(row.name) ? [`${number.toString(16).padStart(2, '0')}:${hexOf(readRegister(row, cpu))};`] : [],
    );
    return `T${stop.kind === 'interrupted' ? SIGINT : SIGTRAP}${this.reasonOf(stop)}thread:1;${registers.join('')}`;
  }

  private reasonOf(stop: Stop): string {
    switch (stop.kind) {
      case 'begin':
      case 'end':
        return `replaylog:${stop.kind};`;
      case 'hit':
        return this.points.reasonOf(stop.hits);
      default:
        return '';
    }
  }

  /** @returns the stop reply */
  async resume({ motion, within }: Resumption, { signal, print }: Resuming): Promise<string> {
    this.printNotices(print);
    const startTick = this.timeline.tick;
    let stop: Stop;
    try {
      stop = within === undefined ? await this.move(motion, { signal }) : await this.stepWithin(within, signal);
    } catch (error) {
      if (!(error instanceof DivergenceError)) throw error;
      print(`replay86: ${error.message}\n`);
      await this.timeline.seek(startTick);
      stop = { kind: 'stepped' };
    }
    this.tellMode(print);
    return this.stopReply(stop);
  }

  private move(motion: Motion, options: TravelOptions): Promise<Stop> {
    const isStep = motion === 'step' || motion === 'reverseStep';
    return this.target.move(motion, isStep ? this.points.watchpoints() : this.points.conditions(), options);
  }

  /** A line of source, say. An interrupt on the way is run through: its handler is no part of the line. */
  private async stepWithin({ start, end }: { readonly start: number; readonly end: number }, signal: AbortSignal): Promise<Stop> {
    const turn = new Turn(signal);
    for (;;) {
      const interrupted = this.target.interruptsAt(this.machine.tick);
      const stop = interrupted ? await this.passInterrupt(signal) : await this.move('step', { signal });
      const pc = this.linearPc;
      if (stop.kind !== 'stepped' || pc < start || pc >= end || this.points.hasBreakpoint(pc)) return stop;
      if (await turn.pass()) return { kind: 'interrupted' };
    }
  }

  /** To where the handler returns to, unless something stops it before. */
  private async passInterrupt(signal: AbortSignal): Promise<Stop> {
    const { registers } = this.machine;
    const address = this.linearPc;
    const esp = registers.get('esp');
    const back: StopCondition = { kind: 'breakpoint', address, when: () => registers.get('esp') === esp };
    const entered = await this.move('step', { signal });
    if (entered.kind !== 'stepped') return entered;
    const stop = await this.target.move('continue', [...this.points.conditions(), back], { signal });
    return stop.kind === 'hit' && stop.hits.every(({ condition }) => condition === back) ? { kind: 'stepped' } : stop;
  }

  /** gdb disassembles as it did when it asked for the architecture. */
  private tellMode(print: (text: string) => void): void {
    const { codeBits } = this.machine.registers;
    if (this.describedBits === undefined || this.describedBits === codeBits || this.host.followsModes) return;
    this.describedBits = undefined;
    print(`replay86: the guest is in ${codeBits}-bit code now: "unset tdesc filename" makes gdb disassemble it as such\n`);
  }

  /**
   * Leaves a diversion, too. Interrupted, everything stays as gdb knows it.
   * @returns whether it was not
   * @throws DivergenceError and stays where it was
   */
  async goTo(tick: number, options: TravelOptions = {}): Promise<boolean> {
    const startTick = this.timeline.tick;
    try {
      await this.timeline.seek(tick, options);
    } catch (error) {
      if (options.signal?.aborted !== true) {
        await this.timeline.seek(startTick);
        throw error;
      }
    }
    // Even if it has just come there: whoever interrupts does not expect it to have moved.
    if (options.signal?.aborted === true) {
      await this.timeline.seek(startTick);
      return false;
    }
    this.leaveDiversion();
    return true;
  }

  // --- leaving the recording -----------------------------------------------------------------------------------------------

  /** @param path records the diversion there @throws TraceError when that cannot be written */
  async divert(path?: string): Promise<Diversion> {
    if (this.diversion !== undefined) return this.diversion;
    const { timeline } = this;
    const diversion = new Diversion(await timeline.fork(timeline.tick, {}, path));
    this.diversion = diversion;
    const recorded = path === undefined ? '' : `, recorded to ${path}`;
    this.notices += `replay86: this is a diversion from tick ${diversion.startTick} now${recorded}: without the recorded inputs, forwards only; monitor restart or goto returns to the recording\n`;
    return diversion;
  }

  /** Back to the recording. Where the diversion was to be recorded and cannot be, that is said when gdb listens. */
  leaveDiversion(): void {
    const { diversion } = this;
    this.diversion = undefined;
    try {
      diversion?.close();
    } catch (error) {
      if (!(error instanceof TraceError)) throw error;
      this.notices += `replay86: the diversion is not recorded: ${error.message}\n`;
    }
  }

  printNotices(print: (text: string) => void): void {
    if (this.notices !== '') print(this.notices);
    this.notices = '';
  }

  /** @throws PacketError */
  async writeRegister(row: RegisterRow, bytes: Uint8Array): Promise<void> {
    (await this.diversionForWrites(row.name)).writeRegister(row, Number(BigInt.asUintN(32, numberOfBytes(bytes))));
  }

  /** @throws PacketError */
  async writeMemory(address: number, bytes: Uint8Array): Promise<void> {
    (await this.diversionForWrites('memory')).writeMemory(address, bytes);
  }

  private async diversionForWrites(what: string): Promise<Diversion> {
    if (this.diversion === undefined && !this.host.writesDivert)
      throw new PacketError(`the recording cannot be changed: ${what} stays as it was (debug --fork or monitor fork allow changes)`);
    return this.divert();
  }

  async monitor(line: string, { signal, print }: Resuming): Promise<void> {
    await runMonitorCommand(this, line, { signal, print });
  }
}

function numberOfBytes(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}
