/*
 * Executes cases of the user arena on the processor it runs on: the helper of host.ts, which builds it (arena.h, with the
 * layout of a case, is written by host.ts too) and feeds it. Linux x86-64 without a C library: no thread-local storage,
 * nothing of its own below 4 GiB, so that a case in 16- or 32-bit code can reach the arena's pages and nothing else.
 *
 * 16- and 32-bit code runs in compatibility mode (Intel SDM volume 3, 5.8.1.1), entered by IRETQ or a far jump; segments
 * that are not Linux's flat ones are made with modify_ldt(2). A case ends with a signal; the frame of the signal has
 * the processor's state, vector, error code and CR2. System calls of a case are caught by a seccomp filter, which
 * refuses all that come from below 4 GiB. A supervisor process starts another worker when one dies.
 */
#define _GNU_SOURCE
#include <asm/unistd.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <ucontext.h>
#include "arena.h"

/* Selectors of Linux: 32-bit code, data, 64-bit code; all flat. */
enum { CODE_32 = 0x23, FLAT_DATA = 0x2b, CODE_64 = 0x33 };
enum { ES, CS, SS, DS, FS, GS };
enum { CF_ALWAYS = 0x2, TF = 0x100, IF = 0x200, RF = 0x10000, AC = 0x40000 };
/* IOPL, VM, VIF, VIP: nothing that user code of this process could have. */
enum { FLAGS_FORBIDDEN = 0x3000 | RF | 0x20000 | 0x80000 | 0x100000 };
enum { CR0_EM = 4, CR0_TS = 8, CR0_NE = 0x20, CR0_AM = 0x40000 };
enum { CR4_PVI = 2, CR4_PAE = 0x20, CR4_OSFXSR = 0x200, CR4_OSXMMEXCPT = 0x400, CR4_SMEP = 0x100000 };
enum { EFER_NXE = 0x800, X87_SUMMARY = 0x80 };
/* The first entries of the LDT are for selectors that must be right, the others for any descriptor. */
enum { LDT_EXACT = 64, LDT_ENTRIES = 512, LDT_PROBES = 8, SEGMENT_BYTES = 24 };
/* Descriptor bits 40-55. */
enum { ACCESSED = 1, READ_WRITE = 2, CONFORMING_OR_DOWN = 4, CODE = 8, PRESENT = 0x80, ACCESS_MASK = 0xf0, USER_SEGMENT = 0xf0, AVL = 0x1000, LONG = 0x2000, BIG = 0x4000, PAGES = 0x8000 };
enum { ATTRIBUTES_CODE_32 = 0xc0fb, ATTRIBUTES_DATA = 0xc0f3 };
#define USER_END 0x7ffffffff000ul
/* Far from everything, with the lower 32 bits zero. */
#define ELSEWHERE 0x10000000000ul

/* How long a case may take: this many ticks of the timer. More than one, since a tick may come late. */
enum { TIMER_PERIOD_US = 1000, TIMER_TICKS = 3 };

typedef struct { uint32_t entry, base, limit, bits; } ldt_entry;
typedef struct { void *handler; uint64_t flags; void *restorer; uint64_t mask; } kernel_action;

/* What enter_case loads. */
struct {
  uint64_t registers[16];
  /* As IRETQ takes it. */
  struct { uint64_t rip, cs, flags, rsp, ss; } frame;
  struct { uint32_t offset; uint16_t selector; } far;
  uint32_t wide, by_jump;
  /* Where IRETQ finds the frame. */
  uint64_t stack;
} entry __attribute__((visibility("hidden"), aligned(64)));
uint8_t image[512] __attribute__((visibility("hidden"), aligned(64)));
uint64_t saved_stack __attribute__((visibility("hidden")));

extern uint8_t text_begin[] __asm__("__executable_start") __attribute__((visibility("hidden")));
extern uint8_t text_end[] __asm__("etext") __attribute__((visibility("hidden")));
void enter_case(void) __attribute__((visibility("hidden")));
void leave_case(void) __attribute__((visibility("hidden"), noreturn));
void on_signal(void) __attribute__((visibility("hidden")));
void restorer(void) __attribute__((visibility("hidden")));

static uint8_t signal_stack[65536] __attribute__((aligned(64)));
static struct shared *shared;
/* The read-only pages as the helper can write them. */
static uint8_t *writable_alias;
static int has_fsgsbase;
static uint64_t ldt_cache[LDT_ENTRIES];
static uint32_t ldt_stamp[LDT_ENTRIES], stamp;
static int ldt_count;
static int command_file, answer_file;

/* The case under way. */
static volatile uint32_t in_case, ticks;
static uint16_t host_selectors[6];
static uint8_t *record;
static struct result *result;

/* Registers of a case, from here to enter_case and from the signal back: the stack of whoever called enter_case is
   found again by saved_stack. Signals leave AC and NT as the case had them: the handler begins with plain flags. */
__asm__(
    ".text\n"
    ".macro load_registers\n"
    "  mov entry+0(%rip), %rax\n  mov entry+8(%rip), %rcx\n  mov entry+16(%rip), %rdx\n  mov entry+24(%rip), %rbx\n"
    "  mov entry+40(%rip), %rbp\n  mov entry+48(%rip), %rsi\n  mov entry+56(%rip), %rdi\n"
    "  mov entry+64(%rip), %r8\n  mov entry+72(%rip), %r9\n  mov entry+80(%rip), %r10\n  mov entry+88(%rip), %r11\n"
    "  mov entry+96(%rip), %r12\n  mov entry+104(%rip), %r13\n  mov entry+112(%rip), %r14\n  mov entry+120(%rip), %r15\n"
    ".endm\n"
    "enter_case:\n"
    "  push %rbx\n  push %rbp\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
    "  mov %rsp, saved_stack(%rip)\n"
    "  cmpl $0, entry+176(%rip)\n  je 1f\n"
    "  fxrstor64 image(%rip)\n  jmp 2f\n"
    "1: fxrstor image(%rip)\n"
    "2: cmpl $0, entry+180(%rip)\n  jne 3f\n"
    "  mov entry+184(%rip), %rsp\n"
    "  load_registers\n"
    "  iretq\n"
    "3: mov entry+160(%rip), %ss\n"
    "  lea entry+144(%rip), %rsp\n  popfq\n"
    "  load_registers\n"
    "  mov entry+152(%rip), %rsp\n"
    "  ljmp *entry+168(%rip)\n"
    "leave_case:\n"
    "  mov saved_stack(%rip), %rsp\n"
    "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbp\n  pop %rbx\n"
    "  ret\n"
    "on_signal:\n"
    "  pushq $0x202\n  popfq\n"
    "  sub $8, %rsp\n  call handle_signal\n  add $8, %rsp\n"
    "  ret\n"
    "restorer:\n"
    "  mov $15, %eax\n  syscall\n"
    ".globl _start\n"
    "_start:\n"
    "  xor %ebp, %ebp\n  mov %rsp, %rdi\n  and $-16, %rsp\n  call begin\n");

_Static_assert(offsetof(__typeof__(entry), frame) == 128, "enter_case");
_Static_assert(offsetof(__typeof__(entry), far) == 168, "enter_case");
_Static_assert(offsetof(__typeof__(entry), wide) == 176, "enter_case");
_Static_assert(offsetof(__typeof__(entry), stack) == 184, "enter_case");
_Static_assert(sizeof(ldt_entry) == 16, "modify_ldt");

static long call(long number, long a, long b, long c, long d, long e, long f) {
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long answer;
  __asm__ volatile("syscall" : "=a"(answer) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return answer;
}

static void __attribute__((noreturn)) leave_process(int status) {
  for (;;) call(__NR_exit_group, status, 0, 0, 0, 0, 0);
}

/* The compiler calls these two. */
void *memcpy(void *to, const void *from, size_t count) {
  void *answer = to;
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count)::"memory");
  return answer;
}
void *memset(void *to, int value, size_t count) {
  void *answer = to;
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(value) : "memory");
  return answer;
}

static uint64_t get64(unsigned offset) { uint64_t value; __builtin_memcpy(&value, record + offset, 8); return value; }
static uint32_t get32(unsigned offset) { uint32_t value; __builtin_memcpy(&value, record + offset, 4); return value; }
static uint16_t get16(unsigned offset) { uint16_t value; __builtin_memcpy(&value, record + offset, 2); return value; }
static void put64(unsigned offset, uint64_t value) { __builtin_memcpy(record + offset, &value, 8); }
static void put32(unsigned offset, uint32_t value) { __builtin_memcpy(record + offset, &value, 4); }
static void put16(unsigned offset, uint16_t value) { __builtin_memcpy(record + offset, &value, 2); }

static unsigned segment_at(int index) { return STATE_SEGMENTS + SEGMENT_BYTES * (unsigned)index; }
static uint64_t segment_base(int index) { return get64(segment_at(index)); }
static uint32_t segment_limit(int index) { return get32(segment_at(index) + 8); }
static uint16_t segment_selector(int index) { return get16(segment_at(index) + 12); }
static uint32_t segment_attributes(int index) { return get32(segment_at(index) + 16); }

static int is_null(uint16_t selector) { return (selector & ~3) == 0; }

static uint64_t descriptor_of(uint32_t base, uint32_t scaled_limit, uint32_t attributes) {
  return (scaled_limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)attributes << 40 |
         (uint64_t)(scaled_limit >> 16) << 48 | (uint64_t)(base >> 24) << 56;
}

/* Which LDT entry has this descriptor, or may get it. An entry that the case already uses keeps what it has. */
static int find_ldt_entry(uint64_t descriptor) {
  const unsigned dynamic = LDT_ENTRIES - LDT_EXACT, first = (unsigned)(descriptor * 0x9e3779b97f4a7c15ul >> 48);
  int free = -1;
  for (unsigned i = 0; i < LDT_PROBES; i++) {
    const unsigned number = LDT_EXACT + (first + i) % dynamic;
    if (ldt_cache[number] == descriptor) return (int)number;
    if (ldt_stamp[number] != stamp && (free < 0 || ldt_cache[number] == 0)) free = (int)number;
  }
  return free;
}

/* Makes an LDT entry what the case has in a segment register; `exact`: the entry that its selector names. */
static int provide_ldt_entry(int index, int exact) {
  const uint32_t limit = segment_limit(index);
  const uint64_t base = segment_base(index);
  uint32_t attributes = segment_attributes(index);
  /* Linux has no conforming code for user processes; at CPL 3 only instructions that look at descriptors see the difference. */
  if (attributes & CODE) attributes &= ~(uint32_t)CONFORMING_OR_DOWN;
  if (base >> 32 != 0) return REASON_SEGMENT;
  if ((attributes & ACCESS_MASK) != USER_SEGMENT || !(attributes & ACCESSED) || attributes & LONG) return REASON_SEGMENT;
  if (attributes & PAGES ? (limit & 0xfff) != 0xfff : limit > 0xfffff) return REASON_SEGMENT;
  const uint32_t scaled = attributes & PAGES ? limit >> 12 : limit;
  const uint64_t descriptor = descriptor_of((uint32_t)base, scaled, attributes);
  const int number = exact ? segment_selector(index) >> 3 : find_ldt_entry(descriptor);
  if (number < 0 || number >= (exact ? LDT_EXACT : LDT_ENTRIES)) return REASON_SEGMENT;
  if (ldt_stamp[number] == stamp && ldt_cache[number] != descriptor) return REASON_SEGMENT;
  ldt_stamp[number] = stamp;
  host_selectors[index] = (uint16_t)(number << 3 | 7);
  if (ldt_cache[number] == descriptor) return REASON_NONE;
  const int kind = (attributes & CODE ? 2 : 0) | (attributes & CONFORMING_OR_DOWN ? 1 : 0);
  ldt_entry wanted = {(uint32_t)number, (uint32_t)base, scaled,
                      (attributes & BIG ? 1u : 0) | (uint32_t)kind << 1 | (attributes & READ_WRITE ? 0 : 8u) |
                          (attributes & PAGES ? 16u : 0) | (attributes & AVL ? 64u : 0)};
  ldt_cache[number] = 0;
  if (call(__NR_modify_ldt, 0x11, (long)&wanted, sizeof wanted, 0, 0, 0) != 0) return REASON_SEGMENT;
  ldt_cache[number] = descriptor;
  if (number >= ldt_count) ldt_count = number + 1;
  return REASON_NONE;
}

/*
 * Chooses what to load into a segment register: another selector than that of the case will do, unless its code looks
 * at selectors (`exact`). In 64-bit mode only the bases of FS and GS matter, and those are set on their own.
 */
static int provide_segment(int index, int wide, int exact) {
  const uint16_t selector = segment_selector(index);
  const uint32_t attributes = segment_attributes(index);
  if (index != CS && index != SS && is_null(selector)) {
    host_selectors[index] = selector;
    return !wide && attributes & PRESENT ? REASON_SEGMENT : REASON_NONE;
  }
  uint16_t flat = 0;
  if (wide) flat = index == CS ? CODE_64 : FLAT_DATA;
  else if (segment_base(index) == 0 && segment_limit(index) == 0xffffffff) {
    flat = attributes == ATTRIBUTES_DATA ? FLAT_DATA : attributes == ATTRIBUTES_CODE_32 ? CODE_32 : 0;
  }
  if (flat != 0 && (!exact || selector == flat)) {
    host_selectors[index] = flat;
    return REASON_NONE;
  }
  if (wide && !exact) return REASON_SEGMENT;
  if (exact && (selector & 7) != 7) return REASON_SEGMENT;
  return provide_ldt_entry(index, exact);
}

/* What the processor cannot be put into by a user process. */
static int check_state(int wide) {
  const uint64_t flags = get64(STATE_FLAGS), cr0 = get64(STATE_CR0), cr4 = get64(STATE_CR4);
  if (flags & FLAGS_FORBIDDEN || !(flags & IF) || flags >> 22) return REASON_FLAGS;
  if (get32(STATE_CPL) != 3 || get32(STATE_HALTED) != 0 || get32(STATE_INTERRUPT_SHADOW) != 0) return REASON_STATE;
  if (cr0 & (CR0_EM | CR0_TS) || !(cr0 & CR0_NE) || (flags & AC && !(cr0 & CR0_AM))) return REASON_STATE;
  if (cr4 & CR4_PVI || (cr4 & (CR4_OSFXSR | CR4_OSXMMEXCPT)) != (CR4_OSFXSR | CR4_OSXMMEXCPT)) return REASON_STATE;
  if (get64(STATE_DEBUG + 56) & 0xff || get32(STATE_MXCSR) >> 16) return REASON_STATE;
  if (!wide) {
    for (unsigned i = 0; i < 16; i++) if (get64(8 * i) >> 32) return REASON_STATE;
    if (get64(STATE_RIP) >> 32) return REASON_STATE;
  }
  return REASON_NONE;
}

/* FXRSTOR's image (SDM volume 1, 10.5.1): registers by their place in the stack, tags 1 for full; the form of 64-bit mode
   has pointers of 64 bits in the place of offsets and selectors. */
static void state_to_image(int wide) {
  const unsigned status = get16(STATE_X87_STATUS), top = status >> 11 & 7;
  *(uint16_t *)(image + 0) = get16(STATE_X87_CONTROL);
  *(uint16_t *)(image + 2) = (uint16_t)status;
  image[4] = (uint8_t)~get16(STATE_X87_EMPTY);
  *(uint16_t *)(image + 6) = get16(STATE_X87_OPCODE);
  *(uint64_t *)(image + 8) = get64(STATE_X87_INSTRUCTION_OFFSET);
  *(uint64_t *)(image + 16) = get64(STATE_X87_OPERAND_OFFSET);
  if (!wide) {
    *(uint32_t *)(image + 12) = get16(STATE_X87_INSTRUCTION_SELECTOR);
    *(uint32_t *)(image + 20) = get16(STATE_X87_OPERAND_SELECTOR);
  }
  *(uint32_t *)(image + 24) = get32(STATE_MXCSR);
  for (unsigned i = 0; i < 8; i++) __builtin_memcpy(image + 32 + 16 * i, record + STATE_X87_REGISTERS + 16 * ((top + i) & 7), 16);
  __builtin_memcpy(image + 160, record + STATE_XMM, 256);
}

static void image_to_state(const uint8_t *from, int wide) {
  const unsigned status = *(const uint16_t *)(from + 2), top = status >> 11 & 7;
  put16(STATE_X87_CONTROL, *(const uint16_t *)from);
  put16(STATE_X87_STATUS, (uint16_t)status);
  put16(STATE_X87_EMPTY, (uint8_t)~from[4]);
  /* AMD processors save pointers and opcode only with an exception pending (APM volume 2, 11.4.4.3); the kernel saves in the
     form of 64-bit mode, without selectors. What is not there stays as it was in the case. */
  if (status & X87_SUMMARY) {
    const uint64_t mask = wide ? ~0ul : 0xffffffff;
    put16(STATE_X87_OPCODE, *(const uint16_t *)(from + 6) & 0x7ff);
    put64(STATE_X87_INSTRUCTION_OFFSET, *(const uint64_t *)(from + 8) & mask);
    put64(STATE_X87_OPERAND_OFFSET, *(const uint64_t *)(from + 16) & mask);
  }
  put32(STATE_MXCSR, *(const uint32_t *)(from + 24));
  for (unsigned i = 0; i < 8; i++) {
    uint8_t *to = record + STATE_X87_REGISTERS + 16 * ((top + i) & 7);
    __builtin_memcpy(to, from + 32 + 16 * i, 10);
    __builtin_memset(to + 10, 0, 6);
  }
  __builtin_memcpy(record + STATE_XMM, from + 160, wide ? 256 : 128);
}

static void unsupported(int reason) {
  result->end = END_UNSUPPORTED;
  result->reason = (uint8_t)reason;
}

/* What a case loads into segment registers comes from the tables of this system, not of its machine: only faults, for
   selectors that are in neither, mean the same in both. The way to the handler has cleared the RPL of null selectors
   (SDM volume 2, IRET: return to outer privilege level). */
static int check_selectors(const uint16_t *selectors, int completed) {
  if (completed && shared->loaded_segments != 0) return REASON_SELECTOR;
  for (int i = ES; i <= GS; i++) {
    if (selectors[i] != host_selectors[i] && !(is_null(selectors[i]) && is_null(host_selectors[i]))) return REASON_SELECTOR;
  }
  return REASON_NONE;
}

static void registers_to_state(const greg_t *from, int wide) {
  static const uint8_t order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                    REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  const uint64_t mask = wide ? ~0ul : 0xffffffff;
  for (unsigned i = 0; i < (wide ? 16 : 8); i++) put64(8 * i, (uint64_t)from[order[i]] & mask);
  put64(STATE_RIP, (uint64_t)from[REG_RIP] & mask);
  /* RF is set in the saved flags of every fault: it says that the exception was one. */
  put64(STATE_FLAGS, ((uint64_t)from[REG_EFL] & 0xffffffff & ~(uint64_t)RF) | CF_ALWAYS);
}

/* CR0.AM of this system is set whatever that of the case. */
static int is_foreign_alignment(void) {
  return result->vector == 17 && !(get64(STATE_CR0) & CR0_AM);
}

static void exception_to_result(const greg_t *from) {
  const unsigned vector = (unsigned)from[REG_TRAPNO];
  uint32_t error = (uint32_t)from[REG_ERR];
  result->end = END_EXCEPTION;
  result->vector = (uint8_t)vector;
  if (vector == 14) {
    const uint64_t address = (uint64_t)from[REG_CR2];
    put64(STATE_CR2, address);
    /* Linux calls each fault at its own addresses one of protection. */
    if (address >= USER_END) error &= ~1u;
    /* Fetches are told apart only where something could forbid them (SDM volume 3, 4.7). */
    const int no_execute = get64(STATE_EFER) & EFER_NXE && get64(STATE_CR4) & CR4_PAE;
    if (!no_execute && !(get64(STATE_CR4) & CR4_SMEP)) error &= ~16u;
  }
  const uint32_t with_code = 1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17;
  result->error = with_code >> vector & 1 ? error : 0;
}

/* A fault for a selector that this system's tables know. */
static int is_foreign_selector(void) {
  if (result->vector < 10 || result->vector > 13 || result->error & 2) return 0;
  const uint32_t selector = result->error & 0xfff8;
  return selector != 0 && (result->error & 4 ? (int)(selector >> 3) < ldt_count : selector < 0x80);
}

void __attribute__((used, visibility("hidden"))) handle_signal(int number, siginfo_t *information, ucontext_t *context) {
  (void)information;
  const greg_t *registers = context->uc_mcontext.gregs;
  const uint64_t rip = (uint64_t)registers[REG_RIP];
  const int in_helper = rip >= (uint64_t)text_begin && rip < (uint64_t)text_end && (registers[REG_CSGSFS] & 0xffff) == CODE_64;
  if (number == SIGALRM && (!in_case || in_helper || ++ticks < TIMER_TICKS)) return;
  if (!in_case) leave_process(3);
  if (number == SIGSYS) {
    unsupported(REASON_SYSTEM_CALL);
  } else if (in_helper) {
    unsupported(REASON_ENTRY);
  } else {
    const int wide = (int)entry.wide;
    uint16_t selectors[6];
    __asm__ volatile("mov %%es, %0" : "=r"(selectors[ES]));
    __asm__ volatile("mov %%ds, %0" : "=r"(selectors[DS]));
    __asm__ volatile("mov %%fs, %0" : "=r"(selectors[FS]));
    __asm__ volatile("mov %%gs, %0" : "=r"(selectors[GS]));
    selectors[CS] = (uint16_t)registers[REG_CSGSFS];
    selectors[SS] = (uint16_t)(registers[REG_CSGSFS] >> 48);
    const int completed = rip != get64(STATE_RIP);
    int reason = check_selectors(selectors, completed);
    if (reason == REASON_NONE) {
      if (number == SIGALRM) result->end = END_LIMIT;
      else exception_to_result(registers);
      if (is_foreign_selector()) reason = REASON_SELECTOR;
      if (is_foreign_alignment()) reason = REASON_FLAGS;
    }
    if (reason == REASON_NONE) {
      registers_to_state(registers, wide);
      image_to_state((const uint8_t *)context->uc_mcontext.fpregs, wide);
    } else {
      unsupported(reason);
    }
  }
  in_case = 0;
  leave_case();
}

static void load_segments(int wide) {
  __asm__ volatile("mov %0, %%es" ::"r"(host_selectors[ES]));
  __asm__ volatile("mov %0, %%ds" ::"r"(host_selectors[DS]));
  __asm__ volatile("mov %0, %%fs" ::"r"(host_selectors[FS]));
  __asm__ volatile("mov %0, %%gs" ::"r"(host_selectors[GS]));
  if (!wide) return;
  if (has_fsgsbase) {
    __asm__ volatile("wrfsbase %0" ::"r"(segment_base(FS)));
    __asm__ volatile("wrgsbase %0" ::"r"(segment_base(GS)));
  } else {
    call(__NR_arch_prctl, 0x1002, (long)segment_base(FS), 0, 0, 0, 0);
    call(__NR_arch_prctl, 0x1001, (long)segment_base(GS), 0, 0, 0, 0);
  }
}

struct range { uint32_t address, bytes; };
static const struct range windows[] = {WINDOWS};
static const struct { uint32_t address, writable; } pages[] = {PAGES_OF_ARENA};
enum { WINDOW_COUNT = sizeof windows / sizeof *windows, PAGE_COUNT = sizeof pages / sizeof *pages };
/* The parts of writable pages that are in no window. */
static const struct range background[] = {BACKGROUND_RANGES};
enum { BACKGROUND_COUNT = sizeof background / sizeof *background };

typedef uint64_t vector __attribute__((vector_size(16)));

static void __attribute__((noinline)) note_stray_writes(struct range range, uint32_t index) {
  uint8_t *at = (uint8_t *)(uintptr_t)range.address;
  for (uint32_t i = 0; i < range.bytes; i++) {
    if (at[i] == BACKGROUND) continue;
    if (shared->stray_count < STRAY_CAPACITY) {
      uint32_t *to = shared->strays[shared->stray_count++];
      to[0] = index, to[1] = range.address + i, to[2] = at[i];
    }
    at[i] = BACKGROUND;
  }
}

static void restore_background(uint32_t index) {
  const vector expected = {BACKGROUND * 0x0101010101010101ul, BACKGROUND * 0x0101010101010101ul};
  for (unsigned i = 0; i < BACKGROUND_COUNT; i++) {
    const vector *at = (const vector *)(uintptr_t)background[i].address;
    vector different = {0, 0}, different_too = {0, 0};
    for (uint32_t k = 0; k < background[i].bytes / 16; k += 4) {
      different |= (at[k] ^ expected) | (at[k + 1] ^ expected);
      different_too |= (at[k + 2] ^ expected) | (at[k + 3] ^ expected);
    }
    different |= different_too;
    if (different[0] | different[1]) note_stray_writes(background[i], index);
  }
}

static uint8_t *window_memory(unsigned i) {
  const uint32_t address = windows[i].address;
  for (unsigned k = 0; k < PAGE_COUNT; k++) {
    if (address >> 12 == pages[k].address >> 12 && !pages[k].writable) return writable_alias + k * 4096 + (address & 4095);
  }
  return (uint8_t *)(uintptr_t)address;
}

/*
 * IRETQ to a 16-bit stack loads SP only and leaves the rest of ESP as it was in 64-bit mode. So such cases are entered by
 * a far jump, with the flags set before; but not with TF, which would trap at the jump: then the frame is laid where
 * its own address has the upper half of ESP.
 */
static void choose_entry(int wide) {
  static uint64_t mapped;
  const int narrow_stack = !wide && !(segment_attributes(SS) & BIG);
  entry.by_jump = narrow_stack && !(entry.frame.flags & TF);
  entry.stack = (uint64_t)&entry.frame;
  if (!narrow_stack || entry.by_jump) return;
  const uint64_t page = ELSEWHERE + (entry.frame.rsp & 0xffff0000) + 0x8000;
  if (mapped != page) {
    if (mapped != 0) call(__NR_munmap, (long)mapped, 4096, 0, 0, 0, 0);
    mapped = page;
    if (call(__NR_mmap, (long)page, 4096, 3, 0x32, -1, 0) != (long)page) leave_process(8);
  }
  __builtin_memcpy((void *)page, &entry.frame, sizeof entry.frame);
  entry.stack = page;
}

static void run_case(uint32_t index) {
  const int wide = shared->bits == 64;
  record = shared->records + (size_t)index * RECORD_BYTES;
  result = &shared->results[index];
  result->end = END_UNSUPPORTED, result->reason = REASON_DIED, result->vector = 0, result->error = 0;
  int reason = check_state(wide);
  stamp++;
  for (int i = ES; i <= GS && reason == REASON_NONE; i++) reason = provide_segment(i, wide, (int)shared->exact_selectors);
  if (reason != REASON_NONE) {
    unsupported(reason);
    return;
  }
  const uint8_t *contents = record + STATE_BYTES;
  for (unsigned i = 0; i < WINDOW_COUNT; contents += windows[i++].bytes) memcpy(window_memory(i), contents, windows[i].bytes);
  entry.wide = (uint32_t)wide;
  __builtin_memcpy(entry.registers, record, sizeof entry.registers);
  entry.frame.rip = get64(STATE_RIP);
  entry.frame.cs = host_selectors[CS];
  entry.frame.flags = get64(STATE_FLAGS);
  entry.frame.rsp = entry.registers[4];
  entry.frame.ss = host_selectors[SS];
  entry.far.offset = (uint32_t)entry.frame.rip;
  entry.far.selector = (uint16_t)entry.frame.cs;
  choose_entry(wide);
  state_to_image(wide);
  ticks = 0;
  in_case = 1;
  load_segments(wide);
  enter_case();
  uint8_t *answers = record + STATE_BYTES;
  if (result->end != END_UNSUPPORTED) {
    for (unsigned i = 0; i < WINDOW_COUNT; answers += windows[i++].bytes) memcpy(answers, window_memory(i), windows[i].bytes);
  }
  restore_background(index);
}

static void run_batch(void) {
  struct { int64_t seconds, us, next_seconds, next_us; } timer = {0, TIMER_PERIOD_US, 0, TIMER_PERIOD_US}, off = {0, 0, 0, 0};
  shared->idle_deaths = 0;
  shared->running = 1;
  call(__NR_setitimer, 0, (long)&timer, 0, 0, 0, 0);
  for (; shared->current < shared->count; shared->current++) run_case(shared->current);
  call(__NR_setitimer, 0, (long)&off, 0, 0, 0, 0);
  uint8_t done = 1;
  shared->busy = 0;
  shared->running = 0;
  if (call(__NR_write, answer_file, (long)&done, 1, 0, 0, 0) != 1) leave_process(0);
}

static void __attribute__((noreturn)) work(void) {
  stack_t alternative = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
  call(__NR_sigaltstack, (long)&alternative, 0, 0, 0, 0, 0);
  for (unsigned i = 0; i < BACKGROUND_COUNT; i++) memset((void *)(uintptr_t)background[i].address, BACKGROUND, background[i].bytes);
  /* A page not yet in the page tables would fault like one that is absent. */
  for (unsigned i = 0; i < PAGE_COUNT; i++) {
    call(__NR_mlock, pages[i].address, 4096, 0, 0, 0, 0);
    (void)*(volatile uint8_t *)(uintptr_t)pages[i].address;
  }
  if (shared->busy) run_batch();
  for (;;) {
    uint8_t command;
    /* The end of the file: nobody wants anything any more. */
    if (call(__NR_read, command_file, (long)&command, 1, 0, 0, 0) != 1) leave_process(0);
    /* A command may have been left by a worker that has died, and been obeyed by the next. */
    if (shared->busy) run_batch();
  }
}

static void guard_system_calls(void) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  if (call(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0) != 0) leave_process(4);
  if (call(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, (long)&program, 0, 0, 0) != 0) leave_process(4);
}

static void handle_signals(void) {
  static const uint8_t signals[] = {SIGFPE, SIGSEGV, SIGILL, SIGBUS, SIGTRAP, SIGSYS, SIGALRM};
  kernel_action action = {(void *)on_signal, SA_SIGINFO | SA_NODEFER | SA_ONSTACK | 0x04000000, (void *)restorer, 0};
  for (unsigned i = 0; i < sizeof signals; i++) call(__NR_rt_sigaction, signals[i], (long)&action, 0, 8, 0, 0);
}

static void map_arena(void) {
  const long file = call(__NR_memfd_create, (long)"arena", 0, 0, 0, 0, 0);
  if (file < 0 || call(__NR_ftruncate, file, PAGE_COUNT * 4096, 0, 0, 0, 0) != 0) leave_process(5);
  const long shared_populated = 0x01 | 0x8000, fixed = 0x10;
  for (unsigned i = 0; i < PAGE_COUNT; i++) {
    const long protection = pages[i].writable ? 7 : 5;
    const long at = call(__NR_mmap, pages[i].address, 4096, protection, shared_populated | fixed, file, i * 4096);
    if (at != pages[i].address) leave_process(5);
  }
  const long alias = call(__NR_mmap, 0, PAGE_COUNT * 4096, 3, shared_populated, file, 0);
  if (alias < 0) leave_process(5);
  writable_alias = (uint8_t *)alias;
  memset(writable_alias, BACKGROUND, PAGE_COUNT * 4096);
  call(__NR_close, file, 0, 0, 0, 0, 0);
}

/* Arguments: the shared file, the pipe of commands, the pipe of answers. */
void __attribute__((used, noreturn, visibility("hidden"))) begin(uint64_t *stack) {
  char **arguments = (char **)(stack + 1);
  if (stack[0] != 4) leave_process(2);
  command_file = (int)call(__NR_open, (long)arguments[2], 0, 0, 0, 0, 0);
  answer_file = (int)call(__NR_open, (long)arguments[3], 1, 0, 0, 0, 0);
  const long file = call(__NR_open, (long)arguments[1], 2, 0, 0, 0, 0);
  if (command_file < 0 || answer_file < 0 || file < 0) leave_process(2);
  const long at = call(__NR_mmap, 0, sizeof(struct shared), 3, 0x01, file, 0);
  if (at < 0) leave_process(2);
  shared = (struct shared *)at;
  uint64_t *vector = stack + stack[0] + 2;
  while (*vector++ != 0) continue;
  for (; vector[0] != 0; vector += 2) if (vector[0] == 26) has_fsgsbase = vector[1] >> 1 & 1;
  map_arena();
  handle_signals();
  guard_system_calls();
  for (;;) {
    const long child = call(__NR_fork, 0, 0, 0, 0, 0, 0);
    if (child < 0) leave_process(6);
    if (child == 0) work();
    shared->worker = (uint32_t)child;
    int status = 0;
    while (call(__NR_wait4, child, (long)&status, 0, 0, 0, 0) == -4) continue;
    if (status == 0) leave_process(0);
    if (!shared->running) {
      /* Again and again without a case: it is no case that does it. */
      if (++shared->idle_deaths > 3) leave_process(7);
      continue;
    }
    if (shared->current >= shared->count) leave_process(7);
    /* unsupported, because the worker died: as each case begins. */
    shared->current++;
  }
}
