/**
 * Linear addresses at which somebody outside wants to know that the instruction there is about to be executed: the
 * breakpoints of a debugger, not those of the guest (debug.ts). They are no part of the machine's state, and change nothing
 * in what the guest does.
 *
 * A breakpoint is met when the next thing that the processor does is to execute the instruction, after interrupts have
 * had their turn; of a REP only its first iteration counts.
 */
export class Breakpoints {
  /** Called when a breakpoint is met, before the instruction. @returns whether the machine is to stop there */
  onMet: (linear: number) => boolean = () => true;
  private readonly byPage = new Map<number, Set<number>>();
  private mnemonics: ReadonlySet<string> = new Set();
  /** The tick at which the machine was stopped in front of a breakpoint: from there it goes on. */
  private passedTick = -1;
  /** A REP iteration that is not the last ended at this tick. */
  private repeatTick = -1;

  get any(): boolean {
    return this.byPage.size > 0 || this.mnemonics.size > 0;
  }

  /** Offsets in a linear page. */
  inPage(page: number): ReadonlySet<number> | undefined {
    return this.byPage.get(page);
  }

  /** Wherever they stand, instructions of this name are to be stepped. */
  steps(mnemonic: string): boolean {
    return this.mnemonics.has(mnemonic);
  }

  /** @param mnemonics instructions that are breakpoints wherever they stand */
  replace(addresses: Iterable<number>, mnemonics: Iterable<string>): void {
    this.mnemonics = new Set(mnemonics);
    this.byPage.clear();
    for (const address of addresses) {
      const page = (address & ~0xfff) >>> 0;
      const offsets = this.byPage.get(page) ?? new Set();
      this.byPage.set(page, offsets.add(address & 0xfff));
    }
  }

  /**
   * @param mnemonicOf looks the instruction up
   * @returns whether the machine is to stop in front of the instruction
   */
  meets(linear: number, tick: number, mnemonicOf: () => string | undefined): boolean {
    const isThere = this.byPage.get((linear & ~0xfff) >>> 0)?.has(linear & 0xfff) === true;
    if (!isThere && !(this.mnemonics.size > 0 && this.mnemonics.has(mnemonicOf() ?? ''))) return false;
    if (tick === this.passedTick || tick === this.repeatTick) return false;
    if (!this.onMet(linear)) return false;
    this.passedTick = tick;
    return true;
  }

  /** A REP iteration that is not the last ended at this tick. */
  isMidRepeat(tick: number): boolean {
    return tick === this.repeatTick;
  }

  repeated(tick: number): void {
    this.repeatTick = tick;
  }

  /** The instruction at the present place is executed without asking. */
  pass(tick: number): void {
    this.passedTick = tick;
  }

  /** As if the machine had just come to this tick. */
  rearm(tick: number, midRepeat: boolean): void {
    this.passedTick = -1;
    this.repeatTick = midRepeat ? tick : -1;
  }

  /** Another state was put in place. */
  forget(): void {
    this.rearm(-1, false);
  }
}
