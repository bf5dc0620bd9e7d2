/**
 * The mnemonics that are methods of the assembler: iced's names for the instructions of a Pentium 4 with SSE3 and long
 * mode, the usual synonyms, and the names whose operand size is the mode's own. Any other legacy mnemonic goes through
 * `ins(mnemonic, ...)`.
 */
import type { Bits } from './iced.js';

const integer = [
  'aaa aad aam aas adc add and arpl bound bsf bsr bswap bt btc btr bts call cbw cdq cdqe clc cld clflush cli',
  'clts cmc cmova cmovae cmovb cmovbe cmove cmovg cmovge cmovl cmovle cmovne cmovno cmovnp cmovns cmovo',
  'cmovp cmovs cmp cmpsb cmpsd cmpsq cmpsw cmpxchg cmpxchg16b cmpxchg8b cpuid cqo cwd cwde daa das dec div',
  'enter fxrstor fxrstor64 fxsave fxsave64 hlt idiv imul in inc insb insd insw int int1 int3 into invd',
  'invlpg iret iretd iretq ja jae jb jbe jcxz je jecxz jg jge jl jle jmp jne jno jnp jns jo jp jrcxz js lahf',
  'lar lds lea leave les lfs lgdt lgs lidt lldt lmsw lodsb lodsd lodsq lodsw loop loope loopne lsl lss ltr',
  'monitor mov movsb movsd movsq movsw movsx movsxd movzx mul mwait neg nop not or out outsb outsd outsw',
  'pause pop popa popad popcnt popf popfd popfq push pusha pushad pushf pushfd pushfq rcl rcr rdmsr rdpmc',
  'rdtsc ret retf rol ror rsm sahf sal salc sar sbb scasb scasd scasq scasw seta setae setb setbe sete setg',
  'setge setl setle setne setno setnp setns seto setp sets sgdt shl shld shr shrd sidt sldt smsw stc std sti',
  'stosb stosd stosq stosw str sub swapgs syscall sysenter sysexit sysexitq sysret sysretq test ud0 ud1 ud2',
  'verr verw wait wbinvd wrmsr xadd xchg xlatb xor',
] as const;
const x87 = [
  'f2xm1 fabs fadd faddp fbld fbstp fchs fclex fcmovb fcmovbe fcmove fcmovnb fcmovnbe fcmovne fcmovnu fcmovu',
  'fcom fcomi fcomip fcomp fcompp fcos fdecstp fdisi fdiv fdivp fdivr fdivrp feni ffree ffreep fiadd ficom',
  'ficomp fidiv fidivr fild fimul fincstp finit fist fistp fisttp fisub fisubr fld fld1 fldcw fldenv fldl2e',
  'fldl2t fldlg2 fldln2 fldpi fldz fmul fmulp fnclex fndisi fneni fninit fnop fnsave fnsetpm fnstcw fnstenv',
  'fnstsw fpatan fprem fprem1 fptan frndint frstor fsave fscale fsetpm fsin fsincos fsqrt fst fstcw fstenv',
  'fstp fstpnce fstsw fsub fsubp fsubr fsubrp ftst fucom fucomi fucomip fucomp fucompp fxam fxch fxtract',
  'fyl2x fyl2xp1',
] as const;
const mmx = [
  'emms movd movq packssdw packsswb packuswb paddb paddd paddq paddsb paddsw paddusb paddusw paddw pand',
  'pandn pcmpeqb pcmpeqd pcmpeqw pcmpgtb pcmpgtd pcmpgtw pmaddwd pmulhw pmullw por pslld psllq psllw psrad',
  'psraw psrld psrlq psrlw psubb psubd psubsb psubsw psubusb psubusw psubw punpckhbw punpckhdq punpckhwd',
  'punpcklbw punpckldq punpcklwd pxor',
] as const;
const sse = [
  'addps addss andnps andps cmpps cmpss comiss cvtpi2ps cvtps2pi cvtsi2ss cvtss2si cvttps2pi cvttss2si divps',
  'divss ldmxcsr maskmovq maxps maxss minps minss movaps movhlps movhps movlhps movlps movmskps movntps',
  'movntq movss movups mulps mulss orps pavgb pavgw pextrw pinsrw pmaxsw pmaxub pminsw pminub pmovmskb',
  'pmulhuw prefetchnta prefetcht0 prefetcht1 prefetcht2 psadbw pshufw rcpps rcpss rsqrtps rsqrtss sfence',
  'shufps sqrtps sqrtss stmxcsr subps subss ucomiss unpckhps unpcklps xorps',
] as const;
const sse2 = [
  'addpd addsd andnpd andpd cmppd comisd cvtdq2pd cvtdq2ps cvtpd2dq cvtpd2pi cvtpd2ps cvtpi2pd cvtps2dq',
  'cvtps2pd cvtsd2si cvtsd2ss cvtsi2sd cvtss2sd cvttpd2dq cvttpd2pi cvttps2dq cvttsd2si divpd divsd lfence',
  'maskmovdqu maxpd maxsd mfence minpd minsd movapd movdq2q movdqa movdqu movhpd movlpd movmskpd movntdq',
  'movnti movntpd movq2dq movupd mulpd mulsd orpd pmuludq pshufd pshufhw pshuflw pslldq psrldq psubq',
  'punpckhqdq punpcklqdq shufpd sqrtpd sqrtsd subpd subsd ucomisd unpckhpd unpcklpd xorpd',
] as const;
const sse3 = [
  'addsubpd addsubps haddpd haddps hsubpd hsubps lddqu movddup movshdup movsldup pabsb pabsd pabsw palignr',
  'phaddd phaddsw phaddw phsubd phsubsw phsubw pmaddubsw pmulhrsw pshufb psignb psignd psignw',
] as const;

/** Other names of the same instruction. */
const synonyms = {
  jz: 'je',
  jnz: 'jne',
  jc: 'jb',
  jnc: 'jae',
  jnb: 'jae',
  jnae: 'jb',
  jna: 'jbe',
  jnbe: 'ja',
  jpe: 'jp',
  jpo: 'jnp',
  jnge: 'jl',
  jnl: 'jge',
  jng: 'jle',
  jnle: 'jg',
  setz: 'sete',
  setnz: 'setne',
  setc: 'setb',
  setnc: 'setae',
  cmovz: 'cmove',
  cmovnz: 'cmovne',
  cmovc: 'cmovb',
  cmovnc: 'cmovae',
  loopz: 'loope',
  loopnz: 'loopne',
  fwait: 'wait',
  xlat: 'xlatb',
  icebp: 'int1',
  pushfw: 'pushf',
  popfw: 'popf',
  pushaw: 'pusha',
  popaw: 'popa',
  iretw: 'iret',
} as const;

/** Instructions without operands whose plain name means the operand size of the code they stand in. */
const modeSized = {
  pushf: { 16: 'pushf', 32: 'pushfd', 64: 'pushfq' },
  popf: { 16: 'popf', 32: 'popfd', 64: 'popfq' },
  pusha: { 16: 'pusha', 32: 'pushad', 64: 'pushad' },
  popa: { 16: 'popa', 32: 'popad', 64: 'popad' },
  iret: { 16: 'iret', 32: 'iretd', 64: 'iretq' },
} as const;

type Words<Text extends string, Found = never> = Text extends `${infer Head} ${infer Rest}` ? Words<Rest, Found | Head> : Found | Text;
type Listed = (typeof integer | typeof x87 | typeof mmx | typeof sse | typeof sse2 | typeof sse3)[number];
/** `jmpf` and `callf` are the far indirect transfers. */
export type Mnemonic = Words<Listed> | keyof typeof synonyms | keyof typeof modeSized | 'jmpf' | 'callf';

export const mnemonics: ReadonlySet<Mnemonic> = new Set([
  ...[integer, x87, mmx, sse, sse2, sse3].flat().flatMap((line) => line.split(' ') as Mnemonic[]),
  ...(Object.keys(synonyms) as Mnemonic[]),
  ...(Object.keys(modeSized) as Mnemonic[]),
  'jmpf' as const,
  'callf' as const,
]);

/** iced's name of a mnemonic as written in code of `bits`. */
export function icedMnemonic(mnemonic: string, bits: Bits): string {
  const sized = (modeSized as Record<string, Record<Bits, string>>)[mnemonic];
  if (sized !== undefined) return sized[bits];
  return (synonyms as Record<string, string>)[mnemonic] ?? mnemonic;
}
