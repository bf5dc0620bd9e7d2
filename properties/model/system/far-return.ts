/** RETF and IRET: real, virtual-8086 and protected mode, to the same and outer rings, to virtual-8086 mode, to a task (SDM volume 2). */
import { CPU_STATE, CS, DS, ES, FS, GS, SS } from '../../state/cpu-state.js';
import { type Cpu, ModelException, VECTOR } from '../cpu.js';
import { type Opcode, opcode } from '../opcode.js';
import { type Descriptor, descriptorOf, fault, isNull, rplOf, selectorError, setAccessed, setSegment } from './descriptors.js';
import { checkStackSegment, dropInnerSegments, loadParagraph } from './segments.js';
import { StackReader, setCpl, setStackPointer, stackPointer } from './stack.js';
import { returnToTask } from './tasks.js';

const FLAG = {
  arithmetic: 0x8d5,
  tf: 0x100,
  if: 0x200,
  df: 0x400,
  iopl: 0x3000,
  nt: 0x4000,
  rf: 0x1_0000,
  vm: 0x2_0000,
  ac: 0x4_0000,
  vif: 0x8_0000,
  vip: 0x10_0000,
  id: 0x20_0000,
} as const;
const CR4_VME = 1n;

function replaceFlags(cpu: Cpu, value: number, mask: number): void {
  cpu.state.flags = (cpu.state.flags & ~mask) | (value & mask) | 2;
}

/** The code segment of a return: never to an inner ring. */
function returnSegment(cpu: Cpu, selector: number): Descriptor {
  if (isNull(selector)) fault(VECTOR.gp, 0);
  const code = descriptorOf(cpu, selector, VECTOR.gp, 0);
  const error = selectorError(selector, 0);
  const rpl = rplOf(selector);
  if (!code.isCode || rpl < cpu.cpl) fault(VECTOR.gp, error);
  if (code.isConforming ? code.dpl > rpl : code.dpl !== rpl) fault(VECTOR.gp, error);
  if (!code.present) fault(VECTOR.np, error);
  return code;
}

const requireInside = (code: Descriptor, offset: number): void => {
  if (offset > code.limit) fault(VECTOR.gp, 0);
};

/** Offset, selector and for IRET flags; then stack pointer and selector of an outer ring. */
const RETURN_WORDS = 4;
const INTERRUPT_RETURN_WORDS = 5;

/**
 * Policy `return.order`: what is done goes word by word; where it faults, it matters whether another word of the frame cannot be
 * read. @param gap bytes that RETF releases between the words of the two rings
 */
function inOpenOrder<T>(cpu: Cpu, words: number, gap: number, action: () => T): T {
  try {
    return action();
  } catch (thrown) {
    if (thrown instanceof ModelException) {
      const stack = new StackReader(cpu);
      for (let i = 0; i < words; i++) {
        if (i === words - 2) stack.skip(gap);
        if (stack.nextWouldFault(cpu.operandSize / 8)) cpu.undefine('return.order');
        stack.skip(cpu.operandSize / 8);
      }
    }
    throw thrown;
  }
}

/** SS and ESP of the outer ring, read and checked before anything changes. */
function outerStack(cpu: Cpu, stack: StackReader, bytes: number, cpl: number): { pointer: number; selector: number; segment: Descriptor } {
  const pointer = stack.read(bytes);
  const selector = stack.readSelector(bytes);
  return { pointer, selector, segment: checkStackSegment(cpu, selector, cpl, VECTOR.gp, 0) };
}

function enterOuterRing(
  cpu: Cpu,
  cs: number,
  code: Descriptor,
  outer: { pointer: number; selector: number; segment: Descriptor },
  release: number,
): void {
  setAccessed(cpu, code);
  setAccessed(cpu, outer.segment);
  setCpl(cpu.state, rplOf(cs));
  setSegment(cpu, CS, cs, code);
  setSegment(cpu, SS, outer.selector, outer.segment);
  // RETF releases parameters there, too.
  const pointer = outer.pointer + release;
  if (!outer.segment.big) cpu.undefine('return.outer-sp');
  setStackPointer(cpu, outer.segment.big ? pointer : (stackPointer(cpu) & ~0xffff) | (pointer & 0xffff));
  dropInnerSegments(cpu);
}

// --- RETF ----------------------------------------------------------------------------------------------------------------

function returnFar(cpu: Cpu, release: number): void {
  const stack = new StackReader(cpu);
  const bytes = cpu.operandSize / 8;
  const offset = stack.read(bytes);
  const cs = stack.readSelector(bytes);
  if (!cpu.protectedMode || cpu.virtual8086) {
    if (offset > (cpu.virtual8086 ? 0xffff : cpu.state.segmentLimit(CS))) fault(VECTOR.gp, 0);
    stack.skip(release);
    setStackPointer(cpu, stack.pointer);
    loadParagraph(cpu, CS, cs);
  } else {
    const code = returnSegment(cpu, cs);
    stack.skip(release);
    if (rplOf(cs) > cpu.cpl) {
      const outer = outerStack(cpu, stack, bytes, rplOf(cs));
      requireInside(code, offset);
      enterOuterRing(cpu, cs, code, outer, release);
    } else {
      requireInside(code, offset);
      setAccessed(cpu, code);
      setStackPointer(cpu, stack.pointer);
      setSegment(cpu, CS, cs, code);
    }
  }
  cpu.setIp(BigInt(offset));
}

// --- IRET ----------------------------------------------------------------------------------------------------------------

/** Flags that every IRET pops. */
const POPPED = FLAG.arithmetic | FLAG.tf | FLAG.df | FLAG.nt;
/** With an operand size of 32. */
const POPPED_32 = FLAG.rf | FLAG.ac | FLAG.id;

function interruptReturnReal(cpu: Cpu): void {
  const { stack, offset, cs, flags } = popFrame(cpu);
  if (offset > cpu.state.segmentLimit(CS)) fault(VECTOR.gp, 0);
  setStackPointer(cpu, stack.pointer);
  loadParagraph(cpu, CS, cs);
  cpu.setIp(BigInt(offset));
  replaceFlags(cpu, flags, POPPED | FLAG.if | FLAG.iopl | (cpu.operandSize === 16 ? 0 : POPPED_32));
}

function popFrame(cpu: Cpu): { stack: StackReader; offset: number; cs: number; flags: number } {
  const stack = new StackReader(cpu);
  const bytes = cpu.operandSize / 8;
  const offset = stack.read(bytes);
  const cs = stack.readSelector(bytes);
  const flags = stack.read(bytes);
  return { stack, offset, cs, flags };
}

/** In virtual-8086 mode: IOPL 3, or the mode extensions with VIF in the part of IF. */
function interruptReturnVirtual(cpu: Cpu): void {
  const trusted = cpu.iopl === 3;
  const extended = (cpu.state.u64(CPU_STATE.cr4) & CR4_VME) !== 0n;
  if (!trusted && !(extended && cpu.operandSize === 16)) fault(VECTOR.gp, 0);
  const { stack, offset, cs, flags } = popFrame(cpu);
  if (!trusted && ((flags & FLAG.if && cpu.flag('vip')) || flags & FLAG.tf)) fault(VECTOR.gp, 0);
  if (offset > 0xffff) fault(VECTOR.gp, 0);
  setStackPointer(cpu, stack.pointer);
  loadParagraph(cpu, CS, cs);
  cpu.setIp(BigInt(offset));
  replaceFlags(cpu, flags, POPPED | (trusted ? FLAG.if : 0) | (cpu.operandSize === 16 ? 0 : POPPED_32));
  if (!trusted) cpu.setFlag('vif', (flags & FLAG.if) !== 0);
}

function interruptReturnProtected(cpu: Cpu): void {
  if (cpu.flag('nt')) {
    returnToTask(cpu);
    return;
  }
  const { stack, offset, cs, flags } = popFrame(cpu);
  if (cpu.operandSize === 32 && flags & FLAG.vm && cpu.cpl === 0) {
    returnToVirtual(cpu, stack, offset, cs, flags);
    return;
  }
  const code = returnSegment(cpu, cs);
  // Privilege to change IF and IOPL is that of the ring that is left.
  let mask = POPPED | (cpu.operandSize === 16 ? 0 : POPPED_32);
  if (cpu.cpl <= cpu.iopl) mask |= FLAG.if;
  if (cpu.cpl === 0) mask |= FLAG.iopl | (cpu.operandSize === 16 ? 0 : FLAG.vif | FLAG.vip);
  if (rplOf(cs) > cpu.cpl) {
    const outer = outerStack(cpu, stack, cpu.operandSize / 8, rplOf(cs));
    requireInside(code, offset);
    enterOuterRing(cpu, cs, code, outer, 0);
  } else {
    requireInside(code, offset);
    setAccessed(cpu, code);
    setStackPointer(cpu, stack.pointer);
    setSegment(cpu, CS, cs, code);
  }
  replaceFlags(cpu, flags, mask);
  cpu.setIp(BigInt(offset));
}

function returnToVirtual(cpu: Cpu, stack: StackReader, offset: number, cs: number, flags: number): void {
  const pointer = stack.read(4);
  const [ss, es, ds, fs, gs] = [0, 1, 2, 3, 4].map(() => stack.readSelector(4)) as [number, number, number, number, number];
  if (offset > 0xffff) fault(VECTOR.gp, 0);
  replaceFlags(cpu, flags, POPPED | POPPED_32 | FLAG.if | FLAG.iopl | FLAG.vm | FLAG.vif | FLAG.vip);
  setCpl(cpu.state, 3);
  for (const [index, selector] of [
    [ES, es],
    [CS, cs],
    [SS, ss],
    [DS, ds],
    [FS, fs],
    [GS, gs],
  ] as const) {
    loadParagraph(cpu, index, selector);
  }
  cpu.setRegister(4, 32, BigInt(pointer));
  cpu.setIp(BigInt(offset));
}

function interruptReturn(cpu: Cpu): void {
  if (!cpu.protectedMode) interruptReturnReal(cpu);
  else if (cpu.virtual8086) interruptReturnVirtual(cpu);
  else if (cpu.codeBits === 64) interruptReturnLong(cpu);
  else interruptReturnProtected(cpu);
}

/** 64-bit mode pops five words whatever the ring; user code has no task to return to. */
function interruptReturnLong(cpu: Cpu): void {
  if (cpu.flag('nt')) fault(VECTOR.gp, 0);
  const { cs } = popFrame(cpu);
  returnSegment(cpu, cs);
  fault(VECTOR.gp, selectorError(cs, 0));
}

export const FAR_RETURN: readonly Opcode[] = [
  opcode('CB', 'RETF', '', (cpu) => inOpenOrder(cpu, RETURN_WORDS, 0, () => returnFar(cpu, 0))),
  opcode('CA', 'RETF', 'imm16', (cpu) => {
    const release = Number(cpu.read(0));
    inOpenOrder(cpu, RETURN_WORDS, release, () => returnFar(cpu, release));
  }),
  opcode('CF', 'IRET', '', (cpu) => inOpenOrder(cpu, INTERRUPT_RETURN_WORDS, 0, () => interruptReturn(cpu))),
];
