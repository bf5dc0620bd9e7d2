/*
 * Executes single x87 instructions on the host's FPU, for comparison. Reads records of { code u8[16], image u8[108] (as
 * FRSTOR takes it), memory u8[32], eflags u32 } from standard input; RAX points to the memory when the code runs. Writes
 * { image u8[108], memory u8[32], eflags u32, ax u32 }.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

typedef struct { uint8_t code[16], image[108], memory[32]; uint32_t eflags; } __attribute__((packed)) in_record;
typedef struct { uint8_t image[108], memory[32]; uint32_t eflags, ax; } __attribute__((packed)) out_record;

static in_record in;
static out_record out;
static uint8_t memory[32] __attribute__((aligned(16)));
static uint64_t flags;
static uint64_t ax;

int main(void) {
  uint8_t *code = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (code == MAP_FAILED) return 1;
  while (fread(&in, sizeof in, 1, stdin) == 1) {
    memcpy(code, in.code, 15);
    memcpy(memory, in.memory, sizeof memory);
    flags = in.eflags;
    asm volatile(
        "frstor %[image]\n"
        "lea %[memory], %%rax\n"
        "push %[flags]\n popf\n"
        "call *%[code]\n"
        "pushf\n pop %[flags]\n"
        "mov %%rax, %[ax]\n"
        "fnsave %[result]\n"
        : [flags] "+m"(flags), [memory] "+m"(memory), [result] "=m"(out.image), [ax] "=m"(ax)
        : [image] "m"(in.image), [code] "r"(code)
        : "rax", "memory", "cc");
    memcpy(out.memory, memory, sizeof memory);
    out.eflags = (uint32_t)flags;
    out.ax = (uint32_t)ax & 0xffff;
    fwrite(&out, sizeof out, 1, stdout);
  }
  return 0;
}
