/*
 * Runs single MMX and SSE instructions on the host processor. Reads records of machine state and code from stdin, writes
 * the state after each (or at its exception) to stdout. Memory operands are based on EDI (RDI here).
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

typedef struct {
  uint8_t code[16];
  uint32_t gpr[4];
  uint32_t mxcsr, top;
  uint64_t mm[8];
  uint8_t xmm[128];
  uint8_t memory[64];
} in_record;

typedef struct {
  uint32_t trap, gpr[4], flags, mxcsr, top, tags, unused;
  uint64_t mm[8];
  uint16_t exponent[8];
  uint8_t xmm[128];
  uint8_t memory[64];
} out_record;

static uint8_t image[512] __attribute__((aligned(64)));
static uint8_t memory[64] __attribute__((aligned(64)));
static uint64_t gpr[4];
static uint64_t flags;
static uint8_t *page;
static sigjmp_buf escape;
static int trap;

static void on_fault(int signal_number, siginfo_t *info, void *context) {
  (void)signal_number;
  (void)info;
  ucontext_t *uc = context;
  trap = (int)uc->uc_mcontext.gregs[REG_TRAPNO];
  memcpy(image, uc->uc_mcontext.fpregs, 512);
  gpr[0] = (uint64_t)uc->uc_mcontext.gregs[REG_RAX];
  gpr[1] = (uint64_t)uc->uc_mcontext.gregs[REG_RCX];
  gpr[2] = (uint64_t)uc->uc_mcontext.gregs[REG_RDX];
  gpr[3] = (uint64_t)uc->uc_mcontext.gregs[REG_RBX];
  flags = (uint64_t)uc->uc_mcontext.gregs[REG_EFL];
  siglongjmp(escape, 1);
}

static void run(void) {
  asm volatile(
      "fxrstor64 %[image]\n"
      "push %[flags]\n popfq\n"
      "mov 0(%%rsi),%%rax\n mov 8(%%rsi),%%rcx\n mov 16(%%rsi),%%rdx\n mov 24(%%rsi),%%rbx\n"
      "call *%[page]\n"
      "mov %%rax,0(%%rsi)\n mov %%rcx,8(%%rsi)\n mov %%rdx,16(%%rsi)\n mov %%rbx,24(%%rsi)\n"
      "pushfq\n pop %[flags]\n"
      "fxsave64 %[image]\n"
      : [image] "+m"(image), [flags] "+m"(flags)
      : [page] "m"(page), "D"(memory), "S"(gpr)
      : "rax", "rcx", "rdx", "rbx", "memory", "cc");
}

int main(void) {
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigaction(SIGFPE, &action, 0);
  sigaction(SIGSEGV, &action, 0);
  sigaction(SIGILL, &action, 0);
  page = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return 1;
  const uint32_t default_mxcsr = 0x1f80;
  in_record in;
  while (fread(&in, sizeof in, 1, stdin) == 1) {
    out_record out;
    memset(&out, 0, sizeof out);
    memset(image, 0, sizeof image);
    *(uint16_t *)(image + 0) = 0x37f;
    *(uint16_t *)(image + 2) = (uint16_t)(in.top << 11);
    *(uint32_t *)(image + 24) = in.mxcsr;
    for (unsigned i = 0; i < 8; i++) {
      uint8_t *slot = image + 32 + 16 * ((i - in.top) & 7);
      memcpy(slot, &in.mm[i], 8);
      *(uint16_t *)(slot + 8) = 0x3fff;
    }
    memcpy(image + 160, in.xmm, 128);
    memcpy(memory, in.memory, 64);
    for (unsigned i = 0; i < 4; i++) gpr[i] = in.gpr[i];
    flags = 0x891 | 0x202;
    memcpy(page, in.code, 16);
    trap = 0;
    if (sigsetjmp(escape, 0) == 0) run();
    asm volatile("emms\n ldmxcsr %0" ::"m"(default_mxcsr));
    out.trap = (uint32_t)trap;
    for (unsigned i = 0; i < 4; i++) out.gpr[i] = (uint32_t)gpr[i];
    out.flags = (uint32_t)flags & 0x8d5;
    memcpy(&out.mxcsr, image + 24, 4);
    out.top = (*(uint16_t *)(image + 2) >> 11) & 7;
    out.tags = image[4];
    for (unsigned i = 0; i < 8; i++) {
      uint8_t *slot = image + 32 + 16 * ((i - out.top) & 7);
      memcpy(&out.mm[i], slot, 8);
      memcpy(&out.exponent[i], slot + 8, 2);
    }
    memcpy(out.xmm, image + 160, 128);
    memcpy(out.memory, memory, 64);
    fwrite(&out, sizeof out, 1, stdout);
  }
  return 0;
}
