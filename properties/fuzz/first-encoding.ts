/** Which encoding of the list a batch begins with: for code that was not made from one. */
import { allEncodings } from '../arbitraries/encodings.js';
import { iced } from '../assembler/iced.js';
import { codeAt } from '../compare/destination.js';
import type { CaseBatch } from '../oracles/oracle.js';
import { BACKGROUND_BYTE, windowsBytes } from '../state/arena.js';
import { CPU_STATE_BYTES } from '../state/cpu-state.js';

let nameByCode: Map<string, string> | undefined;

/** @returns no name for what does not decode, and the bytes up to the filler */
export function firstEncoding(batch: CaseBatch): { readonly name: string | undefined; readonly codeBytes: number } {
  nameByCode ??= new Map(allEncodings().map(({ code, name }) => [code, name]));
  const { Code, Decoder, DecoderOptions } = iced();
  const code = codeAt(batch, batch.records.subarray(0, CPU_STATE_BYTES + windowsBytes(batch.windows)));
  const decoder = new Decoder(batch.bits, code, DecoderOptions.None);
  const instruction = decoder.decode();
  const name = instruction.isInvalid ? undefined : nameByCode.get(Code[instruction.code] as string);
  let codeBytes = code.length;
  while (codeBytes > instruction.length && code[codeBytes - 1] === BACKGROUND_BYTE) codeBytes--;
  instruction.free();
  decoder.free();
  return { name, codeBytes };
}
