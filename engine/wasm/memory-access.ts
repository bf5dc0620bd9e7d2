/** Loads and stores (core specification, section 5.4.6). Alignment hints are always 0: x86 accesses are unaligned. */
import { type Code, unsignedLeb } from './bytes.js';
import { F64, I32, I64, V128 } from './values.js';

function access(address: I32, opcode: number, offset: number): Code {
  return [address.code, opcode, 0, ...unsignedLeb(offset)];
}

export const load8U = (address: I32, offset = 0): I32 => new I32(access(address, 0x2d, offset));
export const load16U = (address: I32, offset = 0): I32 => new I32(access(address, 0x2f, offset));
export const load32 = (address: I32, offset = 0): I32 => new I32(access(address, 0x28, offset));
export const load64 = (address: I32, offset = 0): I64 => new I64(access(address, 0x29, offset));
export const load32UTo64 = (address: I32, offset = 0): I64 => new I64(access(address, 0x35, offset));
export const loadF64 = (address: I32, offset = 0): F64 => new F64(access(address, 0x2b, offset));
export const load128 = (address: I32, offset = 0): V128 => new V128([address.code, 0xfd, 0x00, 0, ...unsignedLeb(offset)]);

/** The code of a store statement: pass it to `FunctionBuilder.emit`. */
function store(address: I32, value: { code: Code }, opcode: number, offset: number): Code {
  return [address.code, value.code, opcode, 0, ...unsignedLeb(offset)];
}
export const store8 = (address: I32, value: I32 | number, offset = 0): Code => store(address, I32.of(value), 0x3a, offset);
export const store16 = (address: I32, value: I32 | number, offset = 0): Code => store(address, I32.of(value), 0x3b, offset);
export const store32 = (address: I32, value: I32 | number, offset = 0): Code => store(address, I32.of(value), 0x36, offset);
export const store64 = (address: I32, value: I64 | bigint, offset = 0): Code => store(address, I64.of(value), 0x37, offset);
export const storeF64 = (address: I32, value: F64, offset = 0): Code => store(address, value, 0x39, offset);
export const store128 = (address: I32, value: V128, offset = 0): Code => [address.code, value.code, 0xfd, 0x0b, 0, ...unsignedLeb(offset)];
