/**
 * A row of the model's opcode table, in the notation of the instruction pages of the Intel SDM volume 2.
 *
 * `encoding`: as in the manual's Opcode column, without operand bytes: `80 /0`, `0F AF /r`, `66 0F 6F /r`, `F3 0F 10 /r`,
 * `0F C8+r`, `D8 C0+i`, `D9 E8`. A mandatory prefix leads; `NP` means that none of 66, F2, F3 may be there; rows without either
 * take 66 as operand size and F2/F3 as repeat (or ignore them). `/0`-`/7` and `/r` mean that a ModRM byte follows; `D9 E8` and
 * `D8 C0+i` have their ModRM byte written out.
 * Rows that differ in ModRM.mod name it in their operands: `r32` or `mm` for mod = 3, `m64` for memory, `r/m8` for both.
 *
 * `operands`, comma separated, with the manual's names; `v` stands for the operand size (16, 32, 64), `z` for 16 or 32 (an
 * immediate of 32 bits is sign-extended at operand size 64), `y` for 32 or 64:
 *   r8 rv ry r16 r32 r64        ModRM.reg, or the opcode's low bits in `+r` rows, or ModRM.rm where the row has mod = 3 only
 *                               (write such an operand `rm:r32`)
 *   r/m8 r/mv r/my r/m16 r/m32 r/m64     register or memory by ModRM.rm
 *   m m8 m16 m32 m64 m80 m128 mv ...     memory only by ModRM.rm; `m` has no width (LEA, FXSAVE, far pointers, LGDT)
 *   rv/m16 r32/m8 ...           a register of the first width or memory of the second
 *   imm8 imm8s imm16 immz immv  immediates; imm8s is sign-extended to the operand size
 *   rel8 relz                   displacement, sign-extended to the operand size: `jumpNear(nextIp + read(0))`
 *   moffs8 moffsv               memory at an offset of the address size
 *   ptr16:z                     far pointer in the instruction, as `selector << operandSize | offset`
 *   al ax eax                   accumulator of 8, 16, 32 bits; rax: of the operand size
 *   cl dx 1 3                   CL, DX, constants
 *   Sreg CRn DRn · es cs ss ds fs gs
 *   mm rm:mm mm/m32 mm/m64 · xmm rm:xmm xmm/m8.../m128 · st(i)
 */
import type { Cpu } from './cpu.js';

export interface Opcode {
  readonly encoding: string;
  readonly mnemonic: string;
  readonly operands: string;
  /** The Operation section. Faults by throwing, through `cpu.raise`. */
  readonly execute: (cpu: Cpu) => void;
  readonly options: OpcodeOptions;
}

export interface OpcodeOptions {
  /** LOCK is legal when the first operand is memory; otherwise it is #UD. */
  readonly lock?: true;
  /** Operand size 64 by default in 64-bit mode (near branches, PUSH, POP...); 32 does not exist there. */
  readonly default64?: true;
  /** #UD in 64-bit mode. */
  readonly not64?: true;
  /** Only in 64-bit mode (SYSCALL, MOVSXD, SWAPGS...). */
  readonly only64?: true;
}

export const opcode = (
  encoding: string,
  mnemonic: string,
  operands: string,
  execute: (cpu: Cpu) => void,
  options: OpcodeOptions = {},
): Opcode => ({ encoding, mnemonic, operands, execute, options });
