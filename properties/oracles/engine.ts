/** The engine as an oracle: its processor alone, with the fast tier or with the step tier. */
import { HAS_ERROR_CODE } from '../../engine/cpu/exceptions.js';
import { Processor, type ProcessorEnd } from '../../engine/processor.js';
import { ARENA_BYTES, BACKGROUND_BYTE, fillUserMemory, type Window, windowsBytes } from '../state/arena.js';
import { CPU_STATE_BYTES } from '../state/cpu-state.js';
import { EngineMemory } from './engine-memory.js';
import { EngineState } from './engine-state.js';
import { type CaseBatch, END, type Oracle, type Outcomes } from './oracle.js';

const WORD = 4;
const END_OF: Readonly<Record<ProcessorEnd, number>> = {
  exception: END.exception,
  halted: END.halted,
  shutdown: END.shutdown,
  limit: END.limit,
};

/** What one arena needs: the memory of one processor has room for one set of windows. */
interface Bench {
  readonly windows: readonly Window[];
  readonly processor: Processor;
  readonly state: EngineState;
  readonly memory: EngineMemory;
}

const sameWindows = (one: readonly Window[], other: readonly Window[]): boolean =>
  one === other ||
  (one.length === other.length && one.every(({ address, bytes }, i) => other[i]?.address === address && other[i]?.bytes === bytes));

class EngineOracle implements Oracle {
  readonly countsTicks = true;
  /** By arena, those for 64-bit code apart: the others need not wait for its module. */
  private readonly benches = new Map<string, Bench>();

  constructor(
    readonly name: string,
    private readonly tier: 'auto' | 'step',
  ) {}

  refuses({ windows }: CaseBatch): string | undefined {
    if (windows.some(({ address, bytes }) => address % WORD !== 0 || bytes % WORD !== 0)) return 'windows are not made of 32-bit words';
    return undefined;
  }

  private benchFor({ windows, arena, bits }: CaseBatch): Bench {
    const long = bits === 64;
    const key = `${arena} ${long}`;
    const known = this.benches.get(key);
    if (known !== undefined && sameWindows(known.windows, windows)) return known;
    const processor = new Processor({ memoryBytes: ARENA_BYTES, tier: this.tier, long });
    processor.interceptsExceptions = arena === 'user';
    const background = new Uint8Array(ARENA_BYTES);
    if (arena === 'user') fillUserMemory(background);
    else background.fill(BACKGROUND_BYTE);
    const state = new EngineState(processor.core);
    const memory = new EngineMemory(processor, windows, new Uint32Array(background.buffer), CPU_STATE_BYTES);
    const bench = { windows, processor, state, memory };
    this.benches.set(key, bench);
    return bench;
  }

  run(batch: CaseBatch, outcomes: Outcomes): void {
    const { processor, state, memory } = this.benchFor(batch);
    const { count, tickLimit, interrupts } = batch;
    const { ends, vectors, errorCodes, ticks, strayWrites } = outcomes;
    const system = batch.arena === 'system';
    const recordWords = (CPU_STATE_BYTES + windowsBytes(batch.windows)) / WORD;
    const records = new Uint32Array(batch.records.buffer, batch.records.byteOffset, count * recordWords);
    const results = new Uint32Array(outcomes.records.buffer, outcomes.records.byteOffset, count * recordWords);
    results.set(records);
    strayWrites.length = 0;
    for (let index = 0; index < count; index++) {
      const at = index * recordWords;
      memory.load(records, at);
      state.load(records, at, system);
      const end = processor.run(tickLimit, interrupts);
      const { exception } = processor;
      state.store(results, at, system);
      memory.store(results, at);
      memory.restore((address, value) => strayWrites.push(index, address, value));
      ends[index] = END_OF[end];
      vectors[index] = exception?.vector ?? 0;
      errorCodes[index] = exception !== undefined && HAS_ERROR_CODE.has(exception.vector) ? exception.errorCode : 0;
      ticks[index] = processor.core.tick;
    }
  }

  close(): void {
    this.benches.clear();
  }
}

/** @param tier `auto` runs cached blocks, `step` each instruction afresh */
export const engineOracle = (tier: 'auto' | 'step'): Oracle => new EngineOracle(tier === 'auto' ? 'engine' : 'engine-step', tier);
