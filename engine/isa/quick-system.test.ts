/**
 * The generated cases against the host semantics they stand for: two CPUs, one of which always turns to the host, run
 * the same few instructions from the same random state, mostly as an operating system has it, and must agree.
 * QUICK_SEEDS=30000 tries that many states.
 */
import { expect, test } from 'vitest';
import { Core } from '../cpu/core.js';
import { saveCpu } from '../cpu/cpu-snapshot.js';
import * as layout from '../cpu/layout.js';
import { MSR } from '../cpu/msr.js';
import { setPrivilege, virtual8086Segment } from '../cpu/segmentation.js';
import { CR0, CR4, EFLAG } from '../cpu/state.js';
import { PhysicalMemory } from '../mmu/physical-memory.js';
import { TestRandom } from '../test-random-guest.js';
import { buildInterpreter } from '../translate/interpreter.js';
import { withMemoryPages } from '../wasm/memory-pages.js';
import { CONTROL_FLOW } from './control.js';
import { type Definition, hostSemanticsName } from './definition.js';
import { buildOpcodeMap } from './opcode-map.js';
import { SYSTEM } from './system.js';

const RAM_BYTES = 0x10000;
const GDT = 0x1000;
const IDT = 0x2000;
const TSS = 0x3000;
const CODE = 0x5000;
const CODE_BYTES = 0x200;
const STACK = 0x8000;
const STACK_BYTES = 0x2000;
const LDT = 0x4000;
const DIRECTORY = 0xc000;
const TABLE = 0xd000;
const VECTORS = 32;
const NS_PER_TICK = 3;

const SEEDS = Number(process.env.QUICK_SEEDS ?? 1500);

const pages = layout.memoryPages(RAM_BYTES);

function engineOf(definitions: readonly Definition[]) {
  const map = buildOpcodeMap(definitions, [8, 16, 32]);
  return { map, module: new WebAssembly.Module(withMemoryPages(buildInterpreter(map, () => {}).bytes, pages)) };
}

const rows = [...SYSTEM, ...CONTROL_FLOW.filter(({ mnemonic }) => mnemonic === 'nop' || mnemonic === 'stc')];
const quickEngine = engineOf(rows);
const hostEngine = engineOf(rows.map((row) => ({ ...row, semantics: hostSemanticsName(row) ?? row.semantics })));

class Guest {
  readonly core: Core;
  readonly ram: Uint8Array;
  readonly view: DataView;
  readonly log: string[] = [];
  hostCalls = 0;
  pending = false;
  deadline = 0;
  skippedNs = 0;

  constructor({ map, module }: typeof quickEngine) {
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const guest = this;
    const board = {
      readPort: (port: number, bytes: number) => {
        this.log.push(`${this.core.tick} in ${port} ${bytes} ${this.core.state.eip}`);
        this.portAccessed(port);
        return (port * 0x1234567) % 256 ** bytes;
      },
      writePort: (port: number, bytes: number, value: number) => {
        this.log.push(`${this.core.tick} out ${port} ${bytes} ${value} ${this.core.state.eip}`);
        this.portAccessed(port);
      },
      get nowNs() {
        return guest.core.tick * NS_PER_TICK + guest.skippedNs;
      },
      nsPerTick: NS_PER_TICK,
      get skippedNs() {
        return guest.skippedNs;
      },
      deadline: () => this.deadline,
    };
    this.core = new Core(memory, new PhysicalMemory(memory, RAM_BYTES, 0), board, map, (imports) => {
      const hostInstruction = imports.hostInstruction as unknown as (number: number, record: number) => number;
      const counted = (number: number, record: number): number => {
        this.hostCalls++;
        return hostInstruction(number, record);
      };
      const { exports } = new WebAssembly.Instance(module, { cpu: { ...imports, hostInstruction: counted, memory } });
      return exports.run as (record: number) => number;
    });
    this.ram = new Uint8Array(memory.buffer, layout.FRAMES, RAM_BYTES);
    this.view = new DataView(memory.buffer, layout.FRAMES, RAM_BYTES);
  }

  /** Odd ports raise an interrupt. */
  private portAccessed(port: number): void {
    if (port & 1) this.raise();
  }
  private raise(): void {
    this.pending = true;
    this.core.setInterruptPending(true);
  }

  put32(at: number, ...values: number[]): void {
    values.forEach((value, i) => {
      this.view.setUint32(at + 4 * i, value, true);
    });
  }

  /** Memory and registers from a seed. */
  prepare(seed: number): void {
    const random = new TestRandom(seed);
    const { core, ram } = this;
    const { state } = core;
    ram.fill(0);
    this.log.length = 0;
    core.reset();
    core.setTick(random.below(1000));
    this.pending = false;
    core.setInterruptPending(false);
    this.skippedNs = random.below(1_000_000);
    if (random.chance(50)) core.msr.set(MSR.timeStampCounter, BigInt(random.next()) << 31n);
    const anyCode = (): number => CODE + random.below(CODE_BYTES);
    const mode = random.chance(85) ? 'protected' : random.pick(['real', 'virtual'] as const);
    const user = random.chance(40);
    const codeSelector = (user ? 0x1b : 0x08) | (random.chance(15) ? random.pick([1, 3, 4, 4]) : 0);
    const codeAttributes = (user ? 0xc0fb : 0xc09b) ^ (random.chance(10) ? random.pick([1, 4, 8, 0x10, 0x20, 0x40, 0x4000, 0x8000]) : 0);
    // Descriptors: mostly flat ones as they should be, now and then another access byte, limit or size.
    const descriptor = (access: number): number[] => {
      const other = random.chance(20);
      const low = other && random.chance(50) ? 0xfffe : 0xffff;
      const flags = other ? random.pick([0x4f, 0x8f, 0xcf, 0xdf]) : 0xcf;
      const type = other ? access ^ random.pick([0, 1, 2, 4, 0x20, 0x60, 0x80]) : access;
      return [low, (flags << 16) | (type << 8)];
    };
    this.put32(
      GDT + 8,
      ...descriptor(0x9b),
      ...descriptor(0x93),
      ...descriptor(0xfb),
      ...descriptor(0xf3),
      (TSS << 16) | 0x2fff,
      0x8b00,
      ...descriptor(0x9f),
    );
    this.put32(LDT + 8, ...descriptor(0x9b));
    // The descriptor that the code segment came from, unless it has changed since.
    if (random.chance(80))
      this.put32(GDT + (codeSelector & 0xf8), 0xffff, 0x000f_0000 | ((codeAttributes & 0xf000) << 8) | ((codeAttributes & 0xff) << 8));
    for (let vector = 0; vector < VECTORS; vector++) {
      const selector = random.chance(90)
        ? random.pick([0x08, 0x08, 0x09, 0x0b, codeSelector])
        : random.pick([0, 0x0c, 0x18, 0x1b, 0x30, 0x10, 0x38]);
      const access = random.chance(90) ? random.pick([0x8e, 0x8f, 0xee, 0xef]) : random.pick([0x0e, 0x86, 0x87, 0xe6, 0x85, 0x8c, 0xae]);
      this.put32(IDT + vector * 8, anyCode() | (selector << 16), access << 8);
    }
    this.put32(TSS + 4, STACK + 0x1800, 0x10);
    const flagsImage = (): number =>
      random.pick([2, 0x202, 0x246, 0xad7, 0x3202, 0x3002, 0x200ed7, 0x4002, 0x40202, 0x102, 0x10202, 0x20202, 0x180202]);
    for (let at = STACK; at < STACK + STACK_BYTES; at += 12)
      this.put32(at, anyCode(), random.chance(75) ? codeSelector : random.pick([0x08, 0x1b, 0x0b, 0x30, 0x0c]), flagsImage());
    for (let at = CODE; at < CODE + CODE_BYTES + 16; ) {
      const instruction = random.chance(85)
        ? random.pick([
            [0xfa],
            [0xfb],
            [0x9c],
            [0x9d],
            [0xcf],
            [0xcf],
            [0xcd, random.below(VECTORS)],
            [0xcd, random.below(VECTORS)],
            [0x0f, 0x31],
            [0x0f, 0x31],
            [0x0f, 0x30],
            [0xec],
            [0xee],
            [0xe4, random.below(256)],
            [0xe7, random.below(256)],
          ])
        : random.pick([[0x66, 0x9d], [0x66, 0x9c], [0x66, 0xcf], [0x66, 0xef], [0xed], [0xcc], [0x90], [0x90], [0xf9]]);
      ram.set(instruction, at);
      at += instruction.length;
    }
    state.set32(layout.GDTR_BASE, GDT);
    state.set32(layout.GDTR_LIMIT, random.chance(95) ? 0x37 : 0x0e);
    state.set32(layout.IDTR_BASE, IDT);
    state.set32(layout.IDTR_LIMIT, random.chance(90) ? VECTORS * 8 - 1 : 0x2f);
    state.set32(layout.CR4, (random.chance(20) ? CR4.tsd : 0) | (random.chance(20) ? CR4.vme | CR4.pvi : 0));
    state.set32(layout.CR0, CR0.et | (mode === 'real' ? 0 : CR0.pe) | (random.chance(30) ? CR0.am : 0));
    for (let index = 0; index < 6; index++) {
      if (mode === 'virtual') state.writeSegment(index, virtual8086Segment(0));
      else if (mode === 'protected') {
        const code = index === layout.CS;
        const selector = code ? codeSelector : user ? 0x23 : 0x10;
        const attributes = code ? codeAttributes : user ? 0xc0f3 : 0xc093;
        state.writeSegment(index, { selector, base: 0, limit: 0xffff_ffff, attributes });
      } else state.writeSegment(index, { selector: 0, base: 0, limit: 0xffff, attributes: 0x93 });
    }
    state.writeSegment(layout.LDTR, { selector: 0x40, base: LDT, limit: random.pick([7, 15]), attributes: 0x82 });
    state.writeSegment(layout.TR, { selector: 0x28, base: TSS, limit: 0x2fff, attributes: 0x8b });
    setPrivilege(state, mode === 'virtual' || (mode === 'protected' && user) ? 3 : 0);
    for (let index = 0; index < 8; index++) state.setReg32(index, random.next());
    // ECX is for WRMSR.
    state.setReg32(1, MSR.timeStampCounter);
    state.setReg32(4, STACK + 12 * random.below(random.chance(80) ? 600 : 345) + (random.chance(90) ? 0 : random.below(4)));
    const vm = mode === 'virtual' ? EFLAG.vm : 0;
    state.eflags = random.pick([0, 0x200, 0x8d5, 0x3000, 0x3200, 0x4200, 0x3fd7 & ~EFLAG.tf]) | vm;
    state.eip = CODE;
    // Linear addresses are physical ones, but for the two pages of the stack.
    this.put32(DIRECTORY, TABLE | 7);
    for (let page = 0; page < RAM_BYTES >>> 12; page++)
      this.put32(TABLE + 4 * page, ((page === 8 || page === 9 ? page ^ 1 : page) << 12) | 7);
    state.set32(layout.CR3, DIRECTORY);
    if (mode !== 'real' && random.chance(60)) state.set32(layout.CR0, state.cr0 | CR0.pg);
    core.dropCaches();
    for (const page of random.chance(90) ? [GDT, LDT, IDT, STACK, STACK + 0x1000] : []) {
      core.system.read8(page);
      core.memory.probeWrite(page, 1);
    }
    if (random.chance(30)) this.raise();
  }

  /** Runs like the machine does; interrupts come in where they may. */
  runTo(tick: number): void {
    this.deadline = tick;
    const { core } = this;
    while (core.tick < tick) {
      if (this.pending && core.acceptsInterrupts) {
        this.pending = false;
        core.setInterruptPending(false);
        this.log.push(`${core.tick} interrupt`);
        if (core.interrupt(8) === 'tripleFault') return;
      } else if (core.execute() === 'tripleFault') return;
    }
  }

  /** All there is to see but memory, as text, which is quick to compare. */
  registers(): string {
    const plain = (_: string, value: unknown): unknown =>
      typeof value === 'bigint' ? String(value) : value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
    return [JSON.stringify(saveCpu(this.core), plain), ...this.log].join('\n');
  }
}

test('generated cases do what the host semantics do', () => {
  const quick = new Guest(quickEngine);
  const host = new Guest(hostEngine);
  for (let seed = 1; seed <= SEEDS; seed++) {
    quick.prepare(seed);
    host.prepare(seed);
    const random = new TestRandom(~seed);
    const tick = quick.core.tick + 1 + random.below(random.pick([2, 20]));
    quick.runTo(tick);
    host.runTo(tick);
    const same = Buffer.compare(quick.ram, host.ram) === 0;
    if (!same || quick.registers() !== host.registers())
      expect.fail(`seed ${seed}, tick ${tick}\n${quick.registers()}\n${host.registers()}`);
  }
  // The generated cases are in use, and are not all there is.
  expect(quick.hostCalls).toBeLessThan(host.hostCalls * 0.7);
  expect(quick.hostCalls).toBeGreaterThan(1000);
});
