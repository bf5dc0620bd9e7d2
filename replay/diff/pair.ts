/**
 * Two machines side by side, and the last point at which they were found to be the same: both can be put back there. What
 * memory held then is kept once, page by page.
 */
import { PAGE_BYTES } from '../timeline/page-store.js';
import type { Side, SidePoint } from './side.js';
import { differingBytes, differingFields, type FieldDifference, sameBytes, sameState } from './state-fields.js';

const ZEROS = new Uint8Array(PAGE_BYTES);

export interface Checkpoint {
  readonly tick: number;
  readonly left: SidePoint;
  readonly right: SidePoint;
}

export class Pair {
  left: Side;
  right: Side;
  /** The last point at which they were the same. */
  checkpoint: Checkpoint;
  /** Contents of frames at the checkpoint, those that are not zero. */
  private readonly kept = new Map<number, Uint8Array>();
  /** Frames that may have been written since. */
  private readonly written = new Set<number>();
  /** The ticks of all checkpoints so far: new machines go the same way. */
  private readonly committedTicks: number[] = [];
  /** What `agrees` found last. */
  private points: readonly [SidePoint, SidePoint];

  /**
   * The first two make each side anew, at tick 0.
   * @param goesBackBy putting the machines back; or new ones that go all the way, because what a faulty machine does may hang on
   *   what it has besides its state. The first becomes the second where it does not bring back the state.
   */
  constructor(
    private readonly openLeft: () => Side,
    private readonly openRight: () => Side,
    private goesBackBy: 'rewinding' | 'reopening' = 'rewinding',
  ) {
    this.left = openLeft();
    this.right = openRight();
    this.points = [this.left.point(), this.right.point()];
    this.checkpoint = { tick: this.left.tick, left: this.points[0], right: this.points[1] };
  }

  /** Putting the machines back has always brought back their state. */
  get rewinds(): boolean {
    return this.goesBackBy === 'rewinding';
  }
  get tick(): number {
    return this.left.tick;
  }
  /** Neither of them goes further. */
  get ended(): boolean {
    return this.left.ended !== undefined && this.right.ended !== undefined;
  }

  advance(tick: number): void {
    this.left.happened.length = 0;
    this.right.happened.length = 0;
    this.left.advanceTo(tick);
    this.right.advanceTo(tick);
  }

  /** Whether the two are the same, everything looked at. */
  agrees(): boolean {
    const { left, right } = this;
    this.points = [left.point(), right.point()];
    this.collectWritten();
    if (!this.sameCourse() || !sameState(this.points[0].state, this.points[1].state)) return false;
    if (left.machine.frameCount !== right.machine.frameCount) return false;
    for (const frame of this.written) if (!sameBytes(left.machine.frameBytes(frame), right.machine.frameBytes(frame))) return false;
    return true;
  }

  /** Whether their processors are the same: a quick look. */
  processorsAgree(): boolean {
    return this.sameCourse() && sameState(this.left.machine.registers.save(), this.right.machine.registers.save());
  }

  private sameCourse(): boolean {
    const { left, right } = this;
    return left.tick === right.tick && left.machine.nowNs === right.machine.nowNs && left.ended === right.ended;
  }

  /** `agrees` has just said that they do, and the devices are as they were at the checkpoint. */
  get devicesUnchanged(): boolean {
    return sameState(this.checkpoint.left.state.devices, this.points[0].state.devices);
  }

  /** `agrees` has just said that they do: this is the checkpoint now. */
  commit(): void {
    const { machine } = this.left;
    const [left, right] = this.points;
    this.checkpoint = { tick: machine.tick, left, right };
    for (const frame of this.written) this.keep(frame, machine.frameBytes(frame));
    this.written.clear();
    this.committedTicks.push(machine.tick);
  }

  private keep(frame: number, bytes: Uint8Array): void {
    const known = this.kept.get(frame);
    if (known !== undefined) known.set(bytes);
    else if (!sameBytes(bytes, ZEROS)) this.kept.set(frame, bytes.slice());
  }

  private collectWritten(): void {
    for (const side of [this.left, this.right]) for (const frame of side.takeWritten()) this.written.add(frame);
  }

  /** Brings both back to the checkpoint. */
  rewind(): void {
    if (this.rewinds) {
      this.collectWritten();
      const { left, right } = this.checkpoint;
      this.left.putBack(left, this.contents());
      this.right.putBack(right, this.contents());
      this.written.clear();
      if (sameState(this.left.point().state, left.state) && sameState(this.right.point().state, right.state)) return;
      this.goesBackBy = 'reopening';
    }
    this.reopen();
  }

  /** New machines, with the same stops and looks on their way. */
  reopen(): void {
    this.left = this.openLeft();
    this.right = this.openRight();
    for (const tick of this.committedTicks) {
      this.advance(tick);
      this.points = [this.left.point(), this.right.point()];
      this.collectWritten();
    }
    this.written.clear();
  }

  private *contents(): Iterable<readonly [number, Uint8Array]> {
    for (const frame of this.written) yield [frame, this.kept.get(frame) ?? ZEROS];
  }

  /** The fields in which they differ now, with what these were at the checkpoint. */
  differences(): FieldDifference[] {
    const { left, right, checkpoint } = this;
    this.collectWritten();
    const found = differingFields(checkpoint.left.state, left.point().state, right.point().state);
    const course = (field: string, value: (side: Side) => string): void => {
      const [one, other] = [value(left), value(right)];
      if (one !== other) found.unshift({ field, before: '', left: one, right: other });
    };
    course('end', (side) => side.ended ?? 'goes on');
    course('virtual time', (side) => `${side.machine.nowNs} ns`);
    for (const frame of [...this.written].sort((a, b) => a - b)) {
      const [one, other] = [left.machine.frameBytes(frame), right.machine.frameBytes(frame)];
      if (!sameBytes(one, other)) found.push(...differingBytes(frame * PAGE_BYTES, this.kept.get(frame) ?? ZEROS, one, other));
    }
    return found;
  }
}
