/**
 * Decoded blocks by frame. A block starts at one physical address under one mode and never leaves its page; a write
 * into its bytes makes its records stale. A stale block is decoded again in place where it fits, so that branches that
 * are linked to it find it again.
 */
import { type Decoder, INSTRUCTION_LIMIT_BYTES } from '../isa/decoder.js';
import { ADDRESSING, BLOCK_LIMIT, HANDLER, RECORD } from '../isa/record.js';
import { FRAME, type PhysicalMemory } from '../mmu/physical-memory.js';
import type { Tlb } from '../mmu/tlb.js';
import { HALF_RANGE, HALF_RANGE_OFFSET, RECORD_ARENA, RECORD_ARENA_BYTES, RECORD_BYTES } from './layout.js';
import type { CpuState } from './state.js';

interface Block {
  readonly first: number;
  /** Records that belong to it. */
  records: number;
  /** Its bytes in the page. */
  readonly from: number;
  to: number;
  valid: boolean;
}

interface CodeFrame {
  /** By (offset in page | mode << 12); with more to it when CS begins or ends within the page. */
  readonly blocks: Map<number | string, Block>;
  /** A bit for each byte of a valid block. */
  readonly decoded: Uint8Array;
  valid: number;
}

interface Crossing {
  /** Host address of the first byte. */
  readonly host: number;
  readonly mode: number;
  /** The bytes in the next page that the decoded record was made from. */
  tail: Uint8Array | undefined;
}

export class CodeCache {
  private readonly codeFrames = new Map<number, CodeFrame>();
  /** Instructions that leave their page, by crossing record. */
  private readonly crossings = new Map<number, Crossing>();
  /** Instructions that are to be stepped, because somebody wants to know when they are about to be executed: offsets by frame. */
  private readonly stepped = new Map<number, Set<number>>();
  private next = RECORD_ARENA;
  private limit = RECORD_ARENA + RECORD_ARENA_BYTES;
  /** End of the bytes that the last decoded block covers. */
  private decodedTo = 0;

  constructor(
    private readonly state: CpuState,
    private readonly physical: PhysicalMemory,
    private readonly tlb: Tlb,
    private readonly decoder: Decoder,
    /** Called when records became stale. */
    private readonly onStale: () => void,
    /** Instructions that are stepped wherever they stand. */
    private readonly steps: (mnemonic: string) => boolean,
  ) {}

  /**
   * The block at an offset in a frame, decoded if need be; 0 when there is no room (see `full`).
   * @param pageStart first byte of the page that lies within CS
   * @param pageLimit end of what lies within CS
   */
  block(frame: number, offset: number, pageStart: number, pageLimit: number, mode: number): number {
    const known = this.codeFrames.get(frame);
    const plain = offset + mode * 4096;
    const key = pageStart === 0 && pageLimit === 4096 ? plain : `${plain} ${pageStart} ${pageLimit}`;
    const block = known?.blocks.get(key);
    if (block?.valid === true) return block.first;
    if (this.full) return 0;
    const codeFrame = this.codeFrame(frame);
    const decoded = this.decodeBlock(frame, codeFrame, offset, pageLimit, mode, block);
    codeFrame.blocks.set(key, decoded);
    return decoded.first;
  }

  /** No room for another block: `clear` must come first, while no generated code is running. */
  get full(): boolean {
    return this.next + (BLOCK_LIMIT + 3) * RECORD_BYTES > RECORD_ARENA + RECORD_ARENA_BYTES;
  }

  /** The frame's blocks; from now on writes to it are noticed. */
  private codeFrame(frame: number): CodeFrame {
    let codeFrame = this.codeFrames.get(frame);
    if (codeFrame === undefined) {
      codeFrame = { blocks: new Map(), decoded: new Uint8Array(512), valid: 0 };
      this.codeFrames.set(frame, codeFrame);
    }
    const flags = this.physical.frameFlags[frame] as number;
    if (!(flags & FRAME.code)) {
      this.physical.frameFlags[frame] = flags | FRAME.code;
      this.tlb.protectFrame(frame);
    }
    return codeFrame;
  }

  private decodeBlock(
    frame: number,
    codeFrame: CodeFrame,
    offset: number,
    pageLimit: number,
    mode: number,
    stale: Block | undefined,
  ): Block {
    const end = this.next;
    if (stale !== undefined) {
      // In place, while nothing executes it: whoever made it stale has left it.
      this.next = stale.first;
      this.limit = stale.first + stale.records * RECORD_BYTES;
      const records = this.decodeRecords(frame, codeFrame, offset, pageLimit, mode);
      this.next = end;
      this.limit = RECORD_ARENA + RECORD_ARENA_BYTES;
      if (records > 0) {
        stale.to = this.decodedTo;
        stale.valid = true;
        codeFrame.valid++;
        return stale;
      }
      for (let i = 0; i < stale.records; i++) this.makeStale(stale.first + i * RECORD_BYTES);
    }
    const records = this.decodeRecords(frame, codeFrame, offset, pageLimit, mode);
    codeFrame.valid++;
    return { first: end, records, from: offset, to: this.decodedTo, valid: true };
  }

  private makeStale(record: number): void {
    this.state.u16[(record + RECORD.handler) >>> 1] = HANDLER.stale;
    this.crossings.delete(record);
  }

  /** Decodes a block to `next`. @returns its number of records, 0 when it would go beyond `limit` */
  private decodeRecords(frame: number, codeFrame: CodeFrame, offset: number, pageLimit: number, mode: number): number {
    const { decoder, state } = this;
    const page = this.physical.hostAddress(frame);
    const steppedOffsets = this.stepped.get(frame);
    const first = this.next;
    let at = offset;
    let count = 0;
    this.decodedTo = offset;
    for (;;) {
      const record = this.next;
      const room = (this.limit - record) / RECORD_BYTES;
      if (room < 1) return 0;
      const isStepped = steppedOffsets?.has(at) === true;
      const decoded =
        at >= pageLimit ? 'needMoreBytes' : isStepped ? 'stepped' : decoder.decode(state.u8, page + at, page + pageLimit, mode);
      const result = decoded === 'ok' && this.steps(decoder.form.definition.mnemonic) ? 'stepped' : decoded;
      if (result !== 'ok') {
        if (count > 0 && (at >= 4096 || count === BLOCK_LIMIT)) this.writePseudo(record, HANDLER.nextBlock, at);
        else {
          // Faults of the fetch and of the decoder, and instructions that leave the page, are found by stepping.
          this.writePseudo(record, HANDLER.crossing, at);
          count++;
          if (at < 4096) {
            this.decodedTo = Math.min(4096, at + INSTRUCTION_LIMIT_BYTES);
            markBytes(codeFrame.decoded, at, this.decodedTo);
            // Room for the instruction and for what follows it.
            if (pageLimit === 4096 && result === 'needMoreBytes') {
              if (room < 3) return 0;
              this.crossings.set(record, { host: page + at, mode, tail: undefined });
              this.writePseudo(record + RECORD_BYTES, HANDLER.stale, at);
              this.next += 2 * RECORD_BYTES;
            }
          }
        }
        this.next += RECORD_BYTES;
        break;
      }
      writeRecord(state, record, decoder, at);
      this.next += RECORD_BYTES;
      markBytes(codeFrame.decoded, at, at + decoder.length);
      at += decoder.length;
      this.decodedTo = at;
      count++;
      const ends = endsBlock(decoder);
      // A string instruction ends its block without going anywhere.
      if (ends && decoder.form.handler !== HANDLER.outlined) break;
      if (ends || count === BLOCK_LIMIT) {
        if (room < 2) return 0;
        this.writePseudo(this.next, HANDLER.nextBlock, at);
        this.next += RECORD_BYTES;
        break;
      }
    }
    for (let i = 0; i < count; i++) state.u8[first + i * RECORD_BYTES + RECORD.remaining] = count - i;
    if (this.crossings.has(first + (count - 1) * RECORD_BYTES)) state.u8[first + count * RECORD_BYTES + RECORD.remaining] = 1;
    return (this.next - first) / RECORD_BYTES;
  }

  /** The instruction at a crossing record does leave its page. */
  isCrossing(record: number): boolean {
    return this.crossings.has(record);
  }

  /**
   * Makes sure that the record behind a crossing record holds the instruction as it stands in memory now.
   * @param next host address of the first byte of the next page, translated for this fetch
   */
  prepareCrossing(record: number, next: number): boolean {
    const crossing = this.crossings.get(record);
    if (crossing === undefined) return false;
    const { u8 } = this.state;
    const { tail } = crossing;
    if (tail?.every((byte, i) => u8[next + i] === byte) === true) return true;
    const first = 4096 - (crossing.host & 0xfff);
    const bytes = new Uint8Array(INSTRUCTION_LIMIT_BYTES);
    bytes.set(u8.subarray(crossing.host, crossing.host + first));
    bytes.set(u8.subarray(next, next + INSTRUCTION_LIMIT_BYTES - first), first);
    const { decoder } = this;
    if (decoder.decode(bytes, 0, bytes.length, crossing.mode) !== 'ok' || this.steps(decoder.form.definition.mnemonic)) return false;
    crossing.tail = bytes.slice(first, decoder.length);
    const offset = crossing.host & 0xfff;
    writeRecord(this.state, record + RECORD_BYTES, decoder, offset);
    this.writePseudo(record + 2 * RECORD_BYTES, HANDLER.nextBlock, offset + decoder.length);
    return true;
  }

  /** From now on the instruction at this offset is stepped. */
  stepAt(frame: number, offset: number): void {
    const offsets = this.stepped.get(frame) ?? new Set();
    if (offsets.has(offset)) return;
    this.stepped.set(frame, offsets.add(offset));
    const codeFrame = this.codeFrames.get(frame);
    if (codeFrame !== undefined) this.dropBlocks(codeFrame, 0, 4096);
  }

  private writePseudo(record: number, handler: number, offset: number): void {
    const { state } = this;
    state.u16[(record + RECORD.handler) >>> 1] = handler;
    state.u8[record + RECORD.remaining] = 0;
    state.u8[record + RECORD.length] = 0;
    state.u16[(record + RECORD.offset) >>> 1] = offset;
  }

  /** Bytes of a code frame have changed. */
  codeWritten(frame: number, offset: number, bytes: number): void {
    const codeFrame = this.codeFrames.get(frame);
    if (codeFrame === undefined) return;
    if (codeFrame.valid === 0) {
      // Written again since it was last code: it is data now.
      this.physical.frameFlags[frame] = (this.physical.frameFlags[frame] as number) & ~FRAME.code;
      return;
    }
    if (anyMarked(codeFrame.decoded, offset, offset + bytes)) this.dropBlocks(codeFrame, offset, offset + bytes);
  }

  private dropBlocks(codeFrame: CodeFrame, from: number, to: number): void {
    codeFrame.decoded.fill(0);
    for (const block of codeFrame.blocks.values()) {
      if (!block.valid) continue;
      if (block.from >= to || block.to <= from) {
        markBytes(codeFrame.decoded, block.from, block.to);
        continue;
      }
      block.valid = false;
      codeFrame.valid--;
      for (let i = 0; i < block.records; i++) this.makeStale(block.first + i * RECORD_BYTES);
    }
    this.onStale();
  }

  /** Forgets everything. Only while no generated code is running. */
  clear(): void {
    for (const frame of this.codeFrames.keys()) this.physical.frameFlags[frame] = (this.physical.frameFlags[frame] as number) & ~FRAME.code;
    this.codeFrames.clear();
    this.crossings.clear();
    this.stepped.clear();
    this.next = RECORD_ARENA;
    this.onStale();
  }
}

function markBytes(bits: Uint8Array, from: number, to: number): void {
  for (let at = from; at < to && at < 4096; at++) bits[at >>> 3] = (bits[at >>> 3] as number) | (1 << (at & 7));
}

/** By whole bytes of the map: what is written may be a page. */
function anyMarked(bits: Uint8Array, from: number, to: number): boolean {
  const [first, last] = [from >>> 3, Math.min(to - 1, 4095) >>> 3];
  for (let at = first; at <= last; at++) {
    let byte = bits[at] as number;
    if (byte === 0) continue;
    if (at === first) byte &= 0xff << (from & 7);
    if (at === to >>> 3) byte &= (1 << (to & 7)) - 1;
    if (byte !== 0) return true;
  }
  return false;
}

/** Host instructions may change anything that decoding depends on. */
function endsBlock(decoder: Decoder): boolean {
  return decoder.form.definition.options.terminal === true || decoder.form.handler === HANDLER.host;
}

/** Writes a decoded instruction as a record of one that is alone in its block. */
export function writeRecord(state: CpuState, record: number, decoder: Decoder, offset: number): void {
  const { form } = decoder;
  const { u8 } = state;
  state.u16[(record + RECORD.handler) >>> 1] = form.handler;
  u8[record + RECORD.remaining] = 1;
  u8[record + RECORD.length] = decoder.length;
  state.u16[(record + RECORD.offset) >>> 1] = offset;
  u8[record + RECORD.reg] = decoder.reg;
  u8[record + RECORD.rm] = decoder.rm;
  u8[record + RECORD.base] = decoder.base;
  u8[record + RECORD.index] = decoder.index;
  u8[record + RECORD.scale] = decoder.scale;
  // Host instructions want to know the segment even when it is flat.
  u8[record + RECORD.addressing] =
    form.handler === HANDLER.host ? (decoder.addressing & ~ADDRESSING.segment) | decoder.segment : decoder.addressing;
  let { displacement } = decoder;
  if (decoder.ripRelative) {
    displacement += offset + decoder.length;
    if (displacement >= HALF_RANGE) {
      displacement -= HALF_RANGE;
      u8[record + RECORD.index] = HALF_RANGE_OFFSET;
    }
  }
  state.i32[(record + RECORD.displacement) >>> 2] = displacement;
  const relative = form.operands[0]?.kind === 'J';
  state.i32[(record + RECORD.immediate) >>> 2] = relative ? decoder.immediate + offset + decoder.length : decoder.immediate;
  state.i32[(record + RECORD.link) >>> 2] = relative && form.handler >= HANDLER.firstHot ? 0 : form.target;
}
