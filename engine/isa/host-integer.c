/*
 * Runs single integer instructions on the host processor in 32-bit code (compatibility mode, Intel SDM volume 3,
 * section 5.8.1.1): so the instructions that 64-bit mode lacks are there too. Reads records of registers, EFLAGS, memory
 * and code from standard input, writes registers, EFLAGS and memory as they are afterwards, and the number of the
 * exception there was, -1 for none.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { CODE = 0x10000, DATA = 0x11000, MEMORY = 0x12000, MEMORY_BYTES = 256, STACK = 0x13800 };
/* Linux: selectors of 32-bit code, of 64-bit code, and of data. */
enum { CODE_32 = 0x23, CODE_64 = 0x33, SEGMENT_DATA = 0x2b };

typedef struct { uint32_t registers[8], flags; uint8_t memory[MEMORY_BYTES], code[15], length; } in_record;
typedef struct { uint32_t registers[8], flags; int32_t trap; uint8_t memory[MEMORY_BYTES]; } out_record;

/* At DATA. */
typedef struct { uint32_t before[8], flags_before, after[8], flags_after; uint64_t stack_64; } exchange;

static sigjmp_buf escape;
static volatile int trap;
static uint8_t signal_stack[65536];
static uint8_t *at;

static void on_signal(int number, siginfo_t *information, void *context) {
  (void)number;
  (void)information;
  ucontext_t *user = context;
  trap = (int)user->uc_mcontext.gregs[REG_TRAPNO];
  siglongjmp(escape, 1);
}

static void byte(int value) { *at++ = (uint8_t)value; }
static void word32(uint32_t value) { memcpy(at, &value, 4); at += 4; }

/* The way in and out, around the instruction. */
static void generate(const uint8_t *code, unsigned length) {
  const exchange *data = (const exchange *)DATA;
  at = (uint8_t *)CODE;
  byte(0xbc), word32((uint32_t)(uintptr_t)&data->flags_before), byte(0x9d); /* mov esp, ...; popfd */
  for (int i = 0; i < 8; i++) byte(0x8b), byte(0x05 | i << 3), word32((uint32_t)(uintptr_t)&data->before[i]);
  memcpy(at, code, length);
  at += length;
  for (int i = 0; i < 8; i++) byte(0x89), byte(0x05 | i << 3), word32((uint32_t)(uintptr_t)&data->after[i]);
  byte(0xbc), word32((uint32_t)(uintptr_t)&data->flags_after + 4), byte(0x9c); /* mov esp, ...; pushfd */
  byte(0xea), word32((uint32_t)(uintptr_t)at + 6), byte(CODE_64), byte(0);     /* jmp far to what follows */
  byte(0x48), byte(0x8b), byte(0x24), byte(0x25), word32((uint32_t)(uintptr_t)&data->stack_64); /* mov rsp, ... */
  byte(0xc3);
}

static void run(void) {
  static const struct __attribute__((packed)) { uint32_t offset; uint16_t selector; } entry = {CODE, CODE_32};
  exchange *data = (exchange *)DATA;
  asm volatile(
      "push %%rbx\n push %%rbp\n push %%r12\n push %%r13\n push %%r14\n push %%r15\n"
      "mov %[selector], %%ds\n mov %[selector], %%es\n"
      "lea 1f(%%rip), %%rax\n push %%rax\n"
      "mov %%rsp, (%[stack])\n"
      "ljmp *(%[entry])\n"
      "1: cld\n"
      "pop %%r15\n pop %%r14\n pop %%r13\n pop %%r12\n pop %%rbp\n pop %%rbx\n"
      :
      : [selector] "r"(SEGMENT_DATA), [stack] "r"(&data->stack_64), [entry] "r"(&entry)
      : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
}

int main(void) {
  stack_t alternative = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
  sigaltstack(&alternative, 0);
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
  const int signals[] = {SIGFPE, SIGSEGV, SIGILL, SIGBUS, SIGTRAP};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, 0);
  void *low = mmap((void *)CODE, 0x4000, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (low == MAP_FAILED) return 1;
  exchange *data = (exchange *)DATA;
  in_record in;
  while (fread(&in, sizeof in, 1, stdin) == 1) {
    out_record out;
    generate(in.code, in.length);
    memcpy(data->before, in.registers, sizeof in.registers);
    memcpy(data->after, in.registers, sizeof in.registers);
    data->flags_before = data->flags_after = in.flags;
    memcpy((void *)MEMORY, in.memory, MEMORY_BYTES);
    trap = -1;
    if (sigsetjmp(escape, 0) == 0) run();
    out.trap = trap;
    memcpy(out.registers, data->after, sizeof out.registers);
    out.flags = data->flags_after;
    memcpy(out.memory, (void *)MEMORY, MEMORY_BYTES);
    fwrite(&out, sizeof out, 1, stdout);
  }
  return 0;
}
