/**
 * The processor alone, with RAM: for whoever wants to put it into a state, let it run a few instructions and look. Ports that
 * nobody claims read as ones, memory beyond the RAM as well; there are no devices, and no interrupts but those offered.
 */
import { Core } from './cpu/core.js';
import type { GuestException } from './cpu/exceptions.js';
import * as layout from './cpu/layout.js';
import { PhysicalMemory } from './mmu/physical-memory.js';
import { interpreterFor } from './translate/engine-module.js';
import { longInterpreterFor } from './translate/long-module.js';

export interface ProcessorConfig {
  /** A multiple of 4096. */
  readonly memoryBytes: number;
  /** `step`: one instruction at a time, without cached blocks. */
  readonly tier: 'auto' | 'step';
  /** Can be put into 64-bit mode: EFER.LMA with CS.L. */
  readonly long?: boolean;
}

/** An external interrupt that is accepted at the first boundary at or after this tick at which it can be. */
export interface Offer {
  readonly tick: number;
  readonly vector: number;
}

export type ProcessorEnd = 'exception' | 'halted' | 'shutdown' | 'limit';

/** Virtual time, and the time-stamp counter with it. */
const PROCESSOR_NS_PER_TICK = 1;

const NO_OFFERS: readonly Offer[] = [];

export class Processor {
  readonly core: Core;
  readonly physical: PhysicalMemory;
  readonly ram: Uint8Array;
  /** By which the generated code must come back: the limit, or the next offer that is not pending yet. */
  private deadlineTick = 0;

  constructor({ memoryBytes, tier, long = false }: ProcessorConfig) {
    const pages = layout.memoryPages(memoryBytes);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.physical = new PhysicalMemory(memory, memoryBytes, 0);
    this.ram = new Uint8Array(memory.buffer, layout.FRAMES, memoryBytes);
    const { map, instantiate } = interpreterFor(memory, pages);
    const nowNs = (): number => this.core.tick * PROCESSOR_NS_PER_TICK;
    const board = {
      readPort: (_port: number, bytes: 1 | 2 | 4): number => (bytes === 1 ? 0xff : bytes === 2 ? 0xffff : 0xffff_ffff),
      writePort: () => {},
      get nowNs() {
        return nowNs();
      },
      nsPerTick: PROCESSOR_NS_PER_TICK,
      skippedNs: 0,
      deadline: () => this.deadlineTick,
    };
    const longCode = long ? longInterpreterFor(memory, pages) : undefined;
    this.core = new Core(memory, this.physical, board, map, (imports) => instantiate(imports).run, longCode);
    this.core.stepOnly = tier === 'step';
  }

  /** Exceptions end a run, in the state that they would be delivered from. */
  set interceptsExceptions(intercepts: boolean) {
    this.core.interceptsExceptions = intercepts;
  }

  /** The exception that has ended the last run. */
  get exception(): GuestException | undefined {
    return this.core.intercepted;
  }

  /** Runs until the tick limit, or until something ends it earlier. @param offers by rising tick */
  run(limitTick: number, offers: readonly Offer[] = NO_OFFERS): ProcessorEnd {
    const { core } = this;
    let nextOffer = 0;
    core.stopRequested = false;
    core.intercepted = undefined;
    core.setInterruptPending(false);
    for (;;) {
      const { tick } = core;
      const offer = offers[nextOffer];
      this.deadlineTick = limitTick;
      if (offer !== undefined && offer.tick > tick) this.deadlineTick = Math.min(limitTick, offer.tick);
      else if (offer !== undefined) {
        core.setInterruptPending(true);
        if (core.acceptsInterrupts && tick < limitTick) {
          nextOffer++;
          core.setInterruptPending(false);
          if (core.interrupt(offer.vector) === 'tripleFault') return 'shutdown';
          continue;
        }
      }
      if (core.halted) return 'halted';
      if (tick >= limitTick) return 'limit';
      if (core.execute() === 'tripleFault') return 'shutdown';
      if (core.intercepted !== undefined) return 'exception';
    }
  }
}
