import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Encoding, encodingNamed, type OperandForm } from './encodings.js';
import { type Bits, iced } from './iced.js';
import * as x86 from './index.js';
import { type Assembler, assemble, disassemble, type Operand } from './index.js';

const { al, ax, eax, ebx, ecx, esi, edi, esp, rax, r9, bx, cl, ds, es, fs, cr0, st0, st1, xmm0, xmm1, mm1 } = x86;
const { byte, word, dword, fword, qword, ptr, far, offset, difference, low16, high16 } = x86;

function bytesOf(bits: Bits, write: (a: Assembler) => void, origin = 0): string {
  return Buffer.from(assemble({ bits, origin }, write).bytes).toString('hex');
}

describe('choice of encoding', () => {
  const cases: [Bits, string, (a: Assembler) => void][] = [
    [32, '030578563412', (a) => a.add(eax, dword(0x12345678))],
    [32, '83c005', (a) => a.add(eax, 5)],
    [32, '0578563412', (a) => a.add(eax, 0x12345678)],
    [32, '83c0f0', (a) => a.add(eax, 0xfffffff0)],
    [32, '6605f0ff', (a) => a.add(ax, 0xfff0)],
    [32, '014cb308', (a) => a.add(dword(ebx, esi, 4, 8), ecx)],
    [32, 'c744240400000000', (a) => a.mov(dword(esp, 4), 0)],
    [32, 'a178563412', (a) => a.mov(eax, dword(0x12345678))],
    [32, '26a4', (a) => a.segment(es).movsb()],
    [32, '66f3a5', (a) => a.rep().movsw()],
    [32, 'f2ae', (a) => a.repne().scasb()],
    [32, '67f3a5', (a) => a.rep().addressBits(16).movsd()],
    [32, 'f20f1003', (a) => a.movsd(xmm0, qword(ebx))],
    [32, 'f00fc10b', (a) => a.lock().xadd(dword(ebx), ecx)],
    [32, '64c60307', (a) => a.mov(byte(ebx).seg(fs), 7)],
    [32, '6800010000', (a) => a.push(256)],
    [32, 'cf', (a) => a.iret()],
    [16, 'cf', (a) => a.iret()],
    [64, '48cf', (a) => a.iret()],
    [32, '66cf', (a) => a.iretw()],
    [32, 'c3', (a) => a.ret()],
    [32, '90', (a) => a.nop()],
    [64, '50c390', (a) => (a.push(rax), a.ret(), a.nop())],
    [32, 'd1e0', (a) => a.shl(eax, 1)],
    [32, 'd3e0', (a) => a.shl(eax, cl)],
    [32, 'ff28', (a) => a.jmpf(fword(eax))],
    [32, 'ff20', (a) => a.jmp(dword(eax))],
    [32, 'c8100001', (a) => a.enter(16, 1)],
    [32, '8ed8', (a) => a.mov(ds, eax)],
    [32, '0f20c0', (a) => a.mov(eax, cr0)],
    [32, 'd8c1dcc1', (a) => (a.fadd(st0, st1), a.fadd(st1, st0))],
    [32, '0ff7c8', (a) => a.maskmovq(mm1, x86.mm0)],
    [32, 'd7', (a) => a.xlat()],
    [16, '8b07', (a) => a.mov(ax, word(bx))],
    [16, '66678b03', (a) => a.mov(eax, dword(ebx))],
    [16, '66678b03', (a) => a.mov(eax, ptr(ebx))],
    [16, 'ea00000800', (a) => a.jmp(far(8, 0))],
    [16, '66ea785634120800', (a) => a.jmp(far(8, 0x12345678, 32))],
    [64, '48b8bc9a785634120000', (a) => a.mov(rax, 0x123456789abcn)],
    [64, '4c8b4808', (a) => a.mov(r9, qword(rax, 8))],
  ];
  it.each(cases)('%i bits: %s', (bits, expected, write) => {
    expect(bytesOf(bits, write)).toBe(expected);
  });

  it('takes a given encoding where asked to', () => {
    expect(bytesOf(32, (a) => a.encoded('Add_r32_rm32', eax, ebx))).toBe('03c3');
    expect(bytesOf(32, (a) => a.encoded('Add_rm32_r32', eax, ebx))).toBe('01d8');
    expect(bytesOf(32, (a) => a.encoded('Jne_rel32_32', 0))).toBe('0f85faffffff');
    expect(bytesOf(32, (a) => a.encoded('Jmp_rel16', 4))).toBe('66e90000');
  });
});

describe('labels', () => {
  it('are known before and after their definition', () => {
    const { bytes, labels } = assemble({ bits: 32, origin: 0x1000 }, (a) => {
      a.label('start');
      a.jmp('end');
      a.mov(esi, 'data');
      a.mov(edi, offset('data', 4));
      a.label('data');
      a.dd('start', offset('end', 1), difference('end', 'data'));
      a.dw(low16('end'), high16('end'));
      a.label('end');
      a.jne('start');
    });
    expect(Object.fromEntries(labels)).toEqual({ start: 0x1000, data: 0x100c, end: 0x101c });
    const text = 'eb1a be0c100000 bf10100000 00100000 1d100000 10000000 1c10 0000 75e2';
    expect(Buffer.from(bytes).toString('hex')).toBe(text.replaceAll(' ', ''));
  });

  it('make a branch near exactly when it does not reach', () => {
    const forward = (gap: number) => bytesOf(32, (a) => (a.je('x'), a.reserve(gap), a.label('x'))).slice(0, 4);
    expect(forward(127)).toBe('747f');
    expect(forward(128)).toBe('0f84');
    const backward = (gap: number) => bytesOf(32, (a) => (a.label('x'), a.reserve(gap), a.jmp('x'))).slice(gap * 2);
    expect(backward(126)).toBe('eb80');
    expect(backward(127)).toBe('e97cffffff');
  });

  it('let one growing branch push another out of reach', () => {
    const { bytes } = assemble({ bits: 32 }, (a) => {
      a.jmp('b');
      a.jmp('a');
      a.reserve(125);
      a.label('b');
      a.reserve(10);
      a.label('a');
    });
    expect(Buffer.from(bytes.subarray(0, 10)).toString('hex')).toBe('e982000000e987000000');
  });

  it('land where iced says a branch lands', () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 150 }), { minLength: 2, maxLength: 12 });
    const property = fc.property(gaps, fc.constantFrom<Bits>(16, 32, 64), (sizes, bits) => {
      const count = sizes.length;
      const { bytes, labels } = assemble({ bits, origin: 0x400 }, (a) => {
        sizes.forEach((size, i) => {
          a.label(`l${i}`);
          a.jne(`l${(i * 7 + 3) % count}`);
          a.reserve(size, 0x90);
        });
      });
      const branches = disassemble(bytes, { bits, address: 0x400 }).filter((line) => line.text !== 'nop');
      expect(branches.map((line) => line.address)).toEqual([...labels.values()]);
      const targets = branches.map((line) => Number(line.text.split(' ').at(-1)));
      expect(targets).toEqual(sizes.map((_, i) => labels.get(`l${(i * 7 + 3) % count}`)));
    });
    fc.assert(property, { seed: 86, numRuns: 60 });
  });

  it('in 64-bit code address memory relative to RIP', () => {
    expect(bytesOf(64, (a) => (a.mov(rax, qword('x')), a.label('x')), 0x1000)).toBe('488b0500000000');
  });
});

describe('numeric branch targets', () => {
  it('are addresses, near or short as the distance asks', () => {
    expect(bytesOf(16, (a) => (a.jmp(0x7c00), a.loop(0x7c10), a.call(0x7e00)), 0x7c00)).toBe('ebfee20ce8f901');
    expect(bytesOf(32, (a) => a.jmp(0), 0x1000)).toBe('e9fbefffff');
  });
});

describe('memory operands', () => {
  const registers32 = [eax, ecx, x86.edx, ebx, x86.ebp, esi, edi];
  it('come back from the decoder as they were written', () => {
    const { Decoder, DecoderOptions, Register } = iced();
    const register = fc.constantFrom(...registers32);
    const displacement = fc.oneof(fc.constantFrom(0, 127, 128, -128, -129, 0x7fffffff, -0x80000000, 0xffffffff), fc.integer());
    const property = fc.property(
      register,
      register,
      fc.constantFrom(1, 2, 4, 8),
      displacement,
      fc.constantFrom<Bits>(16, 32),
      (base, index, scale, offsetBytes, bits) => {
        const { bytes } = assemble({ bits }, (a) => a.mov(ecx, dword(base, index, scale, offsetBytes)));
        const decoder = new Decoder(bits, bytes, DecoderOptions.None);
        const instruction = decoder.decode();
        expect(Register[instruction.memoryBase]).toBe(base.name);
        expect(Register[instruction.memoryIndex]).toBe(index.name);
        expect(instruction.memoryIndexScale).toBe(scale);
        expect(BigInt.asIntN(32, instruction.memoryDisplacement)).toBe(BigInt.asIntN(32, BigInt(offsetBytes)));
        const short =
          offsetBytes === 0 && base !== x86.ebp
            ? 0
            : BigInt.asIntN(8, BigInt(offsetBytes)) === BigInt.asIntN(32, BigInt(offsetBytes))
              ? 1
              : 4;
        expect(bytes.length).toBe((bits === 16 ? 5 : 3) + short);
        instruction.free();
        decoder.free();
      },
    );
    fc.assert(property, { seed: 86, numRuns: 300 });
  });

  it('refuses a label out of reach of 16-bit addresses', () => {
    const write = (a: Assembler) => (a.mov(ax, word('x')), a.label('x'));
    expect(() => assemble({ bits: 16, origin: 0xf0000 }, write)).toThrow('displacement x does not fit in 16 bits in: mov ax, word [x]');
  });
});

describe('data and modes', () => {
  it('lays out data, alignment and padding', () => {
    const text = bytesOf(32, (a) => {
      a.db(1, -1);
      a.align(4, 0xcc);
      a.asciz('Hi');
      a.dq(0x1122334455667788n);
      a.raw([0x0f, 0x0b]);
      a.padTo(20);
      a.dw(0xaa55);
    });
    expect(text).toBe('01ffcccc48690088776655443322110f0b00000055aa');
  });

  it('goes from real to protected to long mode in one program', () => {
    const { listing } = assemble({ bits: 16, origin: 0x7c00 }, (a) => {
      a.lgdt(ptr('gdtr'));
      a.jmp(far(8, 'protected', 32));
      a.bits(32);
      a.label('protected');
      a.mov(eax, 1);
      a.jmp(far(16, 'long'));
      a.bits(64);
      a.label('long');
      a.mov(rax, 1);
      a.hlt();
      a.label('gdtr');
      a.dw(0x17);
      a.reserve(6);
    });
    expect(listing().split('\n')).toEqual([
      '00007c00  0f0116217c              lgdt [0x7C21]',
      '00007c05  66ea0d7c00000800        data32 jmp far 0x00007C0D, 8',
      '00007c0d                          protected:',
      '00007c0d  b801000000              mov eax, 1',
      '00007c12  ea197c00001000          jmp far 0x00007C19, 0x0010',
      '00007c19                          long:',
      '00007c19  48c7c001000000          mov rax, 1',
      '00007c20  f4                      hlt',
      '00007c21                          gdtr:',
      '00007c21  1700                    db 0x17, 0x00',
      '00007c23                          times 6 db 0x00',
    ]);
  });
});

describe('errors are one clear line', () => {
  const cases: [string, (a: Assembler) => void][] = [
    ['unknown label "nope" in: jmp nope', (a) => a.jmp('nope')],
    ['label "x" is defined twice', (a) => (a.label('x'), a.label('x'))],
    ['operand out of range: add al, 300 (ADD AL, imm8)', (a) => a.add(al, 300)],
    ['operand out of range: int 256 (INT imm8)', (a) => a.int(256)],
    ['size of the memory operand is not known: inc [ebx]', (a) => a.inc(ptr(ebx))],
    ['unknown mnemonic: frob', (a) => a.ins('frob')],
    ['no such form in 32-bit code: bswap al (there is BSWAP r16; BSWAP r32)', (a) => a.bswap(al)],
    ['no such form in 32-bit code: swapgs (there is none)', (a) => a.swapgs()],
    ['the target is out of reach of the branch in: jecxz x', (a) => (a.jecxz('x'), a.reserve(200), a.label('x'))],
    ['cannot fill up to 0x1: already at 0x2', (a) => (a.reserve(2), a.padTo(1))],
    ['scale 3 is not 1, 2, 4 or 8 in (eax, ebx, 3)', (a) => a.mov(eax, dword(eax, ebx, 3))],
    ['x+300 = 301 does not fit in 8 bits of data', (a) => (a.nop(), a.label('x'), a.db(offset('x', 300)))],
    [
      'the encoding does not take these operands in 32-bit code: Add_r32_rm32 al, ebx (ADD r32, r/m32)',
      (a) => a.encoded('Add_r32_rm32', al, ebx),
    ],
  ];
  it.each(cases)('%s', (message, write) => {
    expect(() => assemble({ bits: 32 }, write)).toThrow(new x86.AssemblyError(message));
  });
});

/** An operand that a form accepts, for the test of every encoding. */
function sample(form: OperandForm, encoding: Encoding, bits: Bits, position: number): Operand {
  const register = {
    r8: [al, cl],
    r16: [ax, bx],
    r32: [eax, ebx],
    r64: [rax, r9],
    segment: [es, ds],
    control: [cr0, cr0],
    debug: [x86.dr7, x86.dr7],
    mm: [x86.mm0, mm1],
    xmm: [xmm0, xmm1],
    st: [st1, st1],
  };
  if (form.fixed !== undefined) return (x86 as unknown as Record<string, Operand>)[form.fixed.toLowerCase()] as Operand;
  if (form.memory === true) {
    if (encoding.name.includes('moffs')) return ptr(0x1234);
    return bits === 16 ? ptr(bx, 0x1234) : bits === 32 ? ptr(ebx, esi, 4, 0x1234) : ptr(rax, r9, 4, 0x1234);
  }
  if (form.register !== undefined) return register[form.register][(position + 1) % 2] as Operand;
  if (form.immediate !== undefined) return form.immediate.only ?? 0x12;
  if (form.branch !== undefined) return 0x10;
  if (form.far !== undefined) return far(8, 0x1234, form.far);
  throw new Error('no sample');
}

/**
 * Codes that do not decode to themselves: those of old or foreign processors, which iced's decoder takes only with an
 * option, and those that begin with WAIT, which decodes as an instruction of its own.
 */
function decodesDifferently(encoding: Encoding, bits: Bits): boolean {
  if (/^(Popw_CS|Reservednop|Montmul)/.test(encoding.name)) return true;
  const info = iced().CodeExt.opCode(encoding.code);
  const understood = { 16: info.intelDecoder16, 32: info.intelDecoder32, 64: info.intelDecoder64 }[bits];
  const different = info.decoderOption !== 0 || info.fwait || !understood;
  info.free();
  return different;
}

describe('every legacy encoding', () => {
  it.each<Bits>([16, 32, 64])('decodes to itself in %i-bit code', (bits) => {
    const { Code, Decoder, DecoderOptions } = iced();
    const different: string[] = [];
    let checked = 0;
    for (const name of Object.keys(Code)) {
      if (!/^[A-Z]/.test(name) || /^(VEX|EVEX|XOP|MVEX|D3NOW|Declare|INVALID|Zero)/.test(name)) continue;
      const encoding = encodingNamed(name);
      if (encoding === undefined || !encoding.modes[bits] || decodesDifferently(encoding, bits)) continue;
      const written = encoding.operands.filter((form) => form.implicit === undefined);
      const stringForm = written.length < encoding.operands.length && written.every((form) => form.fixed !== undefined);
      const operands = stringForm ? [] : written.map((form, i) => sample(form, encoding, bits, i));
      const { bytes } = assemble({ bits }, (a) => a.encoded(name, ...operands));
      const decoder = new Decoder(bits, bytes, DecoderOptions.None);
      const instruction = decoder.decode();
      if (instruction.code !== encoding.code || instruction.length !== bytes.length)
        different.push(`${name} ${Buffer.from(bytes).toString('hex')} ${Code[instruction.code]}`);
      instruction.free();
      decoder.free();
      checked++;
    }
    expect(different).toEqual([]);
    expect(checked).toBeGreaterThan(900);
  });
});
