/**
 * The CPU: generated code, its slow paths, and the loop around it. It knows time only as ticks; the machine tells it how
 * far it may run and asks it to look at interrupts at the right tick.
 */
import type { TickSource } from '../clock/clock.js';
import { Decoder, INSTRUCTION_LIMIT_BYTES } from '../isa/decoder.js';
import { type Form, hostSemanticsName } from '../isa/definition.js';
import type { OpcodeMap } from '../isa/opcode-map.js';
import { BLOCK_LIMIT, HANDLER, RECORD } from '../isa/record.js';
import { numericErrorLine } from '../isa/x87/error-line.js';
import { type AccessCheck, Mmu, PrivilegedMemory } from '../mmu/linear-memory.js';
import { pageAbsent } from '../mmu/page-fault.js';
import { Paging } from '../mmu/paging.js';
import { peekRange, peekTranslation } from '../mmu/peek.js';
import type { PhysicalMemory } from '../mmu/physical-memory.js';
import { Tlb } from '../mmu/tlb.js';
import { EXIT } from '../translate/exit.js';
import type { RuntimeImport } from '../translate/runtime.js';
import { BlockFinder } from './block-finder.js';
import { Breakpoints } from './breakpoints.js';
import { writeRecord } from './code-cache.js';
import { SIGNATURE } from './cpuid.js';
import {
  breakpointsEnabled,
  DR6_SINGLE_STEP,
  dataBreakpoints,
  debugTrap,
  instructionBreakpoint,
  portBreakpoints,
  resetDebugRegisters,
} from './debug.js';
import { GuestException, generalProtection, invalidOpcode, VECTOR } from './exceptions.js';
import type { ExecutedPages } from './executed-pages.js';
import type { Cpu, HostSemantics } from './host-instruction.js';
import { acceptInterrupt, type RaiseResult, raise } from './interrupts.js';
import * as layout from './layout.js';
import { MODE_CODE_32, MODE_CODE_64, MODE_CODE_FLAT, MODE_DATA_FLAT, MODE_SEGMENT_SHIFT, MODE_STACK_32, MODE_USER } from './mode.js';
import { EFER_LMA, MSR, resetMsrs } from './msr.js';
import { RecordView } from './record-view.js';
import { checkedLinear, isCanonical } from './segmentation.js';
import { memorySlowPaths } from './slow-paths.js';
import { ATTRIBUTE, CpuState, CR0, EFLAG, type SegmentCache } from './state.js';
import { systemSemantics } from './system-semantics.js';

/** What the CPU needs of the board. */
export interface Board {
  readPort(port: number, bytes: 1 | 2 | 4): number;
  writePort(port: number, bytes: 1 | 2 | 4, value: number): void;
  /** Virtual time now: tick x nsPerTick + skippedNs, of which the last only changes while the CPU does not run. */
  readonly nowNs: number;
  readonly nsPerTick: number;
  readonly skippedNs: number;
  /** The tick by which the machine must get control, if nothing changes: limit or next alarm. */
  deadline(): number;
}

/**
 * Most ticks one entry into generated code may take. An engine that compiles in tiers puts its better code in place
 * when the function is entered anew; so it must be left now and then.
 */
const BUDGET_LIMIT = 2 ** 17;

/** What an instruction is, as far as those want to know who follow calls and returns. */
export interface PeekedInstruction {
  readonly mnemonic: string;
  readonly lengthBytes: number;
  /** A string instruction with a REP prefix. */
  readonly repeats: boolean;
}

type Run = (record: number) => number;
/** The function that runs records, of a module that is given these imports. */
type Instantiate = (imports: Record<RuntimeImport, (...args: never[]) => number | undefined>) => Run;

interface HostEntry {
  readonly form: Form;
  readonly semantics: HostSemantics;
  readonly isSoftwareInterrupt: boolean;
}

const SOFTWARE_INTERRUPTS: ReadonlySet<string> = new Set(['int', 'int1', 'int3', 'into']);

const FLAT_LIMIT = 0xffff_ffff;
const LONG_MODE = MODE_CODE_64 | MODE_CODE_32 | MODE_STACK_32 | MODE_DATA_FLAT | MODE_CODE_FLAT;

/** 64-bit code runs below 4 GiB, where page tables of 32-bit paging and PAE map it. @throws GuestException #GP(0), #PF */
function requireFetchable(state: CpuState, rip: bigint, user: boolean): void {
  if (rip >= 0n && rip <= BigInt(FLAT_LIMIT)) return;
  if (!isCanonical(rip)) throw generalProtection(0);
  throw pageAbsent(state, rip, { write: false, user, fetch: true });
}

/** SDM volume 1, 4.1.1 and volume 3, table 6-7: 80-bit numbers are aligned by 8, images of the FPU by their words. */
const alignmentOf = (bytes: number): number => (bytes === 10 ? 8 : Math.min(16, bytes & -bytes));

export class Core implements Cpu, TickSource {
  readonly state: CpuState;
  readonly mmu: Mmu;
  readonly memory: PrivilegedMemory;
  readonly system: PrivilegedMemory;
  readonly msr = new Map<number, bigint>();
  /** HLT: nothing executes until an interrupt. Part of the state. */
  halted = false;
  /** Keeps away from cached blocks altogether (the step tier). */
  stepOnly = false;
  /** The machine wants control at the next boundary. */
  stopRequested = false;

  /** An exception is about to be delivered, at the tick at which what has raised it began. */
  onException: ((vector: number, tick: number) => void) | undefined;
  /** Exceptions are not delivered: the processor stops in the state that they would be delivered from. */
  interceptsExceptions = false;
  /** The exception that was not delivered. */
  intercepted: GuestException | undefined;

  /** A debugger's. */
  readonly breakpoints = new Breakpoints();

  /** What decoding or translation depends on may have changed. */
  onModeChange: (() => void) | undefined;

  private readonly blocks: BlockFinder;
  private readonly decoder: Decoder;
  private readonly peekDecoder: Decoder;
  private readonly view: RecordView;
  private readonly run: Run;
  /** For 64-bit code: a module of its own. */
  private readonly runLong: Run | undefined;
  /** Time skipped in HLT as TIME_STAMP_BASE includes it; NaN when that is out of date for another reason. */
  private publishedSkippedNs = Number.NaN;
  /** Record under execution in generated code, 0 outside. */
  private record = 0;
  /** Ticks taken from the budget for instructions that have not been executed, while `record` does not tell. */
  private unspentTicks = 0;
  /** A record whose handler was replaced by `leave`, and what it was. */
  private patched = 0;
  private patchedHandler = 0;
  private readonly fetchBuffer = new Uint8Array(INSTRUCTION_LIMIT_BYTES);
  /** DR6 bits of data breakpoints that the instruction under way has hit. */
  private debugHits = 0;
  /** The instruction under way was an INT: it has cleared TF, and no single-step trap follows. */
  private interruptDelivered = false;
  /** The instruction under way was MOV SS or POP SS: no debug trap follows either (SDM volume 3, 6.8.3). */
  private debugTrapsInhibited = false;
  /** Single stepping, breakpoints or the step tier: no cached blocks. */
  private careful = false;
  /** The exception behind FAULT_VECTOR when TypeScript has raised it. */
  private pendingException: GuestException | undefined;

  constructor(
    memory: WebAssembly.Memory,
    readonly physical: PhysicalMemory,
    private readonly board: Board,
    map: OpcodeMap,
    instantiate: Instantiate,
    long?: { readonly map: OpcodeMap; readonly instantiate: Instantiate },
  ) {
    this.state = new CpuState(memory);
    const { state } = this;
    state.f64[layout.NS_PER_TICK >>> 3] = board.nsPerTick;
    const tlb = new Tlb(state, physical);
    this.mmu = new Mmu(state, physical, new Paging(state, physical), tlb);
    this.memory = new PrivilegedMemory(this.mmu, 'current');
    this.system = new PrivilegedMemory(this.mmu, 'supervisor');
    this.decoder = new Decoder(map, long?.map);
    this.peekDecoder = new Decoder(map, long?.map);
    this.view = new RecordView(state);
    this.blocks = new BlockFinder(this.mmu, new Decoder(map, long?.map), this.breakpoints, () => this.leaveAfterCurrent());
    physical.observer = {
      codeWritten: (frame, offset, bytes) => this.blocks.code.codeWritten(frame, offset, bytes),
      tableWritten: (frame, offset, bytes) => tlb.tableWritten(frame, offset, bytes),
    };
    tlb.onDropped = (page) => this.translationsDropped(page);
    this.run = instantiate(this.imports(map));
    this.runLong = long?.instantiate(this.imports(long.map));
    this.reset();
  }

  get executedPages(): ExecutedPages {
    return this.blocks.executed;
  }

  /** What generated code made from a map calls. */
  private imports(map: OpcodeMap): Parameters<Instantiate>[0] {
    const hostEntries = map.host.map((form): HostEntry => {
      const name = String(hostSemanticsName(form.definition));
      const semantics = systemSemantics[name];
      if (semantics === undefined) throw new Error(`no host semantics named ${name}`);
      return { form, semantics, isSoftwareInterrupt: SOFTWARE_INTERRUPTS.has(form.definition.mnemonic) };
    });
    return {
      ...memorySlowPaths(this, (record, body) => this.guarded(record, body)),
      resolve: (eip: number) => {
        this.record = 0;
        return this.blocks.resolve(eip >>> 0);
      },
      resolveLinked: (eip: number, record: number) => {
        this.record = 0;
        // What the branch gives back, and in the next case what has begun, is not in the count of ticks yet.
        this.unspentTicks = (this.state.u8[record + RECORD.remaining] as number) - 1;
        const found = this.blocks.resolveLinked(eip >>> 0, record);
        this.unspentTicks = 0;
        return found;
      },
      crossing: (record: number) => {
        this.record = 0;
        this.unspentTicks = this.state.u8[record + RECORD.remaining] as number;
        const found = this.blocks.crossing(record);
        this.unspentTicks = 0;
        return found;
      },
      hostInstruction: (number: number, record: number) => this.hostInstruction(hostEntries[number] as HostEntry, record),
      readPort: (port: number, bytes: number, record: number) => {
        this.record = record;
        return this.readPort(port, bytes as 1 | 2 | 4);
      },
      writePort: (port: number, bytes: number, value: number, record: number) => {
        this.record = record;
        this.writePort(port, bytes as 1 | 2 | 4, bytes === 4 ? value >>> 0 : value);
      },
    };
  }

  // --- state after RESET (SDM volume 3, table 9-1) --------------------------------------------------------------------

  reset(): void {
    const { state } = this;
    state.u8.fill(0, layout.REGISTERS, layout.TLB_BASE);
    state.set32(layout.HALF_RANGE_REGISTER, layout.HALF_RANGE);
    const real = (selector: number, base: number): SegmentCache => ({ selector, base, limit: 0xffff, attributes: 0x93 });
    for (const index of [layout.ES, layout.SS, layout.DS, layout.FS, layout.GS]) state.writeSegment(index, real(0, 0));
    state.writeSegment(layout.CS, real(0xf000, 0xffff_0000));
    state.writeSegment(layout.LDTR, { selector: 0, base: 0, limit: 0xffff, attributes: 0x82 });
    state.writeSegment(layout.TR, { selector: 0, base: 0, limit: 0xffff, attributes: 0x8b });
    state.set32(layout.GDTR_LIMIT, 0xffff);
    state.set32(layout.IDTR_LIMIT, 0xffff);
    state.set32(layout.CR0, 0x6000_0010);
    state.eip = 0xfff0;
    state.eflags = 2;
    state.setReg32(2, SIGNATURE);
    state.set32(layout.X87_CONTROL, 0x40);
    state.set32(layout.MXCSR, 0x1f80);
    state.set32(layout.FAULT_VECTOR, layout.NO_FAULT);
    state.f64[layout.SHADOW_TICK >>> 3] = -1;
    resetDebugRegisters(state);
    resetMsrs(this.msr);
    this.publishedSkippedNs = Number.NaN;
    this.halted = false;
    this.mmu.tlb.flush('all');
    this.forgetCode();
  }

  // --- ticks ---------------------------------------------------------------------------------------------------------

  get tick(): number {
    const { state } = this;
    const pending = this.record === 0 ? this.unspentTicks : (state.u8[this.record + RECORD.remaining] as number);
    return (state.f64[layout.TICK_DEADLINE >>> 3] as number) - (state.i32[layout.TICKS_LEFT >>> 2] as number) - pending;
  }

  get nowNs(): number {
    return this.board.nowNs;
  }

  /** EIP of the instruction under way; between two, of the next. */
  get currentEip(): number {
    const { record, state } = this;
    if (record === 0) return state.eip;
    return (state.get32(layout.CODE_PAGE_EIP) + (state.u16[(record + RECORD.offset) >>> 1] as number)) >>> 0;
  }

  /** Sets the tick count outright (snapshots). */
  setTick(tick: number): void {
    this.state.f64[layout.TICK_DEADLINE >>> 3] = tick;
    this.state.set32(layout.TICKS_LEFT, 0);
  }

  private addTicks(count: number): void {
    const at = layout.TICK_DEADLINE >>> 3;
    this.state.f64[at] = (this.state.f64[at] as number) + count;
  }

  /** What RDTSC needs to know in generated code. */
  private publishTime(): void {
    const { skippedNs } = this.board;
    if (skippedNs === this.publishedSkippedNs) return;
    this.publishedSkippedNs = skippedNs;
    this.state.i64[layout.TIME_STAMP_BASE >>> 3] = BigInt(skippedNs) + (this.msr.get(MSR.timeStampCounter) as bigint);
  }

  private setBudget(deadline: number): void {
    this.publishTime();
    const tick = this.tick;
    const budget = Math.min(deadline - tick, BUDGET_LIMIT);
    this.state.f64[layout.TICK_DEADLINE >>> 3] = tick + budget;
    this.state.set32(layout.TICKS_LEFT, budget);
  }

  deadlineChanged(): void {
    if (this.record !== 0) this.leaveAfterCurrent();
  }

  /** The instruction under way is the last one before the machine gets control. */
  leaveAfterCurrent(): void {
    if (this.record === 0) return;
    const { state } = this;
    if ((state.u8[this.record + RECORD.remaining] as number) <= 1) {
      const at = layout.TICK_DEADLINE >>> 3;
      state.f64[at] = (state.f64[at] as number) - (state.i32[layout.TICKS_LEFT >>> 2] as number);
      state.set32(layout.TICKS_LEFT, 0);
      return;
    }
    if (this.patched !== 0) return;
    const next = this.record + layout.RECORD_BYTES;
    this.patched = next;
    this.patchedHandler = state.u16[(next + RECORD.handler) >>> 1] as number;
    state.u16[(next + RECORD.handler) >>> 1] = HANDLER.leave;
  }

  private unpatch(): void {
    if (this.patched === 0) return;
    const at = (this.patched + RECORD.handler) >>> 1;
    // A record that became stale in the meantime stays so.
    if (this.state.u16[at] === HANDLER.leave) this.state.u16[at] = this.patchedHandler;
    this.patched = 0;
  }

  // --- running ---------------------------------------------------------------------------------------------------------

  /**
   * Executes until the board's deadline, or until something wants the machine's attention.
   * @returns 'tripleFault' when the CPU shuts down
   */
  execute(): 'ok' | 'tripleFault' {
    if (this.careful || this.stepOnly) {
      while ((this.careful || this.stepOnly) && this.tick < this.board.deadline()) {
        const result = this.step();
        if (result === 'tripleFault' || this.wantsAttention()) return result;
      }
      return 'ok';
    }
    // An interrupt that waits behind STI or MOV SS for one more instruction.
    if (this.wantsAttention()) return this.step();
    if (this.blocks.code.full) this.forgetCode();
    this.setBudget(this.board.deadline());
    const record = this.blocks.lookup();
    if (record === 0) return this.step();
    this.record = record;
    const exit = this.runRecords(record);
    this.record = 0;
    this.unpatch();
    if (this.pendingException !== undefined) return this.raisePending();
    switch (exit) {
      case EXIT.fault:
        return this.raisePending();
      case EXIT.step:
        return this.step();
      case EXIT.budget:
        return this.finishBudget();
      default:
        return 'ok';
    }
  }

  private runRecords(record: number): number {
    const { runLong } = this;
    return runLong !== undefined && this.state.longCode ? runLong(record) : this.run(record);
  }

  /** Fewer ticks are left than the next block has, or the budget was cut short to get here. */
  private finishBudget(): 'ok' | 'tripleFault' {
    if (this.board.deadline() - this.tick >= BLOCK_LIMIT) return 'ok';
    while (!this.wantsAttention() && this.tick < this.board.deadline()) {
      const result = this.step();
      if (result === 'tripleFault' || this.careful) return result;
    }
    return 'ok';
  }

  /** Something that cannot wait for the deadline. */
  private wantsAttention(): boolean {
    const { state } = this;
    return (
      this.halted ||
      this.stopRequested ||
      (state.get32(layout.INTERRUPT_PENDING) !== 0 && state.interruptsEnabled) ||
      // While FERR# is asserted, every instruction may be the one that takes it away.
      numericErrorLine(state)
    );
  }

  /** One instruction (or REP iteration), decoded afresh; traps included. */
  step(): 'ok' | 'tripleFault' {
    const { state } = this;
    const before = state.get32(layout.EFLAGS_SYSTEM);
    const { eip } = state;
    const { tick } = this;
    const { breakpoints } = this;
    const linear = (state.segmentBase(layout.CS) + eip) >>> 0;
    this.blocks.executed.mark(linear);
    if (breakpoints.any && breakpoints.meets(linear, tick, () => this.peekInstruction()?.mnemonic)) {
      this.stopRequested = true;
      return 'ok';
    }
    this.setBudget(tick + 1);
    this.debugHits = 0;
    this.interruptDelivered = false;
    this.debugTrapsInhibited = false;
    try {
      if (!(before & EFLAG.rf) && instructionBreakpoint(state, (state.codeBase + eip) >>> 0)) {
        throw new GuestException(VECTOR.debug, 0, 'instructionBreakpoint');
      }
      // RF covers this one instruction (SDM volume 3, 17.3.1.1); an IRET sets it anew.
      if (before & EFLAG.rf) {
        state.set32(layout.EFLAGS_SYSTEM, before & ~EFLAG.rf);
        this.updateCareful();
      }
      this.decodeStep();
    } catch (error) {
      if (!(error instanceof GuestException)) throw error;
      this.setBudget(this.tick);
      return this.deliver(error);
    }
    this.record = layout.STEP_RECORDS;
    const exit = this.runRecords(layout.STEP_RECORDS);
    this.record = 0;
    this.unpatch();
    const trap = (before & EFLAG.tf) !== 0 && !this.interruptDelivered;
    const hits = this.debugHits | (trap ? DR6_SINGLE_STEP : 0);
    if (exit === EXIT.fault || this.pendingException !== undefined) {
      // The trap behind a task switch tells of everything else that the instruction has met, too.
      if (hits !== 0 && this.pendingException?.vector === VECTOR.debug && this.pendingException.kind === 'trap') debugTrap(state, hits);
      return this.raisePending();
    }
    // A REP that goes on must not hit the breakpoint on itself again.
    if (state.eip === eip && this.decoder.form.repeat !== 0) {
      if (breakpointsEnabled(state)) state.set32(layout.EFLAGS_SYSTEM, state.get32(layout.EFLAGS_SYSTEM) | EFLAG.rf);
      this.breakpoints.repeated(this.tick);
    }
    if (hits !== 0 && !this.debugTrapsInhibited) return this.deliver(debugTrap(state, hits));
    return 'ok';
  }

  /** Decodes the instruction at EIP into the step record. @throws GuestException from the fetch */
  private decodeStep(): void {
    const { state, decoder } = this;
    const eip = state.eip;
    const linear = (state.codeBase + eip) >>> 0;
    const limit = state.codeLimit;
    if (eip > limit) throw generalProtection(0);
    const user = state.cpl === 3;
    if (state.longCode) requireFetchable(state, BigInt.asIntN(64, state.i64[layout.EIP >>> 3] as bigint), user);
    const bytes = this.fetchBuffer;
    const withinLimit = state.longCode ? bytes.length : Math.min(bytes.length, limit - eip + 1);
    let available = Math.min(withinLimit, 0x1000 - (linear & 0xfff));
    this.fetch(linear, available, user, bytes, 0);
    let result = decoder.decode(bytes, 0, available, state.get32(layout.MODE));
    if (result === 'needMoreBytes' && available < withinLimit) {
      if (state.longCode) requireFetchable(state, BigInt(linear) + BigInt(available), user);
      this.fetch((linear + available) >>> 0, withinLimit - available, user, bytes, available);
      available = withinLimit;
      result = decoder.decode(bytes, 0, available, state.get32(layout.MODE));
    }
    if (result === 'undefined') throw invalidOpcode();
    if (result !== 'ok') throw generalProtection(0);
    const offset = linear & 0xfff;
    state.set32(layout.CODE_PAGE_EIP, eip - offset);
    writeRecord(state, layout.STEP_RECORDS, decoder, offset);
    const after = layout.STEP_RECORDS + layout.RECORD_BYTES;
    state.u16[(after + RECORD.handler) >>> 1] = HANDLER.stepped;
    state.u8[after + RECORD.remaining] = 0;
    state.u16[(after + RECORD.offset) >>> 1] = offset + decoder.length;
  }

  private fetch(linear: number, count: number, user: boolean, into: Uint8Array, at: number): void {
    const address = this.mmu.translate(linear, { write: false, user, fetch: true });
    for (let i = 0; i < count; i++) into[at + i] = this.physical.read(address + i, 1);
  }

  /** Forgets all blocks, and what leads to them. Only while no generated code is running. */
  private forgetCode(): void {
    this.blocks.forget();
    this.modeChanged();
  }

  private translationsDropped(page: number | undefined): void {
    const { state } = this;
    this.blocks.translationsDropped(page);
    if (this.record === 0) return;
    const current = (state.get32(layout.CODE_PAGE_EIP) + state.codeBase) >>> 0;
    if (page === undefined || page === current) this.leaveAfterCurrent();
  }

  // --- calls from generated code -----------------------------------------------------------------------------------------

  /** Runs a slow path; a guest exception becomes FAULT_VECTOR. */
  private guarded(record: number, body: () => void): undefined {
    this.record = record;
    try {
      body();
    } catch (error) {
      this.noteException(error);
    }
  }

  private noteException(error: unknown): GuestException {
    if (!(error instanceof GuestException)) throw error;
    this.state.set32(layout.FAULT_VECTOR, error.vector);
    this.state.set32(layout.FAULT_ERROR_CODE, error.errorCode);
    this.pendingException = error;
    return error;
  }

  /** @returns 0 go on at EIP, 1 fault, 3 leave (the status values of outlined functions) */
  private hostInstruction(entry: HostEntry, record: number): number {
    this.record = record;
    const { state } = this;
    const view = this.view.select(record, entry.form);
    const system = state.get32(layout.EFLAGS_SYSTEM);
    const delivers = entry.isSoftwareInterrupt && (entry.form.definition.mnemonic !== 'into' || (state.eflags & EFLAG.of) !== 0);
    state.eip = view.eip + view.length;
    try {
      entry.semantics(this, view);
    } catch (error) {
      // Of a fault nothing has happened; after a trap the instruction is complete and EIP stays.
      const { kind } = this.noteException(error);
      if (kind === 'trap' && entry.isSoftwareInterrupt && this.interceptsExceptions) {
        // The one tick of INT3 and its kin is that of the delivery, which no single-step trap follows.
        this.addTicks(-1);
        this.interruptDelivered = true;
      }
      return kind === 'fault' || kind === 'instructionBreakpoint' ? 1 : 3;
    }
    this.interruptDelivered = delivers;
    if ((system ^ state.get32(layout.EFLAGS_SYSTEM)) & (EFLAG.tf | EFLAG.rf | EFLAG.ac)) this.updateCareful();
    return this.wantsAttention() || this.careful || this.stepOnly ? 3 : 0;
  }

  // --- exceptions and interrupts --------------------------------------------------------------------------------------------

  /** Delivers what generated code (or a host instruction under it) has run into. */
  private raisePending(): 'ok' | 'tripleFault' {
    const { state } = this;
    const exception =
      this.pendingException ?? new GuestException(state.i32[layout.FAULT_VECTOR >>> 2] as number, state.get32(layout.FAULT_ERROR_CODE));
    this.pendingException = undefined;
    state.set32(layout.FAULT_VECTOR, layout.NO_FAULT);
    return this.deliver(exception);
  }

  private deliver(exception: GuestException): 'ok' | 'tripleFault' {
    // A trap comes behind its instruction, and nothing between the two.
    this.onException?.(exception.vector, exception.kind === 'trap' ? this.tick - 1 : this.tick);
    if (this.interceptsExceptions) {
      this.intercepted = exception;
      this.stopRequested = true;
      return 'ok';
    }
    // A debug trap behind HLT ends it.
    this.halted = false;
    this.physical.accessor = 'delivery';
    const result: RaiseResult = raise(this, exception);
    return this.delivered(result);
  }

  /** Accepts an external interrupt: 1 tick. */
  interrupt(vector: number): 'ok' | 'tripleFault' {
    this.halted = false;
    this.physical.accessor = 'delivery';
    return this.delivered(acceptInterrupt(this, vector));
  }

  private delivered(result: RaiseResult): 'ok' | 'tripleFault' {
    this.physical.accessor = 'instruction';
    this.addTicks(1);
    this.updateCareful();
    return result === 'tripleFault' ? 'tripleFault' : 'ok';
  }

  /** Interrupts are enabled and not inhibited by the instruction just before. */
  get acceptsInterrupts(): boolean {
    return this.state.interruptsEnabled && this.state.f64[layout.SHADOW_TICK >>> 3] !== this.tick;
  }

  setInterruptPending(pending: boolean): void {
    this.state.set32(layout.INTERRUPT_PENDING, pending ? 1 : 0);
    if (pending && this.record !== 0) this.leaveAfterCurrent();
  }

  // --- Cpu: what host instructions use ---------------------------------------------------------------------------------------

  linear(segment: number, offset: number, bytes: number, write: boolean, alignment?: number): number {
    return checkedLinear(this, segment, offset, bytes, write, alignment);
  }

  inhibitInterrupts(debugTraps: boolean): void {
    this.debugTrapsInhibited = debugTraps;
    this.state.f64[layout.SHADOW_TICK >>> 3] = this.tick + 1;
  }

  halt(): void {
    this.halted = true;
  }

  readPort(port: number, bytes: 1 | 2 | 4): number {
    this.debugHits |= portBreakpoints(this.state, port, bytes);
    return this.board.readPort(port, bytes);
  }
  writePort(port: number, bytes: 1 | 2 | 4, value: number): void {
    this.debugHits |= portBreakpoints(this.state, port, bytes);
    this.board.writePort(port, bytes, value);
  }

  flushTlb(kind: 'all' | 'nonGlobal'): void {
    this.mmu.tlb.flush(kind);
  }
  invalidatePage(linear: number): void {
    this.mmu.tlb.invalidatePage(linear);
  }
  loadPageDirectoryPointers(cr3: number): void {
    this.mmu.paging.loadPageDirectoryPointers(cr3);
  }
  pageDirectoryPointers(cr3: number): readonly number[] {
    return this.mmu.paging.pageDirectoryPointers(cr3);
  }

  modeChanged(): void {
    const { state } = this;
    const dataFlat = state.segmentIsFlat(layout.DS) && state.segmentIsFlat(layout.ES) && state.segmentIsFlat(layout.SS);
    const cs = state.segmentAttributes(layout.CS);
    const base = state.segmentBase(layout.CS);
    const limit = state.segmentLimit(layout.CS);
    const stack32 = (state.segmentAttributes(layout.SS) & ATTRIBUTE.big) !== 0;
    const user = state.cpl === 3;
    if (this.runLong !== undefined && cs & ATTRIBUTE.long && state.get32(layout.EFER) & EFER_LMA) {
      state.set32(layout.MODE, LONG_MODE | (user ? MODE_USER : 0));
      state.set32(layout.STACK_FLAT, 0);
      this.updateCareful();
      this.onModeChange?.();
      return;
    }
    state.set32(
      layout.MODE,
      (cs & ATTRIBUTE.big ? MODE_CODE_32 : 0) |
        (stack32 ? MODE_STACK_32 : 0) |
        (dataFlat ? MODE_DATA_FLAT : 0) |
        (limit === FLAT_LIMIT && base === 0 ? MODE_CODE_FLAT : 0) |
        (user ? MODE_USER : 0) |
        (this.blocks.segments.numberOf(base, limit) << MODE_SEGMENT_SHIFT),
    );
    state.set32(layout.STACK_FLAT, dataFlat && stack32 ? 1 : 0);
    this.updateCareful();
    this.onModeChange?.();
  }

  /** Tracing, breakpoints and alignment checks decide which TLB table and which tier are used. */
  private updateCareful(): void {
    const { state } = this;
    const flags = state.get32(layout.EFLAGS_SYSTEM);
    const watch = breakpointsEnabled(state);
    const user = state.cpl === 3;
    const alignment = user && (flags & EFLAG.ac) !== 0 && (state.cr0 & CR0.am) !== 0;
    this.careful = watch || (flags & (EFLAG.tf | EFLAG.rf)) !== 0;
    this.mmu.accessCheck = watch || alignment ? this.accessCheck(watch, alignment) : undefined;
    state.set32(layout.TLB_BASE, watch || alignment ? layout.TLB_NONE : user ? layout.TLB_USER : layout.TLB_SUPERVISOR);
    if (this.careful && this.record !== 0) this.leaveAfterCurrent();
  }

  private accessCheck(watch: boolean, alignment: boolean): AccessCheck {
    return (linear, bytes, write, isUser) => {
      if (watch) this.debugHits |= dataBreakpoints(this.state, linear, bytes, write);
      if (alignment && isUser && linear & (alignmentOf(bytes) - 1)) throw new GuestException(VECTOR.alignmentCheck, 0);
    };
  }

  /** The instruction at EIP, without effect on anything; undefined where none can be read or decoded. */
  peekInstruction(): PeekedInstruction | undefined {
    const { state, physical, peekDecoder } = this;
    const linear = (state.codeBase + state.eip) >>> 0;
    const translate = (address: number): number | undefined => peekTranslation(state, physical, address >>> 0);
    const bytes = peekRange(linear, INSTRUCTION_LIMIT_BYTES, translate, physical);
    if (peekDecoder.decode(bytes, 0, bytes.length, state.get32(layout.MODE)) !== 'ok') return undefined;
    const { form, length: lengthBytes } = peekDecoder;
    return { mnemonic: form.definition.mnemonic, lengthBytes, repeats: form.repeat !== 0 };
  }

  /** A debugger's breakpoints: linear addresses, and instructions wherever they stand. Only between runs. */
  setBreakpoints(addresses: Iterable<number>, mnemonics: Iterable<string>): void {
    this.breakpoints.replace(addresses, mnemonics);
    this.forgetCode();
  }

  /** Registers were set from outside, and memory only through PhysicalMemory: derives anew what depends on them. */
  registersReplaced(pagingChanged: boolean): void {
    for (let index = 0; index < 8; index++) this.state.deriveBounds(index);
    this.publishedSkippedNs = Number.NaN;
    if (pagingChanged) this.mmu.tlb.flush('all');
    this.breakpoints.forget();
    this.modeChanged();
  }

  /** Registers and memory were set from outside: nothing that was derived from either holds. */
  dropCaches(): void {
    this.registersReplaced(true);
    this.forgetCode();
  }
}
