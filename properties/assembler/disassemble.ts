/**
 * Bytes to text: iced's decoder and Intel-syntax formatter, for listings and for people who look at a trace.
 */
import { type Bits, iced } from './iced.js';

export interface ListingLine {
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly text: string;
}

export interface DisassembleOptions {
  readonly bits: Bits;
  /** Address of the first byte. */
  readonly address: number;
  /** At most this many instructions. Default: to the end of the bytes. */
  readonly count?: number;
}

/** Undecodable bytes and an instruction cut short at the end give a line `(bad)` of their own. */
export function disassemble(bytes: Uint8Array, options: DisassembleOptions): ListingLine[] {
  const lines: ListingLine[] = [];
  disassembleInto(lines, bytes, options.bits, options.address, options.count);
  return lines;
}

export function disassembleInto(
  lines: ListingLine[],
  bytes: Uint8Array,
  bits: Bits,
  address: number,
  count = Number.POSITIVE_INFINITY,
): void {
  const { Decoder, DecoderOptions, Formatter, FormatterSyntax, Instruction } = iced();
  const decoder = new Decoder(bits, bytes, DecoderOptions.None);
  const formatter = new Formatter(FormatterSyntax.Intel);
  const instruction = new Instruction();
  try {
    decoder.ip = BigInt(address);
    formatter.hexPrefix = '0x';
    formatter.hexSuffix = '';
    formatter.spaceAfterOperandSeparator = true;
    for (let decoded = 0; decoded < count && decoder.canDecode; decoded++) {
      const start = decoder.position;
      decoder.decodeOut(instruction);
      const text = instruction.isInvalid ? '(bad)' : formatter.format(instruction);
      lines.push({ address: address + start, bytes: bytes.slice(start, decoder.position), text });
    }
  } finally {
    instruction.free();
    formatter.free();
    decoder.free();
  }
}
