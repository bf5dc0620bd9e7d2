/**
 * The I/O port space: 65536 byte-wide addresses, each claimed by at most one handler (Intel SDM volume 1, chapter 19,
 * "Input/Output"). Nobody drives the lines of an unclaimed port: reads see the pull-ups (all ones), writes are lost.
 */
import type { AccessSize, PortHandler, PortRegistrar } from './device.js';

/** An access that no handler answered. */
export interface UnclaimedPortAccess {
  readonly kind: 'port';
  readonly port: number;
  readonly size: AccessSize;
  readonly write: boolean;
  /** What was written. */
  readonly value?: number;
}

const PORT_COUNT = 0x10000;
const UNCLAIMED = 0;
/** A 4-byte access at the last port reaches three addresses beyond it, which nobody can claim. */
const OVERHANG = 3;

const ALL_ONES: Readonly<Record<AccessSize, number>> = { 1: 0xff, 2: 0xffff, 4: 0xffffffff };

export class PortBus implements PortRegistrar {
  onUnclaimed: ((access: UnclaimedPortAccess) => void) | undefined;

  /** For each port the index of its handler in `handlers`. */
  private readonly owner = new Uint16Array(PORT_COUNT + OVERHANG);
  private readonly handlers: (PortHandler | undefined)[] = [undefined];
  /** How many ports each handler has: at zero its index is free again. */
  private readonly portCounts: number[] = [0];

  claim(firstPort: number, count: number, handler: PortHandler): void {
    this.checkRange(firstPort, count);
    for (let port = firstPort; port < firstPort + count; port++) {
      if (this.owner[port] !== UNCLAIMED) throw new Error(`port bus: port 0x${port.toString(16)} is already claimed`);
    }
    const index = this.indexFor(handler);
    this.owner.fill(index, firstPort, firstPort + count);
    this.portCounts[index]! += count;
  }

  release(firstPort: number, count: number): void {
    this.checkRange(firstPort, count);
    for (let port = firstPort; port < firstPort + count; port++) {
      if (this.owner[port] === UNCLAIMED) throw new Error(`port bus: port 0x${port.toString(16)} is not claimed`);
    }
    for (let port = firstPort; port < firstPort + count; port++) {
      const index = this.owner[port]!;
      this.owner[port] = UNCLAIMED;
      this.portCounts[index]!--;
      if (this.portCounts[index] === 0) this.handlers[index] = undefined;
    }
  }

  /** Unsigned result of `size` bytes. */
  read(port: number, size: AccessSize): number {
    const index = this.soleOwner(port, size);
    if (index === UNCLAIMED) {
      this.onUnclaimed?.({ kind: 'port', port, size, write: false });
      return ALL_ONES[size];
    }
    const handler = this.handlers[index];
    if (handler !== undefined && (size === 1 || handler.byteWide !== true)) return handler.read(port, size);
    let value = 0;
    for (let offset = 0; offset < size; offset++) value |= (this.read(port + offset, 1) & 0xff) << (8 * offset);
    return value >>> 0;
  }

  write(port: number, size: AccessSize, value: number): void {
    const index = this.soleOwner(port, size);
    if (index === UNCLAIMED) {
      this.onUnclaimed?.({ kind: 'port', port, size, write: true, value });
      return;
    }
    const handler = this.handlers[index];
    if (handler !== undefined && (size === 1 || handler.byteWide !== true)) {
      handler.write(port, size, value);
      return;
    }
    for (let offset = 0; offset < size; offset++) this.write(port + offset, 1, (value >>> (8 * offset)) & 0xff);
  }

  /** The handler index that all bytes of the access share, or -1 when they differ. */
  private soleOwner(port: number, size: AccessSize): number {
    const index = this.owner[port]!;
    for (let offset = 1; offset < size; offset++) if (this.owner[port + offset] !== index) return -1;
    return index;
  }

  private indexFor(handler: PortHandler): number {
    const known = this.handlers.indexOf(handler);
    if (known !== -1) return known;
    const free = this.handlers.indexOf(undefined, 1);
    const index = free === -1 ? this.handlers.length : free;
    this.handlers[index] = handler;
    this.portCounts[index] = 0;
    return index;
  }

  private checkRange(firstPort: number, count: number): void {
    if (!Number.isInteger(firstPort) || !Number.isInteger(count) || firstPort < 0 || count < 1 || firstPort + count > PORT_COUNT) {
      throw new RangeError(`port bus: no such range: ${count} ports from ${firstPort}`);
    }
  }
}
