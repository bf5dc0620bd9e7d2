/*
 * The host's own x87 and SSE as the judge of the floating-point library. Reads records of { op u32, control u32, a0 u64,
 * a1 u64, b0 u64, b1 u64 } from standard input and writes { r0 u64, r1 u64, s0 u64, s1 u64, status u32, extra u32 }.
 * x87: control is the control word, r and s are ST(0) and ST(1) after the operation (memory operands: r is the memory),
 * status the status word. SSE: control is MXCSR, r0 the result, status MXCSR after the operation.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

typedef struct { uint64_t significand; uint16_t sign_exponent; } __attribute__((packed)) f80;
typedef struct { uint32_t op, control; uint64_t a0, a1, b0, b1; } in_record;
typedef struct { uint64_t r0, r1, s0, s1; uint32_t status, extra; } out_record;
static struct { uint32_t control, status, tag, ip, cs, dp, ds; f80 st[8]; } __attribute__((packed)) saved;
static f80 a, b;
static uint16_t control_word;
static union { uint8_t bytes[16]; uint64_t words[2]; } memory;

#define LOAD "fninit\n fldt %[b]\n fldt %[a]\n fldcw %[cw]\n"
#define X87(TEXT)                                                                                                     \
  asm volatile(LOAD TEXT "\n fnsave %[saved]\n"                                                   \
               : [saved] "=m"(saved), [mem] "+m"(memory)                                           \
               : [a] "m"(a), [b] "m"(b), [cw] "m"(control_word)                                                       \
               : "memory", "cc")

static sigjmp_buf escape;
static volatile uint32_t fault_mxcsr;
static void on_fpe(int number, siginfo_t *info, void *context) {
  (void)number;
  (void)info;
  fault_mxcsr = ((ucontext_t *)context)->uc_mcontext.fpregs->mxcsr;
  siglongjmp(escape, 1);
}

static uint64_t sa, sb, sr;
static uint32_t mxcsr_in, mxcsr_out;
#define SSE(LOADS, TEXT, STORE)                                                                                       \
  asm volatile("ldmxcsr %[in]\n" LOADS "\n" TEXT "\n" STORE "\n stmxcsr %[out]\n"                                     \
               : [r] "=m"(sr), [out] "=m"(mxcsr_out)                                                                  \
               : [a] "m"(sa), [b] "m"(sb), [in] "m"(mxcsr_in)                                                         \
               : "xmm0", "xmm1", "rax", "memory", "cc")
#define SS(TEXT) SSE("movd %[a],%%xmm0\n movd %[b],%%xmm1", TEXT, "movq %%xmm0,%[r]")
#define SD(TEXT) SSE("movq %[a],%%xmm0\n movq %[b],%%xmm1", TEXT, "movq %%xmm0,%[r]")
#define CMPSS(P) SS("cmpss $" #P ",%%xmm1,%%xmm0")
#define CMPSD(P) SD("cmpsd $" #P ",%%xmm1,%%xmm0")
#define SI(TEXT) SSE("movq %[a],%%xmm0\n movq %[b],%%xmm1", TEXT, "mov %%rax,%[r]")

static int sse(uint32_t op) {
  switch (op) {
    case 100: SS("addss %%xmm1,%%xmm0"); break;
    case 101: SS("subss %%xmm1,%%xmm0"); break;
    case 102: SS("mulss %%xmm1,%%xmm0"); break;
    case 103: SS("divss %%xmm1,%%xmm0"); break;
    case 104: SS("sqrtss %%xmm0,%%xmm0"); break;
    case 105: SS("minss %%xmm1,%%xmm0"); break;
    case 106: SS("maxss %%xmm1,%%xmm0"); break;
    case 107: SI("comiss %%xmm1,%%xmm0\n lahf"); break;
    case 108: SI("ucomiss %%xmm1,%%xmm0\n lahf"); break;
    case 109: SI("cvtss2si %%xmm0,%%eax"); break;
    case 110: SI("cvtss2si %%xmm0,%%rax"); break;
    case 111: SI("cvttss2si %%xmm0,%%eax"); break;
    case 112: SI("cvttss2si %%xmm0,%%rax"); break;
    case 113: SI("cvtsi2ssq %[a],%%xmm0\n movq %%xmm0,%%rax"); break;
    case 114: SD("cvtss2sd %%xmm0,%%xmm0"); break;
    case 120: CMPSS(0); break;
    case 121: CMPSS(1); break;
    case 122: CMPSS(2); break;
    case 123: CMPSS(3); break;
    case 124: CMPSS(4); break;
    case 125: CMPSS(5); break;
    case 126: CMPSS(6); break;
    case 127: CMPSS(7); break;
    case 200: SD("addsd %%xmm1,%%xmm0"); break;
    case 201: SD("subsd %%xmm1,%%xmm0"); break;
    case 202: SD("mulsd %%xmm1,%%xmm0"); break;
    case 203: SD("divsd %%xmm1,%%xmm0"); break;
    case 204: SD("sqrtsd %%xmm0,%%xmm0"); break;
    case 205: SD("minsd %%xmm1,%%xmm0"); break;
    case 206: SD("maxsd %%xmm1,%%xmm0"); break;
    case 207: SI("comisd %%xmm1,%%xmm0\n lahf"); break;
    case 208: SI("ucomisd %%xmm1,%%xmm0\n lahf"); break;
    case 209: SI("cvtsd2si %%xmm0,%%eax"); break;
    case 210: SI("cvtsd2si %%xmm0,%%rax"); break;
    case 211: SI("cvttsd2si %%xmm0,%%eax"); break;
    case 212: SI("cvttsd2si %%xmm0,%%rax"); break;
    case 213: SD("cvtsi2sdq %[a],%%xmm0"); break;
    case 214: SD("cvtsd2ss %%xmm0,%%xmm0"); break;
    case 220: CMPSD(0); break;
    case 221: CMPSD(1); break;
    case 222: CMPSD(2); break;
    case 223: CMPSD(3); break;
    case 224: CMPSD(4); break;
    case 225: CMPSD(5); break;
    case 226: CMPSD(6); break;
    case 227: CMPSD(7); break;
    default: return 0;
  }
  return 1;
}

static int x87(uint32_t op) {
  switch (op) {
    case 0: X87("fadd %%st(1),%%st"); break;
    case 1: X87("fsub %%st(1),%%st"); break;
    case 2: X87("fmul %%st(1),%%st"); break;
    case 3: X87("fdiv %%st(1),%%st"); break;
    case 4: X87("fsqrt"); break;
    case 5: X87("fscale"); break;
    case 6: X87("fxtract"); break;
    case 7: X87("frndint"); break;
    case 8: X87("fprem"); break;
    case 9: X87("fprem1"); break;
    case 10: X87("fcom %%st(1)"); break;
    case 11: X87("fucom %%st(1)"); break;
    case 12: X87("fxam"); break;
    case 13: X87("fistps %[mem]"); break;
    case 14: X87("fistpl %[mem]"); break;
    case 15: X87("fistpll %[mem]"); break;
    case 16: X87("fbstp %[mem]"); break;
    case 17: X87("fstps %[mem]"); break;
    case 18: X87("fstpl %[mem]"); break;
    case 19: X87("flds %[mem]"); break;
    case 20: X87("fldl %[mem]"); break;
    case 21: X87("fildll %[mem]"); break;
    case 22: X87("fbld %[mem]"); break;
    case 30: X87("f2xm1"); break;
    case 31: X87("fyl2x"); break;
    case 32: X87("fyl2xp1"); break;
    case 33: X87("fptan"); break;
    case 34: X87("fpatan"); break;
    case 35: X87("fsin"); break;
    case 36: X87("fcos"); break;
    case 37: X87("fsincos"); break;
    default: return 0;
  }
  return 1;
}

int main(void) {
  struct sigaction action = {.sa_sigaction = on_fpe, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigaction(SIGFPE, &action, 0);
  const uint32_t default_mxcsr = 0x1f80;
  in_record in;
  while (fread(&in, sizeof in, 1, stdin) == 1) {
    out_record out;
    memset(&out, 0, sizeof out);
    if (in.op < 100) {
      a = (f80){in.a0, (uint16_t)in.a1};
      b = (f80){in.b0, (uint16_t)in.b1};
      control_word = (uint16_t)in.control;
      memory.words[0] = in.a0;
      memory.words[1] = in.a1;
      if (in.op >= 19 && in.op <= 22) a = (f80){0, 0};
      if (!x87(in.op)) return 1;
      out.r0 = saved.st[0].significand;
      out.r1 = saved.st[0].sign_exponent;
      out.s0 = saved.st[1].significand;
      out.s1 = saved.st[1].sign_exponent;
      if (in.op >= 13 && in.op <= 18) {
        out.r0 = memory.words[0];
        out.r1 = memory.words[1];
      }
      out.status = saved.status & 0xffff;
    } else {
      sa = in.a0;
      sb = in.b0;
      mxcsr_in = in.control;
      sr = 0;
      if (sigsetjmp(escape, 0) == 0) {
        if (!sse(in.op)) return 1;
      } else {
        mxcsr_out = fault_mxcsr;
        out.extra = 1;
      }
      asm volatile("ldmxcsr %0" ::"m"(default_mxcsr));
      out.r0 = sr;
      out.status = mxcsr_out;
    }
    fwrite(&out, sizeof out, 1, stdout);
  }
  return 0;
}
