/** The processor as instructions of the model see it: operands, registers, memory, flags, exceptions. */
import type { CpuState } from '../state/cpu-state.js';
import type { DecodedInstruction } from './decode.js';

export type Width = 8 | 16 | 32 | 64 | 80 | 128;
export type FlagName = 'cf' | 'pf' | 'af' | 'zf' | 'sf' | 'tf' | 'if' | 'df' | 'of' | 'nt' | 'rf' | 'vm' | 'ac' | 'vif' | 'vip' | 'id';

/**
 * How an exception stands to the instruction under way (SDM volume 3, 6.5 and 17.3.1.1):
 * `fault`: the state goes back to what it was before the instruction, but for MXCSR, whose exception flags stay (instructions
 * change it last); RF is set in the saved flags;
 * `breakpoint`: the same for an instruction breakpoint, RF is saved as it is;
 * `trap`: the state stays as the instruction has left it, RF is saved as it is;
 * `newTask`: a fault behind the commit point of a task switch: the state stays (it is the new task's), RF is set.
 */
export type ExceptionKind = 'fault' | 'breakpoint' | 'trap' | 'newTask';

/**
 * Thrown by `raise`; `step` undoes what the instruction has done to registers. Not an Error: nobody reads its stack, and
 * taking one costs more than most instructions.
 */
export class ModelException {
  constructor(
    readonly vector: number,
    readonly errorCode: number | undefined,
    /** CR2 of a page fault, DR6 bits of a debug exception. */
    readonly detail: bigint = 0n,
    readonly kind: ExceptionKind = 'fault',
  ) {}
}

/** What surrounds the processor, and the registers that are no part of the compared state; fresh for each case. */
export interface Environment {
  /** Virtual time at the last boundary between instructions: what the time-stamp counter counts. */
  timeNs(): bigint;
  /** Ports that nobody claims read as ones. */
  readPort(port: number, bytes: 1 | 2 | 4): number;
  writePort(port: number, bytes: 1 | 2 | 4, value: number): void;
  /** Model-specific registers that have been written, by number, as far as CpuState does not have them. */
  readonly msrs: Map<number, bigint>;
}

export interface Cpu {
  readonly state: CpuState;
  readonly environment: Environment;
  /**
   * DR6 bits to be reported by a #DB trap (system/deliver.ts: deliverDebugTrap) when the instruction is complete. `step` begins
   * with BS if TF is set, else 0; data and port breakpoints, the T bit of a TSS and software interrupts change it.
   */
  debugTrap: number;
  /** What is being executed. */
  readonly instruction: DecodedInstruction;
  /** Operand size of the instruction: 16, 32 or 64. */
  readonly operandSize: 16 | 32 | 64;
  readonly addressSize: 16 | 32 | 64;
  /** 16, 32 or 64: width of the code segment (64 only in 64-bit mode). */
  readonly codeBits: 16 | 32 | 64;

  // --- operands, numbered from 0 in the row's order; values are unsigned, of the operand's width -------------------------
  width(operand: number): Width;
  read(operand: number): bigint;
  /** Truncates to the width. Writing a 32-bit general register clears the upper half in 64-bit mode. */
  write(operand: number, value: bigint): void;
  isMemory(operand: number): boolean;
  /** Of a register operand: its number (general, segment, control, debug, MMX, XMM, st(i)). */
  registerNumber(operand: number): number;
  /** Of a memory operand. The offset has the address size. */
  address(operand: number): { readonly segment: number; readonly offset: bigint };
  /** Faults as a write to the memory operand would, without writing; does nothing for registers. For read-modify-write. */
  checkWrite(operand: number): void;

  // --- registers ---------------------------------------------------------------------------------------------------------
  /** General register by number. Width 8 numbers as with REX (4 is SPL): AH is `register(0, 16) >> 8n`. */
  register(number: number, width: 8 | 16 | 32 | 64): bigint;
  setRegister(number: number, width: 8 | 16 | 32 | 64, value: bigint): void;
  xmm(number: number): bigint;
  setXmm(number: number, value: bigint): void;

  // --- memory, through segmentation and paging at the present privilege; offsets wrap as the caller has wrapped them -------
  load(segment: number, offset: bigint, bytes: number): bigint;
  /** Faults as a load of a byte does, but execute-only segments allow it (CLFLUSH). */
  touch(segment: number, offset: bigint): void;
  /** Nothing changes; for policies about the order of faults. */
  loadWouldFault(segment: number, offset: bigint, bytes: number): boolean;
  store(segment: number, offset: bigint, bytes: number, value: bigint): void;
  checkStore(segment: number, offset: bigint, bytes: number): void;
  /** #GP(0) unless the linear address is a multiple (SSE); #SS for no such thing. */
  requireAligned(segment: number, offset: bigint, bytes: number): void;
  /** Supervisor accesses to linear addresses: descriptor tables, TSS. */
  loadSystem(linear: bigint, bytes: number): bigint;
  storeSystem(linear: bigint, bytes: number, value: bigint): void;
  /** Page-directory pointers of PAE paging. */
  loadPhysical(address: bigint, bytes: number): bigint;
  /** Faults as such a write would, without writing. */
  checkStoreSystem(linear: bigint, bytes: number): void;
  /** By the stack's width and the instruction's operand size unless given. The stack pointer moves after the access. */
  push(value: bigint, width?: 16 | 32 | 64): void;
  pop(width?: 16 | 32 | 64): bigint;
  /** Width of stack addresses: 16, 32, 64. */
  readonly stackBits: 16 | 32 | 64;

  // --- flags -------------------------------------------------------------------------------------------------------------
  flag(name: FlagName): boolean;
  setFlag(name: FlagName, value: boolean): void;
  readonly iopl: number;
  /** SF, ZF and PF of a result of that width. */
  setResultFlags(result: bigint, width: Width): void;
  /** The instruction relies on a row of the policy table: its id. */
  undefine(policyId: string): void;

  // --- control -----------------------------------------------------------------------------------------------------------
  /** Offset of the next instruction. */
  readonly nextIp: bigint;
  /** Near jump: truncated to the operand size, #GP(0) outside the limit or non-canonical. */
  jumpNear(target: bigint): void;
  /** The present instruction is to be executed again (REP with more to do). */
  repeatInstruction(): void;
  /**
   * Where execution goes on, unchecked: far transfers, delivery, task switches. During an instruction `state.rip` is that of
   * the instruction and `nextIp` the offset behind it; while an exception or interrupt is delivered both are the offset to be saved.
   */
  setIp(offset: bigint): void;
  /** No interrupt is accepted before the next instruction is complete (STI); no #DB trap either (`debugTraps`: MOV SS, POP SS). */
  inhibitInterrupts(debugTraps: boolean): void;
  /** INT n, INT3, INTO, INT1: through the IDT; in the user arena, which has none, the end of the case. */
  softwareInterrupt(vector: number, kind: 'int' | 'int3' | 'into' | 'int1'): void;

  // --- privilege and modes -------------------------------------------------------------------------------------------------
  readonly cpl: number;
  readonly protectedMode: boolean;
  readonly virtual8086: boolean;

  raise(vector: number, errorCode?: number): never;
}

export const VECTOR = {
  de: 0,
  db: 1,
  nmi: 2,
  bp: 3,
  of: 4,
  br: 5,
  ud: 6,
  nm: 7,
  df: 8,
  ts: 10,
  np: 11,
  ss: 12,
  gp: 13,
  pf: 14,
  mf: 16,
  ac: 17,
  xm: 19,
} as const;
