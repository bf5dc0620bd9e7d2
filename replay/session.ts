/**
 * A live run: input from a script and from a person, a bound, pacing, and a chance for the host to do something else
 * between slices. The same loop serves `run` and `record`.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { InputError } from '../engine/index.js';
import type { RunEnd } from './exit-status.js';
import type { InputScript } from './input-script.js';
import type { MachineLike } from './machine-like.js';
import { ScriptError } from './script-error.js';
import { ScriptPlayer } from './script-player.js';
import { Slicer } from './slicer.js';

/** Input that arrives while the guest runs, such as from a terminal. */
export interface LiveInput {
  /** What has come since the last call, in order. */
  take(): readonly { readonly device: string; readonly payload: Uint8Array }[];
  /** Resolves as soon as `take` has something or the session is to end. */
  wait(): Promise<void>;
}

export interface Progress {
  readonly tick: number;
  readonly ns: number;
  /** Host time since the start. */
  readonly seconds: number;
}

export interface SessionOptions {
  readonly machine: MachineLike;
  /** Where input and `run` go: the machine itself, or what records it. */
  readonly through: Pick<MachineLike, 'run' | 'input'>;
  readonly script?: InputScript | undefined;
  readonly live?: LiveInput | undefined;
  /** The run ends when this tick is reached. */
  readonly maxTicks?: number | undefined;
  /** Holds the guest back when virtual time is ahead of the host's. Never changes what the guest does. */
  readonly realtime?: boolean | undefined;
  /** Ends the run as interrupted. */
  readonly signal?: AbortSignal | undefined;
  /** Called between slices, several times a second. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Host time of a slice. Default 50 ms. */
  readonly sliceMs?: number | undefined;
}

const NS_PER_MS = 1_000_000;
const SLEEP_MS_MAX = 100;

export async function runSession(options: SessionOptions): Promise<RunEnd> {
  const { machine, live, signal, realtime = false, maxTicks = Number.POSITIVE_INFINITY } = options;
  const player = new ScriptPlayer(options.script ?? [], () => machine.requestStop());
  const stopListening = listen(machine, player);
  try {
    return await runLoop({ ...options, realtime, maxTicks }, player, live, signal);
  } finally {
    stopListening();
  }
}

async function runLoop(
  options: SessionOptions & { realtime: boolean; maxTicks: number },
  player: ScriptPlayer,
  live: LiveInput | undefined,
  signal: AbortSignal | undefined,
): Promise<RunEnd> {
  const { machine, through, realtime, maxTicks } = options;
  const slicer = new Slicer(options.sliceMs ?? 50, realtime);
  const startMs = performance.now();
  const startNs = machine.nowNs;
  const interruption = new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }));
  /** Nothing but an input can wake the guest. */
  let idle = false;

  for (;;) {
    if (signal?.aborted === true) return { kind: 'interrupted' };
    const delivered = deliver(options, player, idle);
    if (delivered) idle = false;
    if (machine.tick >= maxTicks) return { kind: 'limit' };
    if (idle) {
      if (live === undefined) return { kind: 'idle' };
      await Promise.race([live.wait(), interruption]);
      continue;
    }

    const sliceStartMs = performance.now();
    const aheadMs = realtime ? (machine.nowNs - startNs) / NS_PER_MS - (sliceStartMs - startMs) : 0;
    if (aheadMs >= 1 && !delivered) {
      await Promise.race([sleep(Math.min(aheadMs, SLEEP_MS_MAX)), live?.wait() ?? interruption]);
      continue;
    }

    const sliceStartTick = machine.tick;
    const sliceStartNs = machine.nowNs;
    const reason = through.run({ tick: Math.min(machine.tick + slicer.ticks, maxTicks, player.nextTick) });
    const nowMs = performance.now();
    // When the guest is paced, virtual time counts too: an idle one covers much of it in few ticks.
    const virtualMs = realtime ? (machine.nowNs - sliceStartNs) / NS_PER_MS : 0;
    slicer.took(machine.tick - sliceStartTick, Math.max(nowMs - sliceStartMs, virtualMs));
    options.onProgress?.({ tick: machine.tick, ns: machine.nowNs, seconds: (nowMs - startMs) / 1000 });

    if (reason.kind === 'idle') idle = true;
    else if (reason.kind !== 'limit' && reason.kind !== 'stopped') return reason;

    await nextTurn();
  }
}

/** Lets the player hear what the guest says, besides whoever listens already. */
function listen(machine: MachineLike, player: ScriptPlayer): () => void {
  const listener = machine.onSerial;
  if (player.done) return () => {};
  machine.onSerial = (port, byte) => {
    listener?.(port, byte);
    if (port === 0) player.sent(byte);
  };
  return () => {
    machine.onSerial = listener;
  };
}

/** Gives the guest what is due now. @returns whether there was anything. */
function deliver({ machine, through, live }: SessionOptions, player: ScriptPlayer, idle: boolean): boolean {
  let delivered = false;
  for (;;) {
    const entry = player.takeDue(machine.tick, idle && !delivered);
    if (entry === undefined) break;
    for (const { device, payload } of entry.inputs) {
      try {
        through.input(device, payload);
      } catch (error) {
        if (error instanceof InputError) throw new ScriptError(entry.place, error.message);
        throw error;
      }
    }
    delivered = true;
  }
  for (const { device, payload } of live?.take() ?? []) {
    through.input(device, payload);
    delivered = true;
  }
  return delivered;
}
