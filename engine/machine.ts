/**
 * The PC put together: CPU, memory, devices, clock. `run` executes until something happens that an embedder wants to
 * know of, and says what it was.
 */

import { Devices } from './board.js';
import { BOARD_ACPI_ADDRESS } from './boot/acpi-placement.js';
import type { BootState } from './boot/boot-state.js';
import { loadBoot } from './boot/load.js';
import { applyChanges, CHANGES_DEVICE } from './changes.js';
import { Clock } from './clock/clock.js';
import type { AcceptedInterrupt, ExitReason, MachineConfig, RunUntil } from './config.js';
import { Core, type PeekedInstruction } from './cpu/core.js';
import { restoreCpu, saveCpu } from './cpu/cpu-snapshot.js';
import * as layout from './cpu/layout.js';
import { Registers } from './cpu/registers.js';
import { buildAcpiTables } from './devices/acpi-tables.js';
import { type BusMemory, type Device, type DeviceState, type IrqLine, StateError, type StateValue } from './devices/device.js';
import type { UnclaimedPortAccess } from './devices/port-bus.js';
import type { VgaText } from './devices/vga.js';
import { MachineDigest } from './digest/machine-digest.js';
import { ignoreNumericError, numericErrorLine } from './isa/x87/error-line.js';
import { peekRange, peekTranslation } from './mmu/peek.js';
import { FRAME, PhysicalMemory, type UnclaimedMemoryAccess } from './mmu/physical-memory.js';
import { type Watch, type WatchedAccess, Watches } from './mmu/watches.js';
import { type FrameTracker, WrittenFrames } from './mmu/written-frames.js';
import { interpreterFor } from './translate/engine-module.js';

export type UnclaimedAccess = UnclaimedPortAccess | UnclaimedMemoryAccess;

export interface PortAccess {
  readonly tick: number;
  readonly port: number;
  readonly bytes: 1 | 2 | 4;
  readonly write: boolean;
  readonly value: number;
}

/** A snapshot: plain data, complete. */
export type MachineState = DeviceState;

const MIB = 1024 * 1024;
const DEFAULTS = { memoryBytes: 64 * MIB, nsPerTick: 2, seed: 0, epochSeconds: 1_704_067_200 } as const;
export const MEMORY_LIMIT_BYTES = 3072 * MIB;

/** The VGA window below the text memory: graphics planes, which this machine does not have. */
const VGA_GRAPHICS = { first: 0xa0000, bytes: 0x10000 } as const;

/** A write here asserts IGNNE#. */
const NUMERIC_ERROR_PORT = 0xf0;

/** A HLT that so many alarms in a row do not end is waiting for an input. */
const IDLE_ALARMS_LIMIT = 1 << 20;

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

export class Machine {
  /** An interrupt was accepted. Called at the tick before. */
  onInterrupt: ((accepted: AcceptedInterrupt) => void) | undefined;
  /** An exception is about to be delivered. The tick is that at which the instruction that raised it began. */
  onException: ((raised: { readonly tick: number; readonly vector: number }) => void) | undefined;
  /** CR0, CR3, CR4, privilege or the widths of code and stack may have changed, by what is under way at this tick. */
  onModeChange: (() => void) | undefined;
  /** A port was accessed, by an instruction that is under way at this tick. */
  onPort: ((access: PortAccess) => void) | undefined;
  /** Memory that `setWatches` names was accessed, by what is under way at this tick. */
  onAccess: ((access: WatchedAccess & { readonly tick: number }) => void) | undefined;
  /** The instruction at an address of `setBreakpoints` comes next. @returns whether `run` is to stop in front of it */
  onBreakpoint: ((linear: number) => boolean) | undefined;
  /** The guest sent a byte on a serial port. */
  onSerial: ((port: 0 | 1, byte: number) => void) | undefined;
  /** The guest wrote to port 0xe9. */
  onDebugConsole: ((byte: number) => void) | undefined;
  /** The guest accessed a port or an address that nobody claims. */
  onUnclaimed: ((access: UnclaimedAccess) => void) | undefined;
  readonly screen: VgaText;
  readonly memory: BusMemory;
  readonly registers: Registers;

  private readonly clock: Clock;
  private readonly core: Core;
  private readonly physical: PhysicalMemory;
  private readonly devices: Devices;
  private readonly numericError: IrqLine;
  private readonly digests: MachineDigest;
  private readonly written: WrittenFrames;
  private readonly watches: Watches;
  private untilTick = Number.POSITIVE_INFINITY;
  private untilNs = Number.POSITIVE_INFINITY;
  private pendingReset: 'none' | 'cpu' | 'system' = 'none';
  private ended: ExitReason | undefined;
  /** Everything that belongs to the steps before this tick has happened. */
  private settledTick = 0;
  /** What has become due with the tick just reached is happening. */
  private settling = false;
  /** A snapshot is being put back. */
  private restoring = false;

  constructor(private readonly config: MachineConfig) {
    const memoryBytes = config.memoryBytes ?? DEFAULTS.memoryBytes;
    const nsPerTick = config.nsPerTick ?? DEFAULTS.nsPerTick;
    checkConfig(config, memoryBytes, nsPerTick);
    const rom = config.boot.kind === 'bios' ? config.boot.rom : undefined;
    const romBytes = rom === undefined ? 0 : Math.ceil(rom.length / 4096) * 4096;
    const pages = layout.memoryPages(memoryBytes + romBytes);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.physical = new PhysicalMemory(memory, memoryBytes, romBytes);
    this.physical.makeHole(VGA_GRAPHICS.first, VGA_GRAPHICS.bytes);
    this.clock = new Clock(nsPerTick);
    const { map, instantiate } = interpreterFor(memory, pages);
    const { clock } = this;
    const exported = { functions: undefined as ReturnType<typeof instantiate> | undefined };
    this.core = new Core(
      memory,
      this.physical,
      {
        readPort: (port, bytes) => {
          const value = this.devices.ports.read(port, bytes);
          this.onPort?.({ tick: this.core.tick, port, bytes, write: false, value });
          return value;
        },
        writePort: (port, bytes, value) => {
          this.onPort?.({ tick: this.core.tick, port, bytes, write: true, value });
          this.devices.ports.write(port, bytes, value);
        },
        get nowNs() {
          return clock.nowNs;
        },
        nsPerTick,
        get skippedNs() {
          return clock.skippedNs;
        },
        deadline: () => Math.max(this.core.tick, Math.min(this.untilTick, clock.tickAt(Math.min(clock.nextDueNs, this.untilNs)))),
      },
      map,
      (imports) => {
        exported.functions = instantiate(imports);
        return exported.functions.run;
      },
    );
    this.core.stepOnly = config.tier === 'step';
    clock.attach(this.core);
    this.devices = new Devices(config, clock, this.physical, memoryBytes, config.epochSeconds ?? DEFAULTS.epochSeconds, {
      serial: (port, byte) => this.onSerial?.(port, byte),
      debugConsole: (byte) => this.onDebugConsole?.(byte),
      debugExit: (value) => this.end({ kind: 'debugExit', value }),
      powerOff: () => this.end({ kind: 'powerOff' }),
      reset: (hard) => this.requestReset(hard),
      a20Changed: (open) => this.setA20(open),
      shadowChanged: (segments) => {
        for (const segment of segments) this.physical.setReadOnly(segment.address, segment.sizeBytes, !segment.writeMemory);
        this.core.flushTlb('all');
      },
    });
    this.numericError = this.devices.pic.line(13);
    this.devices.ports.claim(NUMERIC_ERROR_PORT, 1, { byteWide: true, read: () => 0xff, write: () => ignoreNumericError(this.core.state) });
    this.devices.pic.onIntrChange = (intr) => this.core.setInterruptPending(intr);
    this.devices.ports.onUnclaimed = (access) => this.onUnclaimed?.(access);
    this.physical.onUnclaimed = (access) => this.onUnclaimed?.(access);
    this.core.onException = (vector, tick) => this.onException?.({ tick, vector });
    this.core.onModeChange = () => {
      if (!this.restoring) this.onModeChange?.();
    };
    this.core.breakpoints.onMet = (linear) => this.onBreakpoint?.(linear) ?? true;
    this.watches = new Watches(this.physical, this.core.mmu.tlb);
    this.watches.onAccess = (access) => this.onAccess?.({ ...access, tick: this.stepTick });
    this.written = new WrittenFrames(this.physical, this.core.mmu.tlb);
    this.digests = new MachineDigest(
      exported.functions as NonNullable<typeof exported.functions>,
      this.physical,
      this.written.track(),
      memory,
    );
    this.memory = this.physical;
    this.screen = this.devices.vga;
    this.registers = new Registers(this.core);
    this.powerOn();
  }

  /** Ticks completed since power-on. */
  get tick(): number {
    return this.core.tick;
  }
  /**
   * For callbacks: what they hear of happens between this tick and the next. What devices do as a tick is reached belongs to
   * the step that led to it: it is part of the state at that tick.
   */
  get stepTick(): number {
    return this.settling ? this.core.tick - 1 : this.core.tick;
  }
  /** EIP of the instruction under way, for callbacks; between two, of the next. */
  get currentEip(): number {
    return this.core.currentEip;
  }
  /** HLT: nothing is executed until an interrupt comes. */
  get halted(): boolean {
    return this.core.halted;
  }
  /** Virtual nanoseconds since power-on. */
  get nowNs(): number {
    return this.clock.nowNs;
  }

  // --- power, reset ----------------------------------------------------------------------------------------------------

  private powerOn(): void {
    this.devices.reset();
    this.core.reset();
    this.boot();
  }

  private boot(): void {
    const sizeBytes = this.physical.ramBytes;
    const write = (address: number, bytes: Uint8Array): void => this.physical.load(address, bytes);
    const withTables = this.config.boot.kind === 'linux' || this.config.boot.kind === 'multiboot';
    const tables = withTables ? [buildAcpiTables({ address: BOARD_ACPI_ADDRESS, memoryBytes: sizeBytes })] : [];
    const state = loadBoot(this.config.boot, { sizeBytes, write }, tables);
    if (state.rom !== undefined) {
      const { address, aliasAddress, aliasBytes, bytes } = state.rom;
      this.physical.load(address, bytes);
      this.physical.load(aliasAddress, bytes.subarray(bytes.length - aliasBytes));
      this.physical.setReadOnly(aliasAddress, aliasBytes, true);
    }
    this.startCpu(state);
    if (state.firmwareDefaults) this.devices.applyFirmwareDefaults();
    this.setA20(this.devices.a20);
  }

  private startCpu({ cpu }: BootState): void {
    const { state } = this.core;
    const registers = [cpu.eax, cpu.ecx, cpu.edx, cpu.ebx, cpu.esp, cpu.ebp, cpu.esi, cpu.edi];
    registers.forEach((value, index) => {
      state.setReg32(index, value);
    });
    state.eip = cpu.eip;
    state.eflags = cpu.eflags;
    state.set32(layout.CR0, cpu.cr0);
    const segments = [cpu.es, cpu.cs, cpu.ss, cpu.ds, cpu.fs, cpu.gs];
    segments.forEach((segment, index) => {
      state.writeSegment(index, segment);
    });
    state.set32(layout.GDTR_BASE, cpu.gdt.base);
    state.set32(layout.GDTR_LIMIT, cpu.gdt.limit);
    state.set32(layout.IDTR_BASE, cpu.idt.base);
    state.set32(layout.IDTR_LIMIT, cpu.idt.limit);
    this.core.dropCaches();
  }

  private setA20(open: boolean): void {
    if (this.physical.a20Open === open) return;
    this.physical.setA20(open);
    this.core.flushTlb('all');
  }

  private requestReset(hard: boolean): void {
    // Without a BIOS there is nothing at the reset vector: a reset of the CPU alone starts the loaded image again, too.
    this.pendingReset = hard || this.config.boot.kind !== 'bios' ? 'system' : 'cpu';
    this.core.leaveAfterCurrent();
    this.core.stopRequested = true;
  }

  private performReset(): void {
    const kind = this.pendingReset;
    this.pendingReset = 'none';
    const { tick } = this.core;
    if (kind === 'system') this.devices.reset();
    this.core.reset();
    this.core.setTick(tick);
    if (kind === 'system') this.boot();
    this.core.setInterruptPending(this.devices.pic.intr);
  }

  private end(reason: ExitReason): void {
    this.ended = reason;
    this.requestStop();
  }

  /** From a callback: `run` returns `{kind: 'stopped'}` after the instruction under way. */
  requestStop(): void {
    this.core.stopRequested = true;
    this.core.leaveAfterCurrent();
  }

  // --- running ---------------------------------------------------------------------------------------------------------

  /** @returns why it stopped; running again goes on where it is, whatever the reason was. */
  run(until: RunUntil): ExitReason {
    this.untilTick = until.tick ?? Number.POSITIVE_INFINITY;
    this.untilNs = until.ns !== undefined && until.tick === undefined ? until.ns : Number.POSITIVE_INFINITY;
    const skipLimitNs = until.ns ?? Number.POSITIVE_INFINITY;
    let idleAlarms = 0;
    const { core, clock } = this;
    this.ended = undefined;
    for (;;) {
      this.settling = core.tick > this.settledTick;
      clock.fireDue();
      if (this.pendingReset !== 'none') {
        core.stopRequested = false;
        this.performReset();
      }
      this.settling = false;
      this.settledTick = core.tick;
      this.numericError.set(numericErrorLine(core.state));
      if (core.stopRequested) {
        core.stopRequested = false;
        return this.ended ?? { kind: 'stopped' };
      }
      const due = core.tick >= this.untilTick || clock.nowNs >= this.untilNs;
      if (due && (!core.halted || until.ns === undefined || clock.nowNs >= skipLimitNs)) return { kind: 'limit' };
      if (this.devices.pic.intr && core.acceptsInterrupts) {
        const { tick } = core;
        const vector = this.devices.pic.acknowledge();
        this.onInterrupt?.({ tick, vector });
        if (core.interrupt(vector) === 'tripleFault') return { kind: 'tripleFault' };
        idleAlarms = 0;
        continue;
      }
      if (core.halted) {
        if (!core.state.interruptsEnabled) return { kind: 'halted' };
        const next = clock.nextDueNs;
        if (next > skipLimitNs) {
          clock.skipTo(skipLimitNs);
          return { kind: 'idle' };
        }
        if (next === Number.POSITIVE_INFINITY || ++idleAlarms > IDLE_ALARMS_LIMIT) return { kind: 'idle' };
        clock.skipTo(next);
        continue;
      }
      if (core.execute() === 'tripleFault') return { kind: 'tripleFault' };
    }
  }

  /** Gives an event to an input device at the present tick. @throws InputError */
  input(device: string, payload: Uint8Array): void {
    if (device === CHANGES_DEVICE) applyChanges(payload, this.registers, this.physical);
    else this.devices.input(device, payload);
  }

  // --- state -----------------------------------------------------------------------------------------------------------

  /** CPU, devices and time as plain data: a snapshot but for the frames. */
  saveWithoutMemory(): MachineState {
    return this.stateWith((device) => device.save());
  }

  /** The same for `rewind`: what is large and does not change is in many states only once. */
  saveShared(): MachineState {
    return this.stateWith((device) => device.saveShared?.() ?? device.save());
  }

  private stateWith(save: (device: Device) => DeviceState): MachineState {
    const devices: DeviceState = {};
    for (const device of this.devices.all) devices[device.name] = save(device);
    return { cpu: saveCpu(this.core), skippedNs: this.clock.skippedNs, pendingReset: this.pendingReset, devices };
  }

  /** 64-bit digest of the whole state: CPU, RAM, devices. */
  digest(): bigint {
    return this.digests.compute(this.saveWithoutMemory());
  }

  /** A complete snapshot as plain data. */
  save(): MachineState {
    const frames: number[] = [];
    for (let frame = 0; frame < this.physical.frames; frame++) if (!this.isZeroFrame(frame)) frames.push(frame);
    const contents = new Uint8Array(frames.length * 4096);
    frames.forEach((frame, i) => {
      contents.set(this.frameBytes(frame), i * 4096);
    });
    return { ...this.saveWithoutMemory(), memoryBytes: this.physical.ramBytes, frames, contents };
  }

  private isZeroFrame(frame: number): boolean {
    const at = this.physical.hostAddress(frame) >>> 3;
    const { i64 } = this.core.state;
    for (let i = 0; i < 512; i++) if (i64[at + i] !== 0n) return false;
    return true;
  }

  /** Puts a snapshot back. The machine must have the configuration it was taken from. @throws StateError */
  restore(state: MachineState): void {
    const { memoryBytes, frames, contents } = state;
    if (memoryBytes !== this.physical.ramBytes)
      throw new StateError(`the snapshot is of a machine with ${String(memoryBytes)} bytes of memory`);
    if (!Array.isArray(frames) || !(contents instanceof Uint8Array)) throw new StateError('the snapshot is incomplete');
    if (contents.length !== frames.length * 4096) throw new StateError('the snapshot has not as many frames as it says');
    const { physical } = this;
    for (const frame of frames) {
      if (typeof frame !== 'number' || !Number.isInteger(frame) || frame < 0 || frame >= physical.frames)
        throw new StateError(`the snapshot has a frame ${String(frame)}`);
    }
    const parts = checkedParts(state);
    for (let frame = 0; frame < physical.frames; frame++) this.frameBytes(frame).fill(0);
    frames.forEach((frame, i) => {
      this.frameBytes(frame as number).set(contents.subarray(i * 4096, (i + 1) * 4096));
    });
    for (let frame = 0; frame < physical.frames; frame++) physical.frameFlags[frame] = (physical.frameFlags[frame] as number) | FRAME.dirty;
    this.restoreParts(parts);
    this.core.dropCaches();
  }

  /**
   * Puts back what `saveWithoutMemory` or `saveShared` gave, together with the contents of frames. What has been decoded and translated stays
   * where it still holds, so that going back a little costs little.
   * @param frames number and 4096 bytes of each frame that differs from the memory of now
   * @throws StateError
   */
  rewind(state: MachineState, frames: Iterable<readonly [frame: number, bytes: Uint8Array]>): void {
    const parts = checkedParts(state);
    const { physical } = this;
    for (const [frame, bytes] of frames) physical.replaceFrame(frame, bytes);
    this.restoreParts(parts);
  }

  private restoreParts({ cpu, devices, skippedNs, pendingReset }: StateParts): void {
    this.clock.skippedNs = skippedNs;
    this.restoring = true;
    try {
      restoreCpu(this.core, cpu);
    } finally {
      this.restoring = false;
    }
    this.settledTick = this.core.tick;
    if (!Number.isSafeInteger(this.clock.nowNs)) throw new StateError(`the snapshot has no time ${skippedNs}`);
    for (const device of this.devices.all) {
      const saved = devices[device.name];
      if (!isObject(saved)) throw new StateError(`the snapshot lacks the device ${device.name}`);
      device.restore(saved);
    }
    this.pendingReset = pendingReset;
    this.core.stopRequested = false;
    this.setA20(this.devices.a20);
    this.core.setInterruptPending(this.devices.pic.intr);
  }

  // --- looking at memory without touching anything -----------------------------------------------------------------------

  /** Physical address of a linear one under the page tables of now; undefined where no page is present. */
  translate(linear: number): number | undefined {
    return peekTranslation(this.core.state, this.physical, linear >>> 0);
  }
  /** Bytes of guest-physical memory up to the end of what has storage; devices are not asked. */
  peekPhysical(address: number, bytes: number): Uint8Array {
    return peekRange(address, bytes, (at) => at, this.physical);
  }
  /** Bytes of linear memory up to the first that is not present or has no storage. */
  peekLinear(linear: number, bytes: number): Uint8Array {
    return peekRange(linear >>> 0, bytes, (at) => this.translate(at % 0x1_0000_0000), this.physical);
  }

  // --- a debugger's breakpoints and watches: no state of the machine, and without effect on the guest ---------------------

  /**
   * Linear addresses in front of which `run` stops, with `{kind: 'stopped'}`, unless `onBreakpoint` says otherwise. Running
   * again goes on with the instruction.
   * @param mnemonics instructions that it stops in front of wherever they stand, by their names in the instruction table
   */
  setBreakpoints(addresses: Iterable<number>, mnemonics: Iterable<string> = []): void {
    this.core.setBreakpoints(addresses, mnemonics);
  }
  /** The instruction at EIP; undefined where none can be read or decoded. */
  peekInstruction(): PeekedInstruction | undefined {
    return this.core.peekInstruction();
  }
  /** The instruction that comes next does not stop the machine, though there be a breakpoint. */
  passBreakpoint(): void {
    this.core.breakpoints.pass(this.core.tick);
  }
  /**
   * The last tick was an iteration of a REP that goes on with the next: a breakpoint there is not met. Only what `runStepped`
   * has run is known so well.
   */
  get midRepeat(): boolean {
    return this.core.breakpoints.isMidRepeat(this.core.tick);
  }
  /** Forgets what was passed and met here. @param midRepeat as it was when the machine came to this tick */
  rearmBreakpoint(midRepeat: boolean): void {
    this.core.breakpoints.rearm(this.core.tick, midRepeat);
  }
  /** As `run`, one instruction after the other. */
  runStepped(until: RunUntil): ExitReason {
    const { core } = this;
    const before = core.stepOnly;
    core.stepOnly = true;
    try {
      return this.run(until);
    } finally {
      core.stepOnly = before;
    }
  }
  /** Accesses that `onAccess` hears of. */
  setWatches(watches: readonly Watch[]): void {
    this.watches.replace(watches);
  }

  // --- frames, for those that keep checkpoints ---------------------------------------------------------------------------

  /** Pages with storage: RAM page p is frame p, the pages of the ROM follow. */
  get frameCount(): number {
    return this.physical.frames;
  }
  /** A view, not a copy, of the 4096 bytes of a frame. Only for reading. */
  frameBytes(frame: number): Uint8Array {
    const at = this.physical.hostAddress(frame);
    return this.core.state.u8.subarray(at, at + 4096);
  }
  /**
   * Adds the lines of 64 bytes of a frame that have been written since they were last taken to a set of 64 bits. One alone
   * can ask for them.
   */
  takeWrittenLines(frame: number, into: Uint32Array): void {
    this.physical.writtenLines.take(frame, into);
  }
  forgetWrittenLines(frame: number): void {
    this.physical.writtenLines.forget(frame);
  }
  /** Pages (`executedPage`) in which instructions have been about to be executed since this was last asked, ascending. One alone can ask. */
  takeExecutedPages(): Uint32Array {
    return this.core.executedPages.take();
  }
  /** Tells which frames are written from now on; the first time also those that the loaders wrote. */
  trackFrames(): FrameTracker {
    return this.written.track();
  }
}

interface StateParts {
  readonly cpu: DeviceState;
  readonly devices: DeviceState;
  readonly skippedNs: number;
  readonly pendingReset: 'none' | 'cpu' | 'system';
}

const isObject = (value: StateValue | undefined): value is DeviceState =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);

/** @throws StateError */
function checkedParts({ cpu, skippedNs, pendingReset, devices }: MachineState): StateParts {
  if (typeof skippedNs !== 'number' || !Number.isSafeInteger(skippedNs) || skippedNs < 0)
    throw new StateError('the snapshot is incomplete');
  if (pendingReset !== 'none' && pendingReset !== 'cpu' && pendingReset !== 'system')
    throw new StateError('the snapshot has no pendingReset');
  if (!isObject(cpu) || !isObject(devices)) throw new StateError('the snapshot has no CPU or no devices');
  return { cpu, devices, skippedNs, pendingReset };
}

function checkConfig(config: MachineConfig, memoryBytes: number, nsPerTick: number): void {
  if (!Number.isInteger(memoryBytes) || memoryBytes % 4096 !== 0 || memoryBytes < MIB || memoryBytes > MEMORY_LIMIT_BYTES) {
    throw new ConfigError(`memoryBytes must be a multiple of 4096 from ${MIB} to ${MEMORY_LIMIT_BYTES}, not ${memoryBytes}`);
  }
  if (!Number.isInteger(nsPerTick) || nsPerTick < 1 || nsPerTick > 1_000_000)
    throw new ConfigError(`nsPerTick must be a whole number from 1 to 1000000, not ${nsPerTick}`);
  const seed = config.seed ?? DEFAULTS.seed;
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffff_ffff)
    throw new ConfigError(`seed must be an unsigned 32-bit number, not ${seed}`);
  const epoch = config.epochSeconds ?? DEFAULTS.epochSeconds;
  if (!Number.isSafeInteger(epoch) || epoch < 0)
    throw new ConfigError(`epochSeconds must be a whole number of seconds since 1970, not ${epoch}`);
}

/** Builds a machine and loads its boot images. @throws ConfigError, BootError */
export function createMachine(config: MachineConfig): Machine {
  return new Machine(config);
}
