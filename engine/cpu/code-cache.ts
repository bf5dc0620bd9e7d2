/**
 * Decoded blocks by frame. A block starts at one physical address under one mode and never leaves its page; a write
 * into decoded bytes makes every record of the frame stale.
 */
import { type Decoder, INSTRUCTION_LIMIT_BYTES } from '../isa/decoder.js';
import { ADDRESSING, BLOCK_LIMIT, HANDLER, RECORD } from '../isa/record.js';
import { FRAME, type PhysicalMemory } from '../mmu/physical-memory.js';
import type { Tlb } from '../mmu/tlb.js';
import { RECORD_ARENA, RECORD_ARENA_BYTES, RECORD_BYTES } from './layout.js';
import type { CpuState } from './state.js';

interface CodeFrame {
  /** Record of the block at (offset in page | mode << 12); with more to it when CS begins or ends within the page. */
  readonly blocks: Map<number | string, number>;
  /** First record and record count of each block. */
  readonly extents: number[];
  /** A bit for each byte that has been decoded. */
  readonly decoded: Uint8Array;
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
  private next = RECORD_ARENA;

  constructor(
    private readonly state: CpuState,
    private readonly physical: PhysicalMemory,
    private readonly tlb: Tlb,
    private readonly decoder: Decoder,
    /** Called when records became stale. */
    private readonly onStale: () => void,
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
    const record = known?.blocks.get(key);
    if (record !== undefined) return record;
    if (this.full) return 0;
    const codeFrame = this.codeFrame(frame);
    const first = this.decodeBlock(frame, codeFrame, offset, pageLimit, mode);
    codeFrame.blocks.set(key, first);
    return first;
  }

  /** No room for another block: `clear` must come first, while no generated code is running. */
  get full(): boolean {
    return this.next + (BLOCK_LIMIT + 3) * RECORD_BYTES > RECORD_ARENA + RECORD_ARENA_BYTES;
  }

  private codeFrame(frame: number): CodeFrame {
    const known = this.codeFrames.get(frame);
    if (known !== undefined) return known;
    const created: CodeFrame = { blocks: new Map(), extents: [], decoded: new Uint8Array(512) };
    this.codeFrames.set(frame, created);
    this.physical.frameFlags[frame] = (this.physical.frameFlags[frame] as number) | FRAME.code;
    this.tlb.protectFrame(frame);
    return created;
  }

  private decodeBlock(frame: number, codeFrame: CodeFrame, offset: number, pageLimit: number, mode: number): number {
    const { decoder, state } = this;
    const page = this.physical.hostAddress(frame);
    const first = this.next;
    let at = offset;
    let count = 0;
    for (;;) {
      const record = this.next;
      const result = at < pageLimit ? decoder.decode(state.u8, page + at, page + pageLimit, mode) : 'needMoreBytes';
      if (result !== 'ok') {
        if (count > 0 && (at >= 4096 || count === BLOCK_LIMIT)) this.writePseudo(record, HANDLER.nextBlock, at);
        else {
          // Faults of the fetch and of the decoder, and instructions that leave the page, are found by stepping.
          this.writePseudo(record, HANDLER.crossing, at);
          count++;
          if (at < 4096) {
            markBytes(codeFrame.decoded, at, Math.min(4096, at + INSTRUCTION_LIMIT_BYTES));
            // Room for the instruction and for what follows it.
            if (pageLimit === 4096 && result === 'needMoreBytes') {
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
      count++;
      const ends = endsBlock(decoder);
      // A string instruction ends its block without going anywhere.
      if (ends && decoder.form.handler !== HANDLER.outlined) break;
      if (ends || count === BLOCK_LIMIT) {
        this.writePseudo(this.next, HANDLER.nextBlock, at);
        this.next += RECORD_BYTES;
        break;
      }
    }
    for (let i = 0; i < count; i++) state.u8[first + i * RECORD_BYTES + RECORD.remaining] = count - i;
    if (this.crossings.has(first + (count - 1) * RECORD_BYTES)) state.u8[first + count * RECORD_BYTES + RECORD.remaining] = 1;
    codeFrame.extents.push(first, (this.next - first) / RECORD_BYTES);
    return first;
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
    if (tail !== undefined && tail.every((byte, i) => u8[next + i] === byte)) return true;
    const first = 4096 - (crossing.host & 0xfff);
    const bytes = new Uint8Array(INSTRUCTION_LIMIT_BYTES);
    bytes.set(u8.subarray(crossing.host, crossing.host + first));
    bytes.set(u8.subarray(next, next + INSTRUCTION_LIMIT_BYTES - first), first);
    const { decoder } = this;
    if (decoder.decode(bytes, 0, bytes.length, crossing.mode) !== 'ok') return false;
    crossing.tail = bytes.slice(first, decoder.length);
    const offset = crossing.host & 0xfff;
    writeRecord(this.state, record + RECORD_BYTES, decoder, offset);
    this.writePseudo(record + 2 * RECORD_BYTES, HANDLER.nextBlock, offset + decoder.length);
    return true;
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
    let hit = false;
    for (let at = offset; at < offset + bytes && !hit; at++) hit = ((codeFrame.decoded[at >>> 3] as number) & (1 << (at & 7))) !== 0;
    if (hit) this.dropFrame(frame, codeFrame);
  }

  private dropFrame(frame: number, codeFrame: CodeFrame): void {
    const { extents } = codeFrame;
    for (let i = 0; i < extents.length; i += 2) {
      let record = extents[i] as number;
      for (let left = extents[i + 1] as number; left > 0; left--) {
        this.state.u16[(record + RECORD.handler) >>> 1] = HANDLER.stale;
        record += RECORD_BYTES;
      }
    }
    this.codeFrames.delete(frame);
    this.physical.frameFlags[frame] = (this.physical.frameFlags[frame] as number) & ~FRAME.code;
    this.onStale();
  }

  /** Forgets everything. Only while no generated code is running. */
  clear(): void {
    for (const frame of this.codeFrames.keys()) this.physical.frameFlags[frame] = (this.physical.frameFlags[frame] as number) & ~FRAME.code;
    this.codeFrames.clear();
    this.crossings.clear();
    this.next = RECORD_ARENA;
    this.onStale();
  }
}

function markBytes(bits: Uint8Array, from: number, to: number): void {
  for (let at = from; at < to && at < 4096; at++) bits[at >>> 3] = (bits[at >>> 3] as number) | (1 << (at & 7));
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
  u8[record + RECORD.addressing] = form.handler === HANDLER.host ? (decoder.addressing & ~ADDRESSING.segment) | decoder.segment : decoder.addressing;
  state.i32[(record + RECORD.displacement) >>> 2] = decoder.displacement;
  const relative = form.operands[0]?.kind === 'J';
  state.i32[(record + RECORD.immediate) >>> 2] = relative ? decoder.immediate + offset + decoder.length : decoder.immediate;
  state.i32[(record + RECORD.link) >>> 2] = relative && form.handler >= HANDLER.firstHot ? 0 : form.target;
}
