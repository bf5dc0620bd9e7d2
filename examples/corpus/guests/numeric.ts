/**
 * x87 and SSE side by side: series and iterations whose exact bits are printed, all rounding modes, unmasked exceptions of
 * both units, FXSAVE and FXRSTOR over an interrupt that uses the registers itself (Intel SDM volume 1, chapters 8, 10
 * and 11).
 */
import {
  type Assembler,
  al,
  ax,
  dword,
  eax,
  ebx,
  ecx,
  esp,
  mm0,
  mm1,
  offset,
  ptr,
  qword,
  st0,
  st1,
  tbyte,
  word,
  xmm0,
  xmm1,
  xmm2,
  xmm3,
  xmmword,
} from '../../../properties/index.js';
import { type CorpusGuest, multiboot, passed } from '../guest.js';
import {
  endInterrupt,
  exit,
  exitSuccess,
  masterVector,
  must,
  protectedGuest,
  say,
  sayValue,
  setGate,
  setUpPics,
  startTimer,
} from '../kit.js';

const terms = 3000;
const mathFault = 16;
const simdFault = 19;

function sayTen(a: Assembler, text: string): void {
  say(a, text);
  a.fstp(tbyte('result'));
  a.movzx(eax, word(offset('result', 8)));
  a.call('hex');
  a.mov(eax, dword(offset('result', 4)));
  a.call('hex');
  a.mov(eax, dword('result'));
  sayValue(a, '');
}

function sayDouble(a: Assembler, text: string): void {
  say(a, text);
  a.movsd(qword('result'), xmm0);
  a.mov(eax, dword(offset('result', 4)));
  a.call('hex');
  a.mov(eax, dword('result'));
  sayValue(a, '');
}

const image = () =>
  protectedGuest({}, (a) => {
    setGate(a, mathFault, 'math.fault');
    setGate(a, simdFault, 'simd.fault');
    setGate(a, masterVector, 'timer');
    setUpPics(a, 0xfe, 0xff);
    startTimer(a, 40_000);
    a.sti();

    // The sum of 1/n^2 in 80 bits, in all four rounding modes.
    for (const mode of [0, 1, 2, 3]) {
      a.mov(word('control'), 0x037f | (mode << 10));
      a.fldcw(word('control'));
      a.fldz();
      a.mov(ecx, terms);
      const next = a.fresh('term');
      a.label(next);
      a.mov(dword('result'), ecx);
      a.fild(dword('result'));
      a.fmul(st0, st0);
      a.fld1();
      a.fdivrp(st1, st0);
      a.faddp(st1, st0);
      a.loop(next);
      sayTen(a, 'sum ');
    }
    a.fninit();

    // The square root by Newton's method in doubles, x = (x + 2/x) / 2, and by the instruction.
    a.mov(eax, 2);
    a.cvtsi2sd(xmm1, eax);
    a.movapd(xmm0, xmm1);
    a.mov(ecx, 400);
    a.label('newton');
    a.movapd(xmm2, xmm1);
    a.divsd(xmm2, xmm0);
    a.addsd(xmm0, xmm2);
    a.mulsd(xmm0, qword('half'));
    a.loop('newton');
    sayDouble(a, 'newton ');
    a.sqrtsd(xmm0, xmm1);
    sayDouble(a, 'sqrt ');

    // Four logistic maps in singles; a checksum of their bits.
    a.movups(xmm0, xmmword('starts'));
    a.movups(xmm3, xmmword('ones'));
    a.xor(ebx, ebx);
    a.mov(ecx, 2000);
    a.label('logistic');
    a.movaps(xmm1, xmm3);
    a.subps(xmm1, xmm0);
    a.mulps(xmm0, xmm1);
    a.mulps(xmm0, xmmword('rates'));
    a.movd(eax, xmm0);
    a.rol(ebx, 5);
    a.xor(ebx, eax);
    a.loop('logistic');
    a.mov(eax, ebx);
    sayValue(a, 'logistic ');

    // MMX shares its registers with the x87.
    a.movq(mm0, qword('starts'));
    a.mov(ecx, 1000);
    a.label('multimedia');
    a.movq(mm1, mm0);
    a.pmaddwd(mm0, qword('rates'));
    a.paddd(mm0, mm1);
    a.pxor(mm0, qword('ones'));
    a.loop('multimedia');
    a.movd(eax, mm0);
    a.emms();
    sayValue(a, 'mmx ');

    // BCD, a comparison with a NaN, scaling.
    a.fild(dword('number'));
    a.fbstp(tbyte('result'));
    a.mov(eax, dword('result'));
    sayValue(a, 'bcd ');
    a.fldz();
    a.fldz();
    a.fdivp(st1, st0);
    a.fld1();
    a.fucomip(st0, st1);
    a.fstp(st0);
    a.setp(al);
    a.movzx(eax, al);
    sayValue(a, 'unordered ');
    a.fild(dword('number'));
    a.fld1();
    a.fscale();
    a.fstp(st1);
    a.fstp(st0);

    // Unmasked division by zero: the x87 reports it at the next instruction, SSE at once.
    a.fninit();
    a.mov(word('control'), 0x037b);
    a.fldcw(word('control'));
    a.fld1();
    a.fldz();
    a.fdivp(st1, st0);
    a.fwait();
    a.label('after.wait');
    a.cmp(dword('math.faults'), 1);
    must(a, 'e', 'FWAIT reports the division');
    a.fninit();
    a.mov(dword('result'), 0x1d80);
    a.ldmxcsr(dword('result'));
    a.xorps(xmm2, xmm2);
    a.movaps(xmm1, xmm3);
    a.divss(xmm1, xmm2);
    a.cmp(dword('simd.faults'), 1);
    must(a, 'e', 'DIVSS by zero faults');
    a.cli();
    a.mov(eax, dword('ticks'));
    a.cmp(eax, 3);
    must(a, 'a', 'interrupts came in between');
    exit(a, exitSuccess);

    a.label('math.fault');
    a.push(eax);
    a.inc(dword('math.faults'));
    a.fnstsw(ax);
    a.and(eax, 0x80ff);
    sayValue(a, 'x87 fault ');
    a.fnclex();
    a.pop(eax);
    a.iret();

    // Goes on behind DIVSS, which has four bytes.
    a.label('simd.fault');
    a.inc(dword('simd.faults'));
    a.stmxcsr(dword('result'));
    a.push(eax);
    a.mov(eax, dword('result'));
    sayValue(a, 'sse fault ');
    a.pop(eax);
    a.add(dword(esp), 4);
    a.iret();

    a.label('timer');
    a.push(eax);
    a.fxsave(ptr('saved'));
    a.fninit();
    a.fldpi();
    a.fsqrt();
    a.fstp(qword('scratch'));
    a.xorps(xmm0, xmm0);
    a.xorps(xmm3, xmm3);
    a.fxrstor(ptr('saved'));
    a.inc(dword('ticks'));
    endInterrupt(a, 0);
    a.pop(eax);
    a.iret();

    a.align(16, 0);
    a.label('saved');
    a.reserve(512);
    a.label('starts');
    a.dd(0x3dcccccd, 0x3e4ccccd, 0x3e99999a, 0x3ecccccd);
    a.label('ones');
    a.dd(0x3f800000, 0x3f800000, 0x3f800000, 0x3f800000);
    a.label('rates');
    a.dd(0x407d70a4, 0x40733333, 0x4078f5c3, 0x40666666);
    a.label('half');
    a.dq(0x3fe0000000000000n);
    a.label('scratch');
    a.dq(0);
    a.label('result');
    a.dq(0, 0);
    for (const [name, value] of [
      ['control', 0],
      ['number', 12345678],
      ['ticks', 0],
      ['math.faults', 0],
      ['simd.faults', 0],
    ] as const) {
      a.label(name);
      a.dd(value);
    }
  });

export const numeric: CorpusGuest = {
  name: 'numeric',
  title: 'x87, SSE and MMX arithmetic to the last bit, their exceptions, FXSAVE in an interrupt',
  config: () => ({ boot: multiboot(image()) }),
  end: passed,
  serial: [
    'sum 00003fffd282475600e0c22f',
    'sum 00003fffd282475600e0c22c',
    'sum 00003fffd282475600e0c232',
    'sum 00003fffd282475600e0c22c',
    'newton 3ff6a09e667f3bcc',
    'sqrt 3ff6a09e667f3bcd',
    'logistic e89d2231',
    'mmx 51853be8',
    'bcd 12345678',
    'unordered 00000001',
    'x87 fault 00008084',
    'sse fault 00001d84',
    '',
  ].join('\n'),
};
