/**
 * A recording of a guest of the corpus: a trace with its images in it, and proof that the guest did what it should.
 */

import type { BlockImage, MachineConfig } from '../../engine/index.js';
import { record } from '../../replay/index.js';
import { type ByteSource, bytesSource, nodeCodec, packTrace, readTrace, traceIdentity } from '../../traces/index.js';
import type { CorpusGuest } from './guest.js';

/** Close together, so that a replay that goes wrong says so near the place. */
const digestIntervalTicks = 1 << 16;
/** No guest of the corpus runs as long. */
const maxTicks = 20_000_000;

export interface Recording {
  readonly bytes: Uint8Array;
  /** Digest of what was recorded: the same for every recording of the guest. */
  readonly identity: string;
  readonly ticks: number;
}

/** @throws Error when the guest says or ends other than it should. */
export async function recordGuest(guest: CorpusGuest): Promise<Recording> {
  const config = guest.config();
  const recorded = new Pieces();
  let serial = '';
  const { end, tick } = await record({
    config,
    to: recorded,
    inputs: guest.inputs,
    maxTicks,
    digestIntervalTicks,
    prepare(machine) {
      machine.onSerial = (port, byte) => {
        if (port === 0) serial += String.fromCharCode(byte);
      };
    },
  });
  requireSame(guest.name, 'said', serial, guest.serial);
  requireSame(guest.name, 'ended with', JSON.stringify(end), JSON.stringify(guest.end));
  const trace = readTrace(bytesSource(recorded.bytes()), nodeCodec);
  const packed = new Pieces();
  packTrace(trace, packed, nodeCodec, ({ role }) => imageOf(config, role));
  return { bytes: packed.bytes(), identity: traceIdentity(trace, nodeCodec), ticks: tick };
}

function requireSame(name: string, verb: string, found: string, expected: string): void {
  if (found !== expected) throw new Error(`${name} ${verb}\n${found}\nand should have\n${expected}`);
}

/** The images that a configuration of the corpus can have. */
function imageOf({ boot, disk, cdrom }: MachineConfig, role: string): ByteSource {
  const images: Record<string, Uint8Array | BlockImage | undefined> = {
    kernel: boot.kind === 'multiboot' ? boot.kernel : undefined,
    bios: boot.kind === 'bios' ? boot.rom : undefined,
    disk,
    cdrom,
  };
  const image = images[role];
  if (image === undefined) throw new Error(`the guest has no image "${role}"`);
  return image instanceof Uint8Array ? bytesSource(image) : image;
}

/** A trace in memory. */
class Pieces {
  private readonly pieces: Uint8Array[] = [];
  write(bytes: Uint8Array): void {
    this.pieces.push(bytes.slice());
  }
  bytes(): Uint8Array {
    return Uint8Array.from(Buffer.concat(this.pieces));
  }
}
