/**
 * One line on a terminal that says how far a run is, from its second second on.
 */
import pc from 'picocolors';
import type { Progress } from '../session.js';
import type { GuestOutput } from './guest-output.js';
import { millions, virtualTime } from './text.js';

const FIRST_AFTER_SECONDS = 1;
const INTERVAL_SECONDS = 0.2;
const ERASE_LINE = '\r\x1b[K';

export class ProgressLine {
  private shown = false;
  private nextSeconds = FIRST_AFTER_SECONDS;

  /** @param output what else writes to the terminal. */
  constructor(private readonly output?: GuestOutput) {
    if (output?.isTerminal === true) output.beforeWrite = () => this.hide();
  }

  update({ tick, ns, seconds }: Progress): void {
    if (!process.stderr.isTTY || seconds < this.nextSeconds) return;
    // The middle of a line of the guest's must not be overwritten.
    if (this.output?.isTerminal === true && !this.output.atLineStart) return;
    this.nextSeconds = seconds + INTERVAL_SECONDS;
    this.show(`${millions(tick)} ticks, ${Math.round(tick / seconds / 1e6)} MIPS, ${virtualTime(ns)} of virtual time`);
  }

  show(text: string): void {
    process.stderr.write(`${ERASE_LINE}${pc.dim(text)}`);
    this.shown = true;
  }

  hide(): void {
    if (this.shown) process.stderr.write(ERASE_LINE);
    this.shown = false;
  }
}
