/** A workbench for tests of x87 instructions: a CPU that knows nothing else, in flat 32-bit protected mode, and its FPU. */
import { Core } from '../../cpu/core.js';
import * as layout from '../../cpu/layout.js';
import { CR0, type SegmentCache } from '../../cpu/state.js';
import { PhysicalMemory } from '../../mmu/physical-memory.js';
import { buildInterpreter } from '../../translate/interpreter.js';
import { withMemoryPages } from '../../wasm/memory-pages.js';
import { buildOpcodeMap } from '../opcode-map.js';
import { FpuState } from './fpu-state.js';
import { X87 } from './x87.js';

export const CODE_ADDRESS = 0x1000;
export const DATA_ADDRESS = 0x2000;
const RAM_BYTES = 0x10000;
const FLAT_CODE: SegmentCache = { selector: 0x08, base: 0, limit: 0xffff_ffff, attributes: 0xc09b };
const FLAT_DATA: SegmentCache = { selector: 0x10, base: 0, limit: 0xffff_ffff, attributes: 0xc093 };

const map = buildOpcodeMap(X87, [8, 16, 32]);
const pages = layout.memoryPages(RAM_BYTES);
const module = new WebAssembly.Module(withMemoryPages(buildInterpreter(map, () => {}).bytes, pages));

export class X87Bench {
  readonly core: Core;
  readonly fpu: FpuState;
  readonly ram: Uint8Array;
  /** Vectors of the exceptions that were delivered. */
  readonly exceptions: number[] = [];

  constructor() {
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const physical = new PhysicalMemory(memory, RAM_BYTES, 0);
    const nothing = { readPort: () => 0, writePort: () => {}, nowNs: 0, nsPerTick: 1, skippedNs: 0, deadline: () => 0 };
    this.core = new Core(memory, physical, nothing, map, (imports) => {
      const { exports } = new WebAssembly.Instance(module, { cpu: { ...imports, memory } });
      return exports.run as (record: number) => number;
    });
    this.core.stepOnly = true;
    this.core.onException = (vector) => this.exceptions.push(vector);
    this.fpu = new FpuState(this.core.state);
    this.ram = new Uint8Array(memory.buffer, layout.FRAMES, RAM_BYTES);
    const { state } = this.core;
    state.writeSegment(layout.CS, FLAT_CODE);
    for (const segment of [layout.DS, layout.ES, layout.SS]) state.writeSegment(segment, FLAT_DATA);
    state.set32(layout.CR0, CR0.pe | CR0.et | CR0.ne);
    this.core.modeChanged();
  }

  setCr0(value: number): void {
    this.core.state.set32(layout.CR0, value);
    this.core.modeChanged();
  }

  /** Executes instructions until EIP is behind the last byte, or an exception; EAX points to the data. */
  run(...code: number[]): void {
    const { state } = this.core;
    this.ram.set(code, CODE_ADDRESS);
    state.eip = CODE_ADDRESS;
    state.setReg32(0, DATA_ADDRESS);
    const before = this.exceptions.length;
    while (state.eip !== CODE_ADDRESS + code.length && this.exceptions.length === before) this.core.step();
  }
}
