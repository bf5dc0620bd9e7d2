/**
 * The virtual clock: ticks (retired instructions), virtual nanoseconds, alarms.
 *
 * Virtual time = ticks x nsPerTick + time skipped in HLT (law 2). Numbers are exact integers below 2^53.
 * The clock is the only source of time in the engine. Alarms fire between instructions, in order of their due
 * time, then of their creation, so that the order never depends on the host.
 */
export interface Alarm {
  readonly name: string;
  /** Virtual nanoseconds at which the alarm fires, or Infinity when it is not armed. */
  readonly dueNs: number;
  /** Arms (or re-arms) the alarm. A time in the past fires before the next instruction. */
  armAt(dueNs: number): void;
  disarm(): void;
}

/** Where the CPU keeps the exact count while it runs: the CPU is the owner of the tick. */
export interface TickSource {
  /** Ticks completed so far, exact at any moment a device can observe. */
  readonly tick: number;
  /** Called when the earliest due time may have changed while the CPU runs: it must come back to look. */
  deadlineChanged(): void;
}

class ClockAlarm implements Alarm {
  dueNs = Number.POSITIVE_INFINITY;
  constructor(
    readonly name: string,
    readonly fire: (dueNs: number) => void,
    private readonly clock: Clock,
  ) {}
  armAt(dueNs: number): void {
    this.dueNs = dueNs;
    this.clock.alarmChanged();
  }
  disarm(): void {
    this.dueNs = Number.POSITIVE_INFINITY;
    this.clock.alarmChanged();
  }
}

export class Clock {
  /** Nanoseconds added by jumps over HLT. Part of the guest's state. */
  skippedNs = 0;
  private readonly alarms: ClockAlarm[] = [];
  private source: TickSource = { tick: 0, deadlineChanged() {} };
  private earliestNs = Number.POSITIVE_INFINITY;

  constructor(readonly nsPerTick: number) {}

  /** The CPU attaches itself here once it is built. */
  attach(source: TickSource): void {
    this.source = source;
  }

  get tick(): number {
    return this.source.tick;
  }

  get nowNs(): number {
    return this.source.tick * this.nsPerTick + this.skippedNs;
  }

  /** Due time of the next alarm, Infinity when none is armed. */
  get nextDueNs(): number {
    return this.earliestNs;
  }

  /** The first tick at or after which virtual time reaches `ns`, if no time is skipped until then. */
  tickAt(ns: number): number {
    return Math.ceil((ns - this.skippedNs) / this.nsPerTick);
  }

  /** @param fire is called with the time the alarm was due (not later), between two instructions. */
  createAlarm(name: string, fire: (dueNs: number) => void): Alarm {
    const alarm = new ClockAlarm(name, fire, this);
    this.alarms.push(alarm);
    return alarm;
  }

  alarmChanged(): void {
    let earliest = Number.POSITIVE_INFINITY;
    for (const alarm of this.alarms) if (alarm.dueNs < earliest) earliest = alarm.dueNs;
    if (earliest !== this.earliestNs) {
      this.earliestNs = earliest;
      this.source.deadlineChanged();
    }
  }

  /** Fires everything that is due by now. */
  fireDue(): void {
    while (this.earliestNs <= this.nowNs) {
      const due = this.earliestNs;
      const alarm = this.alarms.find((candidate) => candidate.dueNs === due);
      if (alarm === undefined) throw new Error('clock: an alarm is due but none has that time');
      alarm.disarm();
      alarm.fire(due);
    }
  }

  /** HLT: virtual time jumps to `ns` without a tick. */
  skipTo(ns: number): void {
    const now = this.nowNs;
    if (ns > now) this.skippedNs += ns - now;
  }
}
