/**
 * Instruction fetch: bytes through the CS limit and paging (SDM volume 3, 5.3 and 4.6.1), and decoded instructions kept by
 * their bytes. The same code is run again and again with other states.
 */
import { CS } from '../state/cpu-state.js';
import { ModelException, VECTOR } from './cpu.js';
import { type ByteSource, type CodeBits, type DecodedInstruction, Decoder } from './decode.js';
import type { Opcode } from './opcode.js';
import { OpcodeTable } from './opcode-table.js';
import { ACCESS } from './paging.js';
import type { Processor } from './processor.js';
import { isCanonical, LINEAR_LIMIT } from './segmentation.js';

const PAGE_BYTES = 4096;
const CACHE_ENTRIES = 4096;

/** An instruction, the bytes it was decoded from, and the width of code it was decoded for. */
interface Kept {
  readonly instruction: DecodedInstruction;
  readonly bytes: Uint8Array;
  readonly physical: number;
}

/** One table of rows is used by all processors that have the same rows. */
const TABLES = new WeakMap<readonly Opcode[], OpcodeTable>();

function tableOf(opcodes: readonly Opcode[]): OpcodeTable {
  let table = TABLES.get(opcodes);
  if (table === undefined) {
    table = new OpcodeTable(opcodes);
    TABLES.set(opcodes, table);
  }
  return table;
}

export class InstructionFetch implements ByteSource {
  readonly #processor: Processor;
  readonly #decoder: Decoder;
  readonly #cache: (Kept | undefined)[] = new Array<Kept | undefined>(CACHE_ENTRIES).fill(undefined);
  readonly #bytes: number[] = [];
  /** Offset of the next byte to be fetched. */
  #offset = 0n;
  #codeBits: CodeBits = 32;
  #access = 0;
  /** Physical address of the next byte, and how many follow in its page. */
  #physical = 0;
  #inPage = 0;

  constructor(processor: Processor, opcodes: readonly Opcode[]) {
    this.#processor = processor;
    this.#decoder = new Decoder(tableOf(opcodes));
  }

  /** The instruction at the instruction pointer. */
  next(codeBits: CodeBits): DecodedInstruction {
    const { state } = this.#processor;
    this.#offset = state.rip;
    this.#codeBits = codeBits;
    this.#access = ACCESS.fetch | (this.#processor.cpl === 3 ? ACCESS.user : 0);
    this.#inPage = 0;
    this.#enterPage();
    const physical = this.#physical;
    const slot = physical % CACHE_ENTRIES;
    const kept = this.#cache[slot];
    if (kept !== undefined && kept.physical === physical && kept.instruction.codeBits === codeBits && this.#isStill(kept)) {
      return kept.instruction;
    }
    this.#bytes.length = 0;
    const instruction = this.#decoder.decode(this, codeBits);
    // Within one page only: those that cross fetch their bytes each time.
    if (physical % PAGE_BYTES <= PAGE_BYTES - instruction.length) {
      this.#cache[slot] = { instruction, bytes: Uint8Array.from(this.#bytes), physical };
    }
    return instruction;
  }

  undefine(policyId: string): void {
    this.#processor.undefine(policyId);
  }

  nextByte(): number {
    if (this.#inPage === 0) this.#enterPage();
    else this.#checkLimit();
    const byte = this.#processor.memory.readByte(this.#physical);
    this.#bytes.push(byte);
    this.#physical++;
    this.#inPage--;
    this.#offset++;
    return byte;
  }

  #checkLimit(): void {
    const { state } = this.#processor;
    if (this.#codeBits === 64 ? !isCanonical(this.#offset) : this.#offset > BigInt(state.segmentLimit(CS))) {
      throw new ModelException(VECTOR.gp, 0);
    }
  }

  #enterPage(): void {
    this.#checkLimit();
    const { state, paging } = this.#processor;
    let linear: bigint;
    if (this.#codeBits === 64) {
      linear = this.#offset;
      if (linear >= BigInt(LINEAR_LIMIT)) paging.fault(linear, this.#access, 0);
    } else linear = BigInt.asUintN(32, state.segmentBase(CS) + this.#offset);
    const address = Number(linear);
    this.#physical = paging.translate(address, this.#access);
    this.#inPage = PAGE_BYTES - (address % PAGE_BYTES);
  }

  /** The bytes are what they were, and all of them within the limit. */
  #isStill({ bytes, physical }: Kept): boolean {
    const memory = this.#processor.memory;
    for (let i = 0; i < bytes.length; i++) if (memory.readByte(physical + i) !== bytes[i]) return false;
    const { state } = this.#processor;
    return this.#codeBits === 64 || state.rip + BigInt(bytes.length - 1) <= BigInt(state.segmentLimit(CS));
  }
}
