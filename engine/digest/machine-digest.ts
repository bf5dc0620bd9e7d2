/**
 * The digest of a machine's state: sum over all frames that are not zero of XXH64(contents, seed = frame number), so
 * that only frames written since the last time are hashed again, combined with the canonical CPU and device state.
 */
import { DIGEST_BUFFER, DIGEST_BUFFER_BYTES } from '../cpu/layout.js';
import type { StateValue } from '../devices/device.js';
import type { PhysicalMemory } from '../mmu/physical-memory.js';
import type { FrameTracker } from '../mmu/written-frames.js';
import { ByteSink, encodeState } from './state-encoding.js';

export interface DigestFunctions {
  xxh64(address: number, bytes: number, seed: bigint): bigint;
  isZero(address: number, bytes: number): number;
}

const PAGE = 4096;

export class MachineDigest {
  private readonly frameHashes: BigUint64Array;
  private memorySum = 0n;
  private readonly buffer: Uint8Array;

  constructor(
    private readonly functions: DigestFunctions,
    private readonly physical: PhysicalMemory,
    private readonly written: FrameTracker,
    memory: WebAssembly.Memory,
  ) {
    this.frameHashes = new BigUint64Array(physical.frames);
    this.buffer = new Uint8Array(memory.buffer, DIGEST_BUFFER, DIGEST_BUFFER_BYTES);
  }

  compute(state: StateValue): bigint {
    this.rehashMemory();
    let hash = this.memorySum;
    const sink = new ByteSink(this.buffer, (length) => {
      hash = BigInt.asUintN(64, this.functions.xxh64(DIGEST_BUFFER, length, hash));
    });
    encodeState(state, sink);
    sink.flush();
    return hash;
  }

  private rehashMemory(): void {
    let sum = this.memorySum;
    for (const frame of this.written.take()) {
      const at = this.physical.hostAddress(frame);
      const hash = this.functions.isZero(at, PAGE) ? 0n : BigInt.asUintN(64, this.functions.xxh64(at, PAGE, BigInt(frame)));
      sum += hash - (this.frameHashes[frame] as bigint);
      this.frameHashes[frame] = hash;
    }
    this.memorySum = BigInt.asUintN(64, sum);
  }
}
