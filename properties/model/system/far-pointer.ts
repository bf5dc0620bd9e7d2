/** m16:16, m16:32 and m16:64: the offset in the operand size, then the selector (SDM volume 1, 4.3). */
import type { Cpu } from '../cpu.js';

export function farPointer(cpu: Cpu, segment: number, at: bigint): { readonly selector: number; readonly offset: bigint } {
  const bytes = cpu.operandSize / 8;
  if (bytes === 8) cpu.undefine('far.pointer64');
  const offset = cpu.load(segment, at, bytes);
  // The pointer is one operand: in 16-bit addressing its second part may lie beyond FFFFh, and then beyond the limit.
  const behind = at + BigInt(bytes);
  const selector = cpu.load(segment, cpu.addressSize === 16 ? behind : BigInt.asUintN(cpu.addressSize, behind), 2);
  return { selector: Number(selector), offset };
}
