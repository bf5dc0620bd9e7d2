/**
 * What a trace is made of, as its users see it: header, inputs, interrupts, digests, end. The engine's own types have
 * the same shape; the houses meet in structure, not in imports.
 */

/** Plain data: what a configuration or a snapshot may hold. -0 counts as 0; NaN is not allowed. */
export type PlainValue =
  | number
  | bigint
  | boolean
  | string
  | null
  | Uint8Array
  | readonly PlainValue[]
  | { readonly [key: string]: PlainValue };
export type PlainData = { readonly [key: string]: PlainValue };

/** A moment of a run: ticks completed, and virtual nanoseconds. */
export interface Point {
  readonly tick: number;
  readonly ns: number;
}

/** One event of the input log. */
export interface InputEvent extends Point {
  readonly device: string;
  readonly payload: Uint8Array;
}

export interface AcceptedInterrupt {
  readonly tick: number;
  /** 0..255 */
  readonly vector: number;
}

/** An image that the run started from. */
export interface ImageReference {
  /** What it was used as: kernel, initrd, disk... */
  readonly role: string;
  /** 64 lower-case hex digits. */
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Where it was when the trace was recorded. A hint: see image-files.ts for how it may be used. */
  readonly path: string;
}

export interface TraceHeader {
  readonly engineVersion: string;
  readonly nsPerTick: number;
  readonly seed: number;
  /** The machine's configuration without its images. */
  readonly machine: PlainData;
  readonly images: readonly ImageReference[];
}

export interface TraceEnd extends Point {
  readonly reason: string;
  readonly status: number;
  /** 64-bit digest of the machine's state. */
  readonly digest: bigint;
}

/** What happened in a stretch of a run, in columns. Index i of both arrays of a pair belongs together. */
export interface Events {
  readonly interrupts: { readonly ticks: ArrayLike<number>; readonly vectors: ArrayLike<number> };
  readonly inputs: readonly InputEvent[];
  readonly digests: { readonly ticks: ArrayLike<number>; readonly values: ArrayLike<bigint> };
}
