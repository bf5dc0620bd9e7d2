/**
 * From EIP to the block that stands there: translation of the fetch, the code cache, the jump cache, links between
 * blocks. All of it happens between two instructions; whoever calls sees to that.
 */
import { type Decoder, INSTRUCTION_LIMIT_BYTES } from '../isa/decoder.js';
import { RECORD } from '../isa/record.js';
import type { Mmu } from '../mmu/linear-memory.js';
import type { Breakpoints } from './breakpoints.js';
import { CodeCache } from './code-cache.js';
import { CodeSegments } from './code-segments.js';
import { GuestException } from './exceptions.js';
import { ExecutedPages } from './executed-pages.js';
import { JumpCache } from './jump-cache.js';
import * as layout from './layout.js';
import { MODE_SEGMENT_SHIFT, MODE_SEGMENT_UNCACHED, MODE_USER } from './mode.js';
import type { CpuState } from './state.js';

export class BlockFinder {
  readonly code: CodeCache;
  readonly segments = new CodeSegments();
  readonly executed: ExecutedPages;
  private readonly state: CpuState;
  private readonly jumps: JumpCache;
  /** How often blocks have become stale. */
  private staleCount = 0;

  /** @param onStale called when records became stale */
  constructor(
    private readonly mmu: Mmu,
    decoder: Decoder,
    private readonly breakpoints: Breakpoints,
    onStale: () => void,
  ) {
    this.state = mmu.state;
    this.jumps = new JumpCache(this.state);
    this.executed = new ExecutedPages(this.state.memory);
    this.code = new CodeCache(
      this.state,
      mmu.physical,
      mmu.tlb,
      decoder,
      () => {
        this.staleCount++;
        onStale();
      },
      (mnemonic) => breakpoints.steps(mnemonic),
    );
  }

  /** Translations of a linear page (or all) do not hold any more. */
  translationsDropped(page: number | undefined): void {
    if (page === undefined) this.jumps.dropAll();
    else this.jumps.dropPage(page);
  }

  /** Record of the block at EIP, 0 when it must be stepped. Page faults of the fetch are found by stepping, too. */
  lookup(): number {
    const { state } = this;
    const eip = state.eip;
    const linear = (state.codeBase + eip) >>> 0;
    this.executed.mark(linear);
    const limit = state.codeLimit;
    if (eip > limit || state.get32(layout.EIP + 4) !== 0) return 0;
    const mode = state.get32(layout.MODE);
    if (mode >>> MODE_SEGMENT_SHIFT === MODE_SEGMENT_UNCACHED) return 0;
    let address: number;
    try {
      address = this.mmu.translate(linear, { write: false, user: (mode & MODE_USER) !== 0, fetch: true });
    } catch (error) {
      if (error instanceof GuestException) return 0;
      throw error;
    }
    const frame = this.mmu.physical.frameOf(address);
    if (frame < 0) return 0;
    const offset = linear & 0xfff;
    if (this.breakpoints.any) {
      for (const at of this.breakpoints.inPage((linear & ~0xfff) >>> 0) ?? []) this.code.stepAt(frame, at);
    }
    const pageLimit = Math.min(4096, offset + (limit - eip) + 1);
    const record = this.code.block(frame, offset, Math.max(0, offset - eip), pageLimit, mode);
    if (record === 0) return 0;
    state.set32(layout.CODE_PAGE_EIP, eip - offset);
    this.jumps.enter(linear, mode, record);
    return record;
  }

  resolve(eip: number): number {
    const { state } = this;
    state.eip = eip;
    // With the budget used up an event may come before the fetch: the fetch must not leave traces then.
    if ((state.i32[layout.TICKS_LEFT >>> 2] as number) <= 0 || this.code.full) return 0;
    return this.lookup();
  }

  resolveLinked(eip: number, branch: number): number {
    const { state } = this;
    state.eip = eip;
    const budget = (state.i32[layout.TICKS_LEFT >>> 2] as number) + (state.u8[branch + RECORD.remaining] as number) - 1;
    if (budget <= 0 || this.code.full) return 0;
    const page = state.get32(layout.CODE_PAGE_EIP);
    const { staleCount } = this;
    const remaining = state.u8[branch + RECORD.remaining] as number;
    const record = this.lookup();
    if (staleCount !== this.staleCount) {
      // An accessed bit was set within decoded code, and another block may be where the branch was: what the branch gives
      // back is read from there.
      state.set32(layout.TICKS_LEFT, state.get32(layout.TICKS_LEFT) + remaining - (state.u8[branch + RECORD.remaining] as number));
      return record;
    }
    if (record !== 0 && branch !== layout.STEP_RECORDS && state.get32(layout.CODE_PAGE_EIP) === page) {
      state.set32(branch + RECORD.link, record);
    }
    return record;
  }

  /** Forgets all blocks, and what leads to them. Only while no generated code is running. */
  forget(): void {
    this.code.clear();
    this.jumps.dropAll();
    this.segments.clear();
  }

  /** An instruction that leaves its page: fetches from the next page as stepping would. */
  crossing(record: number): number {
    const { state } = this;
    // What is undefined may lie well within its page: the next one is not looked at then.
    if (!this.code.isCrossing(record)) return 0;
    const eip = (state.get32(layout.CODE_PAGE_EIP) + (state.u16[(record + RECORD.offset) >>> 1] as number)) >>> 0;
    const limit = state.codeLimit;
    if (eip + INSTRUCTION_LIMIT_BYTES - 1 > limit) return 0;
    state.eip = eip;
    const next = (((state.codeBase + eip) & ~0xfff) + 0x1000) >>> 0;
    let address: number;
    try {
      address = this.mmu.translate(next, { write: false, user: state.cpl === 3, fetch: true });
    } catch (error) {
      if (error instanceof GuestException) return 0;
      throw error;
    }
    const frame = this.mmu.physical.frameOf(address);
    return frame >= 0 && this.code.prepareCrossing(record, this.mmu.physical.hostAddress(frame)) ? 1 : 0;
  }
}
