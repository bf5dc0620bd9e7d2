/** A workbench for tests of MMX and SSE instructions: runs one instruction on a bare CPU state and a page of memory. */
import { VECTOR } from '../../cpu/exceptions.js';
import * as layout from '../../cpu/layout.js';
import { MODE_CODE_32, MODE_DATA_FLAT } from '../../cpu/mode.js';
import { buildFloatLibrary } from '../../float/library.js';
import { RecordContext } from '../../translate/record-context.js';
import { importRuntime, RUNTIME_IMPORTS } from '../../translate/runtime.js';
import { ModuleBuilder } from '../../wasm/module-builder.js';
import { I32, TYPE_I32 } from '../../wasm/values.js';
import { Decoder } from '../decoder.js';
import type { Definition, Form, Semantics } from '../definition.js';
import { buildOpcodeMap } from '../opcode-map.js';
import { RECORD } from '../record.js';
import { SIMD } from './simd.js';

/** Linear address of the page of memory that exists; the pages around it do not. */
export const GUEST_PAGE = 0x12345000;
const HOST_PAGE = layout.FRAMES;
const RECORD_AT = layout.RECORD_ARENA;
const MEMORY_PAGES = layout.memoryPages(4096);
const MODE = MODE_CODE_32 | MODE_DATA_FLAT;

export interface SimdState {
  /** EAX, ECX, EDX, EBX */
  gpr: number[];
  edi: number;
  mxcsr: number;
  top: number;
  /** Bit i: physical x87 register i is valid. */
  tags: number;
  mm: bigint[];
  /** Sign and exponent fields of the x87 registers. */
  exponent: number[];
  xmm: Uint8Array;
  /** From the beginning of the guest page. */
  memory: Uint8Array;
  /** CF PF AF ZF SF OF in their places in EFLAGS. */
  flags: number;
  cr0: number;
  cr4: number;
  x87Status: number;
}

const CR4_OSFXSR_AND_OSXMMEXCPT = 0x600;

export function blankState(): SimdState {
  return {
    gpr: [0, 0, 0, 0],
    edi: GUEST_PAGE,
    mxcsr: 0x1f80,
    top: 0,
    tags: 0,
    mm: Array.from({ length: 8 }, () => 0n),
    exponent: Array.from({ length: 8 }, () => 0x3fff),
    xmm: new Uint8Array(128),
    memory: new Uint8Array(64),
    flags: 0x891,
    cr0: 1,
    cr4: CR4_OSFXSR_AND_OSXMMEXCPT,
    x87Status: 0,
  };
}

export interface SimdBench {
  /** Runs the instruction; the state afterwards and the exception's vector, 0 for none (these instructions have no #DE); `left`: back to the machine. */
  run(code: ArrayLike<number>, state: SimdState): { readonly state: SimdState; readonly trap: number; readonly left: boolean };
  /** The row that the bytes decode to. */
  decode(code: ArrayLike<number>): Definition | undefined;
}

export function createSimdBench(): SimdBench {
  const map = buildOpcodeMap(SIMD, [16, 32]);
  const module = new ModuleBuilder({ module: 'cpu', field: 'memory', pages: MEMORY_PAGES });
  const imports = importRuntime(module);
  const float = buildFloatLibrary(module, { flagsAddress: layout.FLOAT_FLAGS });
  const type = { parameters: [TYPE_I32], results: [TYPE_I32] } as const;
  // Flat segments only: the quick segment check is never called.
  const runtime = { ...imports, segmentedLinear: imports.checkSegment, float };
  const unexpected = (): never => {
    throw new Error('an instruction of this set does not branch');
  };
  map.forms.forEach((form: Form, index) => {
    const reference = module.function(type, (f) => {
      const context = new RecordContext(f, form, runtime, f.parameter(0, TYPE_I32), {
        fault: () => f.return(I32.of(1)),
        jump: unexpected,
        outside: () => {},
        jumpRelative: unexpected,
        leave: () => f.return(I32.of(2)),
        host: unexpected,
        done: () => f.return(I32.of(0)),
      });
      (form.definition.semantics as Semantics)(context);
      f.return(I32.of(0));
    });
    module.export(String(index), reference);
  });
  const memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES });
  const view = new DataView(memory.buffer);
  const bytes = new Uint8Array(memory.buffer);
  const get = (address: number): number => view.getUint32(address, true);
  const set = (address: number, value: number): void => view.setUint32(address, value, true);
  const pageFault = (): void => set(layout.FAULT_VECTOR, 14);
  const cpu: Record<string, (() => void) | WebAssembly.Memory> = Object.fromEntries(
    Object.keys(RUNTIME_IMPORTS).map((field) => [field, unexpected]),
  );
  Object.assign(cpu, { memory, slowLoad: pageFault, slowStore: pageFault, slowProbeWrite: pageFault });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), { cpu });
  const functions = map.forms.map((_, index) => exports[String(index)] as (record: number) => number);
  const decoder = new Decoder(map);

  const entry = layout.TLB_SUPERVISOR + ((GUEST_PAGE >>> 12) & (layout.TLB_ENTRIES - 1)) * layout.TLB_ENTRY_BYTES;
  for (let at = layout.TLB_SUPERVISOR; at < layout.TLB_SUPERVISOR + layout.TLB_BYTES; at += 4) set(at, layout.TLB_INVALID);
  set(entry, GUEST_PAGE);
  set(entry + 4, GUEST_PAGE);
  set(entry + 8, HOST_PAGE - GUEST_PAGE);
  set(layout.TLB_BASE, layout.TLB_SUPERVISOR);

  const flagsOf = (): number => {
    const result = get(layout.FLAG_RESULT);
    const carries = get(layout.FLAG_CARRIES);
    const parity = (result ^ (carries >>> 8)) & 0xff;
    const odd = [0, 1, 2, 3, 4, 5, 6, 7].reduce((sum, i) => sum ^ (parity >> i), 0) & 1;
    const sign = (result >>> 31) ^ (carries & 1);
    const overflow = ((carries >>> 31) ^ (carries >>> 30)) & 1;
    const zero = result === 0 ? 1 : 0;
    return (carries >>> 31) | ((odd ^ 1) << 2) | (((carries >>> 3) & 1) << 4) | (zero << 6) | (sign << 7) | (overflow << 11);
  };
  const setFlags = (flags: number): void => {
    const bit = (place: number): number => (flags >> place) & 1;
    set(layout.FLAG_RESULT, bit(6) ^ 1);
    set(layout.FLAG_CARRIES, (bit(0) << 31) | ((bit(0) ^ bit(11)) << 30) | (bit(4) << 3) | ((bit(2) ^ bit(6)) << 8) | bit(7));
  };

  const run: SimdBench['run'] = (code, state) => {
    const result = decoder.decode(Uint8Array.from(code), 0, code.length, MODE);
    if (result === 'undefined') return { state, trap: VECTOR.invalidOpcode, left: false };
    if (result !== 'ok') throw new Error(`the instruction does not decode: ${result}`);
    const { gpr, xmm } = state;
    gpr.forEach((value, i) => set(layout.REGISTERS + layout.registerOffset(i), value));
    set(layout.EDI, state.edi);
    set(layout.MXCSR, state.mxcsr);
    set(layout.X87_TOP, state.top);
    set(layout.X87_EMPTY, ~state.tags & 0xff);
    set(layout.X87_STATUS, state.x87Status);
    set(layout.CR0, state.cr0);
    set(layout.CR4, state.cr4);
    set(layout.FAULT_VECTOR, layout.NO_FAULT);
    set(layout.FAULT_ERROR_CODE, 0);
    setFlags(state.flags);
    state.mm.forEach((value, i) => {
      view.setBigUint64(layout.X87_REGISTERS + 16 * i, value, true);
      view.setUint16(layout.X87_REGISTERS + 16 * i + 8, state.exponent[i] as number, true);
    });
    bytes.set(xmm, layout.XMM_REGISTERS);
    bytes.set(state.memory, HOST_PAGE);

    view.setUint8(RECORD_AT + RECORD.reg, decoder.reg);
    view.setUint8(RECORD_AT + RECORD.rm, decoder.rm);
    view.setUint8(RECORD_AT + RECORD.base, decoder.base);
    view.setUint8(RECORD_AT + RECORD.index, decoder.index);
    view.setUint8(RECORD_AT + RECORD.scale, decoder.scale);
    view.setUint8(RECORD_AT + RECORD.addressing, decoder.addressing);
    set(RECORD_AT + RECORD.displacement, decoder.displacement);
    set(RECORD_AT + RECORD.immediate, decoder.immediate);
    const status = (functions[map.forms.indexOf(decoder.form)] as (record: number) => number)(RECORD_AT);
    const fault = view.getInt32(layout.FAULT_VECTOR, true);
    if ((status === 1) !== (fault !== layout.NO_FAULT)) throw new Error('status and fault vector disagree');
    const registers = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => layout.X87_REGISTERS + 16 * i);
    return {
      trap: status === 1 ? fault : 0,
      left: status === 2,
      state: {
        ...state,
        gpr: gpr.map((_, i) => get(layout.REGISTERS + layout.registerOffset(i))),
        mxcsr: get(layout.MXCSR),
        top: get(layout.X87_TOP),
        tags: ~get(layout.X87_EMPTY) & 0xff,
        flags: flagsOf(),
        mm: registers.map((at) => view.getBigUint64(at, true)),
        exponent: registers.map((at) => view.getUint16(at + 8, true)),
        xmm: bytes.slice(layout.XMM_REGISTERS, layout.XMM_REGISTERS + 128),
        memory: bytes.slice(HOST_PAGE, HOST_PAGE + state.memory.length),
      },
    };
  };
  const decode: SimdBench['decode'] = (code) =>
    decoder.decode(Uint8Array.from(code), 0, code.length, MODE) === 'ok' ? decoder.form.definition : undefined;
  return { run, decode };
}
