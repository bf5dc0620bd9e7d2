/**
 * The processor: instructions one at a time, with operands, registers, memory and flags as the rows of the opcode table ask
 * for them (cpu.ts). SDM volume 1, chapter 3; volume 3, 2.3, 6.5-6.8 and 17.3.1.
 */
import { POLICY } from '../../engine/policy/policy.js';
import { CPU_STATE, CpuState, CS, FS, SS } from '../state/cpu-state.js';
import { type Cpu, type Environment, type FlagName, ModelException, VECTOR, type Width } from './cpu.js';
import { type CodeBits, type DecodedInstruction, type Operand, RIP_BASE } from './decode.js';
import { InstructionFetch } from './fetch.js';
import { FLAG_BIT, hasEvenParity, IOPL_SHIFT } from './flags.js';
import type { PhysicalMemory } from './memory.js';
import type { Opcode } from './opcode.js';
import { KIND } from './operand-form.js';
import { ACCESS, Paging } from './paging.js';
import { codeBitsOf, isCanonical, isExecuteOnly, LINEAR_LIMIT, linearAddress, longLinearAddress, stackBitsOf } from './segmentation.js';
import { dataBreakpoints, instructionBreakpoints } from './system/debug-registers.js';

/** What becomes of interrupts, exceptions and traps: through the IDT in the system arena, the end of the case in the user arena. */
export interface EventSink {
  softwareInterrupt(cpu: Cpu, vector: number, kind: 'int' | 'int3' | 'into' | 'int1'): void;
}

const RSP = 4;
const PAGE_MASK = 0xfff;
const CR0_PROTECTION = 1;
const CR0_ALIGNMENT_MASK = 0x0004_0000;
const DR6 = CPU_STATE.debug + 6 * 8;
const DR7 = CPU_STATE.debug + 7 * 8;
/** L0-L3 and G0-G3. */
const DR7_ENABLED = 0xff;
const DEBUG_SINGLE_STEP = 1 << 14;

const POLICY_NUMBER = new Map(POLICY.map(({ id }, number) => [id, number]));

export class Processor implements Cpu {
  readonly state = new CpuState();
  readonly environment: Environment;
  readonly memory: PhysicalMemory;
  readonly paging: Paging;
  /** Rows of the policy table relied on: a bit set over their numbers. The owner clears it. */
  readonly policies = new Uint32Array(4);
  debugTrap = 0;
  instruction!: DecodedInstruction;
  codeBits: CodeBits = 32;
  nextIp = 0n;

  readonly #sink: EventSink;
  readonly #fetch: InstructionFetch;
  readonly #backup = new CpuState();
  #ip = 0n;
  #executing = false;
  #inhibitsDebugTraps = false;

  constructor(memory: PhysicalMemory, environment: Environment, sink: EventSink, opcodes: readonly Opcode[]) {
    this.memory = memory;
    this.environment = environment;
    this.#sink = sink;
    this.paging = new Paging(this.state, memory);
    this.#fetch = new InstructionFetch(this, opcodes);
  }

  /**
   * One instruction, or one iteration of a repeated one. On an exception it is returned, and the state is the one to be
   * saved with it. `debugTrap` holds what is to be reported as #DB behind a complete instruction.
   */
  executeOne(): ModelException | undefined {
    const { state } = this;
    this.codeBits = codeBitsOf(state, state.u32(CPU_STATE.efer));
    this.#backup.copyFrom(state);
    const { flags } = state;
    this.debugTrap = flags & FLAG_BIT.tf ? DEBUG_SINGLE_STEP : 0;
    this.#inhibitsDebugTraps = false;
    this.#ip = this.nextIp = state.rip;
    this.#executing = true;
    try {
      this.#checkInstructionBreakpoint(flags);
      const instruction = this.#fetch.next(this.codeBits);
      this.instruction = instruction;
      const next = state.rip + BigInt(instruction.length);
      this.#ip = this.nextIp = BigInt.asUintN(this.codeBits === 64 ? 64 : 32, next);
      state.setU32(CPU_STATE.interruptShadow, 0);
      // RF ends with the instruction it was set for (17.3.1.1); those that load EFLAGS may set it again.
      state.flags = flags & ~FLAG_BIT.rf;
      instruction.opcode.execute(this);
      state.rip = this.#ip;
      if (this.#inhibitsDebugTraps) this.debugTrap = 0;
      return undefined;
    } catch (thrown) {
      if (!(thrown instanceof ModelException)) throw thrown;
      this.#settle(thrown);
      return thrown;
    } finally {
      this.#executing = false;
    }
  }

  /** An instruction breakpoint is met before the instruction is fetched; RF lets it pass (SDM volume 3, 6.9 and 17.3.1.1). */
  #checkInstructionBreakpoint(flags: number): void {
    if (!this.#hasBreakpoints() || flags & FLAG_BIT.rf) return;
    const linear = Number(BigInt.asUintN(32, (this.codeBits === 64 ? 0n : this.state.segmentBase(CS)) + this.state.rip));
    const hits = instructionBreakpoints(this, linear);
    if (hits !== 0) throw new ModelException(VECTOR.db, undefined, BigInt(hits), 'breakpoint');
  }

  #hasBreakpoints(): boolean {
    return (this.state.u32(DR7) & DR7_ENABLED) !== 0;
  }

  /** Makes the state the one that is saved with an exception. */
  #settle(exception: ModelException): void {
    const { state } = this;
    if (exception.kind === 'trap' || exception.kind === 'newTask') {
      state.rip = this.#ip;
    } else {
      const cr2 = state.u64(CPU_STATE.cr2);
      const dr6 = state.u64(DR6);
      const mxcsr = state.u32(CPU_STATE.mxcsr);
      state.copyFrom(this.#backup);
      // RF has served the instruction that faults (17.3.1.1); its saved image is set anyway, but for that of a double fault.
      if (exception.kind === 'fault') state.flags &= ~FLAG_BIT.rf;
      state.setU64(CPU_STATE.cr2, cr2);
      state.setU64(DR6, dr6);
      // The flags of a numeric SIMD exception are in MXCSR when it is raised, as #XM or as #UD (SDM volume 1, 11.5.2; volume 3, 2.5).
      state.setU32(CPU_STATE.mxcsr, mxcsr);
    }
    this.nextIp = this.#ip = state.rip;
  }

  /** To be called before anything is delivered between instructions: what is saved is the present offset. */
  beginDelivery(): void {
    this.nextIp = this.#ip = this.state.rip;
    this.state.setU32(CPU_STATE.interruptShadow, 0);
  }

  /** An external interrupt is accepted at this boundary. */
  get acceptsInterrupts(): boolean {
    return this.flag('if') && this.state.u32(CPU_STATE.interruptShadow) === 0;
  }

  // --- operands ------------------------------------------------------------------------------------------------------------

  get operandSize(): CodeBits {
    return this.instruction.operandSize;
  }
  get addressSize(): CodeBits {
    return this.instruction.addressSize;
  }

  width(operand: number): Width {
    const { width } = this.#operand(operand);
    if (width === 0) throw new Error(`operand ${operand} of ${this.instruction.opcode.mnemonic} has no width`);
    return width;
  }

  isMemory(operand: number): boolean {
    return this.#operand(operand).kind === KIND.memory;
  }

  registerNumber(operand: number): number {
    return this.#operand(operand).number;
  }

  read(operand: number): bigint {
    const decoded = this.#operand(operand);
    const { kind, width, number } = decoded;
    switch (kind) {
      case KIND.general:
        return this.register(number, width as 8);
      case KIND.highByte:
        return BigInt(this.state.bytes[number * 8 + 1]!);
      case KIND.memory:
        return this.load(decoded.segment, this.#offset(decoded), this.width(operand) / 8);
      case KIND.immediate:
        return decoded.value;
      case KIND.segment:
        return BigInt(this.state.segmentSelector(number));
      case KIND.control:
        return this.state.u64(number === 0 ? CPU_STATE.cr0 : number === 2 ? CPU_STATE.cr2 : number === 3 ? CPU_STATE.cr3 : CPU_STATE.cr4);
      case KIND.debug:
        return this.state.u64(CPU_STATE.debug + number * 8);
      case KIND.mmx:
        return this.state.u64(CPU_STATE.x87Registers + number * 16);
      case KIND.xmm:
        return BigInt.asUintN(width, this.xmm(number));
      default:
        throw new Error(`operand ${operand} of ${this.instruction.opcode.mnemonic} is not read as a number`);
    }
  }

  write(operand: number, value: bigint): void {
    const decoded = this.#operand(operand);
    const { kind, width, number } = decoded;
    switch (kind) {
      case KIND.general:
        this.setRegister(number, width as 8, value);
        break;
      case KIND.highByte:
        this.state.bytes[number * 8 + 1] = Number(value & 0xffn);
        break;
      case KIND.memory:
        this.store(decoded.segment, this.#offset(decoded), this.width(operand) / 8, value);
        break;
      case KIND.mmx:
        this.state.setU64(CPU_STATE.x87Registers + number * 16, value);
        // The exponent becomes all ones (SDM volume 1, 9.2).
        this.state.setU16(CPU_STATE.x87Registers + number * 16 + 8, 0xffff);
        break;
      case KIND.xmm: {
        const kept = width === 128 ? 0n : (this.xmm(number) >> BigInt(width)) << BigInt(width);
        this.setXmm(number, kept | BigInt.asUintN(width, value));
        break;
      }
      default:
        throw new Error(`operand ${operand} of ${this.instruction.opcode.mnemonic} is not written as a number`);
    }
  }

  address(operand: number): { readonly segment: number; readonly offset: bigint } {
    const decoded = this.#operand(operand);
    return { segment: decoded.segment, offset: this.#offset(decoded) };
  }

  checkWrite(operand: number): void {
    const decoded = this.#operand(operand);
    if (decoded.kind === KIND.memory) this.checkStore(decoded.segment, this.#offset(decoded), this.width(operand) / 8);
  }

  #operand(operand: number): Operand {
    const decoded = this.instruction.operands[operand];
    if (decoded === undefined) throw new Error(`${this.instruction.opcode.mnemonic} has no operand ${operand}`);
    return decoded;
  }

  /** Effective address (SDM volume 1, 3.7.5). */
  #offset({ base, index, scale, displacement }: Operand): bigint {
    const { registers } = this.state;
    let offset = displacement;
    if (base === RIP_BASE) offset += this.nextIp;
    else if (base >= 0) offset += registers[base]!;
    if (index >= 0) offset += registers[index]! * BigInt(scale);
    return BigInt.asUintN(this.instruction.addressSize, offset);
  }

  // --- registers -----------------------------------------------------------------------------------------------------------

  register(number: number, width: 8 | 16 | 32 | 64): bigint {
    switch (width) {
      case 8:
        return BigInt(this.state.bytes[number * 8]!);
      case 16:
        return BigInt(this.state.u16(number * 8));
      case 32:
        return BigInt(this.state.words[number * 2]!);
      default:
        return this.state.registers[number]!;
    }
  }

  setRegister(number: number, width: 8 | 16 | 32 | 64, value: bigint): void {
    switch (width) {
      case 8:
        this.state.bytes[number * 8] = Number(value & 0xffn);
        break;
      case 16:
        this.state.setU16(number * 8, Number(value & 0xffffn));
        break;
      case 32:
        this.state.words[number * 2] = Number(value & 0xffff_ffffn);
        if (this.codeBits === 64) this.state.words[number * 2 + 1] = 0;
        break;
      default:
        this.state.registers[number] = value;
    }
  }

  xmm(number: number): bigint {
    const at = CPU_STATE.xmm + number * 16;
    return this.state.u64(at) | (this.state.u64(at + 8) << 64n);
  }

  setXmm(number: number, value: bigint): void {
    const at = CPU_STATE.xmm + number * 16;
    this.state.setU64(at, value);
    this.state.setU64(at + 8, value >> 64n);
  }

  // --- memory --------------------------------------------------------------------------------------------------------------

  load(segment: number, offset: bigint, bytes: number): bigint {
    return this.#loadLinear(this.#linear(segment, offset, bytes, false), bytes);
  }

  touch(segment: number, offset: bigint): void {
    const isOpen = this.codeBits !== 64 && isExecuteOnly(this.state, segment);
    this.#loadLinear(
      isOpen ? linearAddress(this.state, segment, Number(offset), 1, false, false) : this.#linear(segment, offset, 1, false),
      1,
    );
  }

  #loadLinear(linear: number, bytes: number): bigint {
    const value = this.#readLinear(linear, bytes, this.#userAccess(), true);
    if (this.#hasBreakpoints()) this.debugTrap |= dataBreakpoints(this, linear, bytes, false);
    return value;
  }

  loadWouldFault(segment: number, offset: bigint, bytes: number): boolean {
    const cr2 = this.state.u64(CPU_STATE.cr2);
    this.paging.leavesMarks = false;
    try {
      this.#readLinear(this.#linear(segment, offset, bytes, false), bytes, this.#userAccess(), true);
      return false;
    } catch (thrown) {
      if (!(thrown instanceof ModelException)) throw thrown;
      return true;
    } finally {
      this.paging.leavesMarks = true;
      this.state.setU64(CPU_STATE.cr2, cr2);
    }
  }

  store(segment: number, offset: bigint, bytes: number, value: bigint): void {
    const linear = this.#linear(segment, offset, bytes, true);
    this.#writeLinear(linear, bytes, this.#userAccess(), value, true);
    if (this.#hasBreakpoints()) this.debugTrap |= dataBreakpoints(this, linear, bytes, true);
  }

  checkStore(segment: number, offset: bigint, bytes: number): void {
    this.#checkWriteLinear(this.#linear(segment, offset, bytes, true), bytes, this.#userAccess(), true);
  }

  requireAligned(segment: number, offset: bigint, bytes: number): void {
    const linear = this.codeBits === 64 && segment < FS ? offset : this.state.segmentBase(segment) + offset;
    if (linear & BigInt(bytes - 1)) this.raise(VECTOR.gp, 0);
  }

  loadSystem(linear: bigint, bytes: number): bigint {
    return this.#readLinear(Number(linear), bytes, 0, false);
  }

  storeSystem(linear: bigint, bytes: number, value: bigint): void {
    this.#writeLinear(Number(linear), bytes, 0, value, false);
  }

  loadPhysical(address: bigint, bytes: number): bigint {
    return this.memory.read(Number(address), bytes);
  }

  checkStoreSystem(linear: bigint, bytes: number): void {
    this.#checkWriteLinear(Number(linear), bytes, 0, false);
  }

  get stackBits(): CodeBits {
    return this.codeBits === 64 ? 64 : stackBitsOf(this.state);
  }

  push(value: bigint, width: 16 | 32 | 64 = this.operandSize): void {
    const { stackBits } = this;
    const pointer = BigInt.asUintN(stackBits, this.register(RSP, stackBits) - BigInt(width / 8));
    this.store(SS, pointer, width / 8, value);
    this.setRegister(RSP, stackBits, pointer);
  }

  pop(width: 16 | 32 | 64 = this.operandSize): bigint {
    const { stackBits } = this;
    const pointer = this.register(RSP, stackBits);
    const value = this.load(SS, pointer, width / 8);
    this.setRegister(RSP, stackBits, BigInt.asUintN(stackBits, pointer + BigInt(width / 8)));
    return value;
  }

  #userAccess(): number {
    return this.cpl === 3 ? ACCESS.user : 0;
  }

  /** Linear address below 4 GiB of an access that segmentation allows. */
  #linear(segment: number, offset: bigint, bytes: number, write: boolean): number {
    if (this.codeBits !== 64) {
      if (offset + BigInt(bytes) > BigInt(LINEAR_LIMIT)) this.undefine('segment.wrap');
      return linearAddress(this.state, segment, Number(offset), bytes, write, this.protectedMode && !this.virtual8086);
    }
    if (segment >= FS && !isCanonical(offset)) this.undefine('segment.long-base');
    const address = longLinearAddress(this.state, segment, offset, bytes);
    if (address >= BigInt(LINEAR_LIMIT)) {
      this.#checkAlignment(Number(BigInt.asUintN(32, address)), bytes);
      this.paging.fault(address, this.#userAccess() | (write ? ACCESS.write : 0), 0);
    }
    return Number(address);
  }

  /** Address of the second page of an access that crosses into it; 0 behind 4 GiB but in 64-bit mode, where nothing is there. */
  #secondPage(linear: number, access: number): number {
    const next = linear - (linear % (PAGE_MASK + 1)) + PAGE_MASK + 1;
    if (next < LINEAR_LIMIT) return next;
    if (this.codeBits === 64) this.paging.fault(next, access, 0);
    return 0;
  }

  #readLinear(linear: number, bytes: number, access: number, isData: boolean): bigint {
    if (isData) this.#checkAlignment(linear, bytes);
    const inPage = PAGE_MASK + 1 - (linear & PAGE_MASK);
    const first = this.paging.translate(linear, access);
    if (bytes <= inPage) {
      return this.memory.read(first, bytes);
    }
    const second = this.paging.translate(this.#secondPage(linear, access), access);
    return this.memory.read(first, inPage) | (this.memory.read(second, bytes - inPage) << BigInt(8 * inPage));
  }

  #writeLinear(linear: number, bytes: number, access: number, value: bigint, isData: boolean): void {
    if (isData) this.#checkAlignment(linear, bytes);
    const inPage = PAGE_MASK + 1 - (linear & PAGE_MASK);
    const first = this.paging.translate(linear, access | ACCESS.write);
    if (bytes <= inPage) {
      this.memory.write(first, bytes, value);
      return;
    }
    const second = this.paging.translate(this.#secondPage(linear, access | ACCESS.write), access | ACCESS.write);
    this.memory.write(first, inPage, value);
    this.memory.write(second, bytes - inPage, value >> BigInt(8 * inPage));
  }

  #checkWriteLinear(linear: number, bytes: number, access: number, isData: boolean): void {
    if (isData) this.#checkAlignment(linear, bytes);
    const inPage = PAGE_MASK + 1 - (linear & PAGE_MASK);
    this.paging.translate(linear, access | ACCESS.write);
    if (bytes > inPage) this.paging.translate(this.#secondPage(linear, access | ACCESS.write), access | ACCESS.write);
  }

  /**
   * #AC (SDM volume 3, 6.15, interrupt 17): by the size of the datum, of an 80-bit number by 8, of an image by its words. It
   * comes before page faults, as AMD processors have it.
   */
  #checkAlignment(linear: number, bytes: number): void {
    if (!(this.state.flags & FLAG_BIT.ac) || this.cpl !== 3 || !(this.state.u32(CPU_STATE.cr0) & CR0_ALIGNMENT_MASK)) return;
    const unit = bytes === 10 ? 8 : Math.min(16, bytes & -bytes);
    if (linear % unit !== 0) this.raise(VECTOR.ac, 0);
  }

  // --- flags ---------------------------------------------------------------------------------------------------------------

  flag(name: FlagName): boolean {
    return (this.state.flags & FLAG_BIT[name]) !== 0;
  }

  setFlag(name: FlagName, value: boolean): void {
    const bit = FLAG_BIT[name];
    this.state.flags = value ? this.state.flags | bit : this.state.flags & ~bit;
  }

  get iopl(): number {
    return (this.state.flags >> IOPL_SHIFT) & 3;
  }

  setResultFlags(result: bigint, width: Width): void {
    const truncated = BigInt.asUintN(width, result);
    let flags = this.state.flags & ~(FLAG_BIT.sf | FLAG_BIT.zf | FLAG_BIT.pf);
    if (truncated === 0n) flags |= FLAG_BIT.zf;
    if (truncated >> BigInt(width - 1)) flags |= FLAG_BIT.sf;
    if (hasEvenParity(Number(truncated & 0xffn))) flags |= FLAG_BIT.pf;
    this.state.flags = flags;
  }

  undefine(policyId: string): void {
    const number = POLICY_NUMBER.get(policyId);
    if (number === undefined) throw new Error(`no policy ${policyId}`);
    this.policies[number >> 5] = this.policies[number >> 5]! | (1 << (number & 31));
  }

  // --- control -------------------------------------------------------------------------------------------------------------

  jumpNear(target: bigint): void {
    const ip = BigInt.asUintN(this.operandSize, target);
    if (this.codeBits === 64 ? !isCanonical(ip) : ip > BigInt(this.state.segmentLimit(CS))) this.raise(VECTOR.gp, 0);
    this.#ip = ip;
  }

  setIp(offset: bigint): void {
    this.#ip = offset;
    if (!this.#executing) this.state.rip = offset;
  }

  repeatInstruction(): void {
    this.#ip = this.state.rip;
    // The breakpoint on a repeated instruction is met once (17.3.1.1).
    if (this.#hasBreakpoints()) this.state.flags |= FLAG_BIT.rf;
  }

  inhibitInterrupts(debugTraps: boolean): void {
    this.state.setU32(CPU_STATE.interruptShadow, 1);
    this.#inhibitsDebugTraps = debugTraps;
  }

  softwareInterrupt(vector: number, kind: 'int' | 'int3' | 'into' | 'int1'): void {
    this.#sink.softwareInterrupt(this, vector, kind);
  }

  // --- privilege and modes -------------------------------------------------------------------------------------------------

  get cpl(): number {
    return this.state.u32(CPU_STATE.cpl);
  }

  get protectedMode(): boolean {
    return (this.state.u32(CPU_STATE.cr0) & CR0_PROTECTION) !== 0;
  }

  get virtual8086(): boolean {
    return (this.state.flags & FLAG_BIT.vm) !== 0 && this.protectedMode;
  }

  raise(vector: number, errorCode?: number): never {
    throw new ModelException(vector, errorCode);
  }
}
