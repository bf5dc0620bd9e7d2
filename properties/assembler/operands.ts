/**
 * Operands of the guest assembler: registers, memory references, label expressions, far pointers.
 * They are plain values that know nothing of encodings; Intel SDM volume 1, section 3.7 has the vocabulary.
 */
import { AssemblyError } from './errors.js';

export type RegisterClass = 'r8' | 'r16' | 'r32' | 'r64' | 'segment' | 'control' | 'debug' | 'mm' | 'xmm' | 'st';

export class Register {
  constructor(
    /** As iced and the manuals spell it, in capitals. */
    readonly name: string,
    readonly registerClass: RegisterClass,
  ) {}
  toString(): string {
    return this.name.toLowerCase();
  }
}

function bank(registerClass: RegisterClass, names: string): Register[] {
  return names.split(' ').map((name) => new Register(name, registerClass));
}

export const [al, cl, dl, bl, ah, ch, dh, bh] = bank('r8', 'AL CL DL BL AH CH DH BH');
export const [spl, bpl, sil, dil] = bank('r8', 'SPL BPL SIL DIL');
export const [r8b, r9b, r10b, r11b, r12b, r13b, r14b, r15b] = bank('r8', 'R8L R9L R10L R11L R12L R13L R14L R15L');
export const [ax, cx, dx, bx, sp, bp, si, di] = bank('r16', 'AX CX DX BX SP BP SI DI');
export const [r8w, r9w, r10w, r11w, r12w, r13w, r14w, r15w] = bank('r16', 'R8W R9W R10W R11W R12W R13W R14W R15W');
export const [eax, ecx, edx, ebx, esp, ebp, esi, edi] = bank('r32', 'EAX ECX EDX EBX ESP EBP ESI EDI');
export const [r8d, r9d, r10d, r11d, r12d, r13d, r14d, r15d] = bank('r32', 'R8D R9D R10D R11D R12D R13D R14D R15D');
export const [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi] = bank('r64', 'RAX RCX RDX RBX RSP RBP RSI RDI');
export const [r8, r9, r10, r11, r12, r13, r14, r15] = bank('r64', 'R8 R9 R10 R11 R12 R13 R14 R15');
export const [es, cs, ss, ds, fs, gs] = bank('segment', 'ES CS SS DS FS GS');
export const [cr0, cr2, cr3, cr4, cr8] = bank('control', 'CR0 CR2 CR3 CR4 CR8');
export const [dr0, dr1, dr2, dr3, dr4, dr5, dr6, dr7] = bank('debug', 'DR0 DR1 DR2 DR3 DR4 DR5 DR6 DR7');
export const [mm0, mm1, mm2, mm3, mm4, mm5, mm6, mm7] = bank('mm', 'MM0 MM1 MM2 MM3 MM4 MM5 MM6 MM7');
export const [xmm0, xmm1, xmm2, xmm3, xmm4, xmm5, xmm6, xmm7] = bank('xmm', 'XMM0 XMM1 XMM2 XMM3 XMM4 XMM5 XMM6 XMM7');
export const [xmm8, xmm9, xmm10, xmm11, xmm12, xmm13, xmm14, xmm15] = bank('xmm', 'XMM8 XMM9 XMM10 XMM11 XMM12 XMM13 XMM14 XMM15');
export const [st0, st1, st2, st3, st4, st5, st6, st7] = bank('st', 'ST0 ST1 ST2 ST3 ST4 ST5 ST6 ST7');

/** A number that is known only when all labels are: ((label - minus) + addend), cut down by `part`. */
export class Expression {
  constructor(
    readonly label: string,
    readonly addend = 0,
    readonly minus: string | undefined = undefined,
    readonly part: 'whole' | 'low16' | 'high16' = 'whole',
  ) {}
  toString(): string {
    const sum = `${this.label}${this.minus === undefined ? '' : `-${this.minus}`}${this.addend === 0 ? '' : `+${this.addend}`}`;
    return this.part === 'whole' ? sum : `${this.part}(${sum})`;
  }
}

/** The address of a label plus a constant. */
export function offset(label: string, addend = 0): Expression {
  return new Expression(label, addend);
}
/** The distance from label `start` to label `end`, plus a constant. */
export function difference(end: string, start: string, addend = 0): Expression {
  return new Expression(end, addend, start);
}
/** Bits 0-15 of a label's address: the first word of a gate descriptor. */
export function low16(label: string): Expression {
  return new Expression(label, 0, undefined, 'low16');
}
/** Bits 16-31 of a label's address: the last word of a gate descriptor. */
export function high16(label: string): Expression {
  return new Expression(label, 0, undefined, 'high16');
}

export type Displacement = number | string | Expression;

/** A memory reference. `sizeBytes` 0: given by the other operands. */
export class Memory {
  constructor(
    readonly sizeBytes: number,
    readonly base: Register | undefined,
    readonly index: Register | undefined,
    readonly scale: number,
    readonly displacement: number | Expression,
    readonly segment: Register | undefined = undefined,
  ) {}
  /** The same reference with a segment override prefix. */
  seg(segment: Register): Memory {
    return new Memory(this.sizeBytes, this.base, this.index, this.scale, this.displacement, segment);
  }
  toString(): string {
    const parts: string[] = [];
    if (this.base !== undefined) parts.push(this.base.toString());
    if (this.index !== undefined) parts.push(`${this.index}*${this.scale}`);
    if (this.displacement !== 0 || parts.length === 0) parts.push(this.displacement.toString());
    const size = sizeNames.get(this.sizeBytes);
    const segment = this.segment === undefined ? '' : `${this.segment}:`;
    return `${size === undefined ? '' : `${size} `}${segment}[${parts.join('+')}]`;
  }
}

const sizeNames = new Map([
  [1, 'byte'],
  [2, 'word'],
  [4, 'dword'],
  [6, 'fword'],
  [8, 'qword'],
  [10, 'tbyte'],
  [16, 'xmmword'],
]);

export type MemoryPart = Register | Displacement;

/**
 * Two orders are understood: (base, displacement), (base, index, scale, displacement?) and, with the displacement
 * in front, (displacement), (displacement, base), (displacement, index, scale), (displacement, base, index, scale).
 */
function memory(sizeBytes: number, parts: MemoryPart[]): Memory {
  const rest = [...parts];
  let displacement: Displacement | undefined;
  if (rest.length > 0 && !(rest[0] instanceof Register)) displacement = rest.shift() as Displacement;
  const registers: Register[] = [];
  while (rest[0] instanceof Register) registers.push(rest.shift() as Register);
  let scale = 1;
  const scaled = (registers.length === 2 || (registers.length === 1 && displacement !== undefined)) && typeof rest[0] === 'number';
  if (scaled) scale = rest.shift() as number;
  if (displacement === undefined && rest.length > 0) displacement = rest.shift() as Displacement;
  if (rest.length > 0 || registers.length > 2) throw new AssemblyError(`not a memory reference: (${parts.join(', ')})`);
  if (![1, 2, 4, 8].includes(scale)) throw new AssemblyError(`scale ${scale} is not 1, 2, 4 or 8 in (${parts.join(', ')})`);
  const onlyIndex = registers.length === 1 && scaled;
  return new Memory(
    sizeBytes,
    onlyIndex ? undefined : registers[0],
    onlyIndex ? registers[0] : registers[1],
    scale,
    typeof displacement === 'string' ? new Expression(displacement) : (displacement ?? 0),
  );
}

export const byte = (...parts: MemoryPart[]): Memory => memory(1, parts);
export const word = (...parts: MemoryPart[]): Memory => memory(2, parts);
export const dword = (...parts: MemoryPart[]): Memory => memory(4, parts);
export const fword = (...parts: MemoryPart[]): Memory => memory(6, parts);
export const qword = (...parts: MemoryPart[]): Memory => memory(8, parts);
export const tbyte = (...parts: MemoryPart[]): Memory => memory(10, parts);
export const xmmword = (...parts: MemoryPart[]): Memory => memory(16, parts);
/** Memory whose size the other operands or the instruction give. */
export const ptr = (...parts: MemoryPart[]): Memory => memory(0, parts);

/** A selector and an offset, for direct far JMP and CALL. */
export class FarPointer {
  constructor(
    readonly selector: number,
    readonly target: number | Expression,
    readonly offsetBits: 16 | 32 | undefined,
  ) {}
  toString(): string {
    return `${this.selector}:${this.target}`;
  }
}

/** `offsetBits` is needed where it is not the mode's own: the jump from 16-bit code into 32-bit code. */
export function far(selector: number, target: Displacement, offsetBits?: 16 | 32): FarPointer {
  return new FarPointer(selector, typeof target === 'string' ? new Expression(target) : target, offsetBits);
}

/** A string is a label: an address as an immediate, or the target of a branch. */
export type Operand = Register | Memory | Expression | FarPointer | number | bigint | string;
