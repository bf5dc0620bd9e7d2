/** Moves, the stack, control flow and strings of the model: outcomes as the manuals state them. */
import { describe, expect, it } from 'vitest';
import { CPU_STATE, REGISTER_NAMES } from '../../state/cpu-state.js';
import { ABSENT, DATA, DATA_16, EDGE_END, type RegisterName, type Registers, run, type Setup } from './test-run.js';

const ALL = (1n << 64n) - 1n;
const D = BigInt(DATA);
const VIP = 1 << 20;

interface Row {
  readonly name: string;
  readonly given: Setup;
  readonly registers?: Registers;
  /** Bytes from DATA plus an offset on. */
  readonly memory?: readonly [offset: number, hexadecimal: string];
  readonly flags?: string;
}

const ROWS: readonly Row[] = [
  { name: 'MOV r64, imm64', given: { bits: 64, code: '48b88877665544332211' }, registers: { rax: 0x1122_3344_5566_7788n } },
  { name: 'MOV r64, imm32 extends the sign', given: { bits: 64, code: '48c7c0ffffffff' }, registers: { rax: ALL } },
  { name: 'MOV moffs, 64 bits of address', given: { bits: 64, code: 'a20010020000000000', registers: { rax: 0x77n } }, memory: [0, '77'] },
  { name: 'MOV moffs, 32 bits of address', given: { bits: 64, code: '67a200100200', registers: { rax: 0x77n } }, memory: [0, '77'] },
  { name: 'MOVZX', given: { bits: 64, code: '480fb6c3', registers: { rax: ALL, rbx: 0xff80n } }, registers: { rax: 0x80n } },
  {
    name: 'MOVSX',
    given: { bits: 32, code: '660fbec3', registers: { rax: ~0n & 0xffff_ffffn, rbx: 0x80n } },
    registers: { rax: 0xffff_ff80n },
  },
  { name: 'MOVSXD', given: { bits: 64, code: '4863c3', registers: { rbx: 0x8000_0000n } }, registers: { rax: 0xffff_ffff_8000_0000n } },
  { name: 'MOVSXD without REX.W', given: { bits: 64, code: '63c3', registers: { rax: ALL, rbx: ALL } }, registers: { rax: 0xffff_ffffn } },
  { name: 'CMOVcc that is not taken', given: { bits: 64, code: '0f42c3', registers: { rax: ALL } }, registers: { rax: 0xffff_ffffn } },
  { name: 'SETcc', given: { bits: 32, code: '0f9fc0', registers: { rax: 0xfffn }, flags: 'sf of' }, registers: { rax: 0xf01n } },
  {
    name: 'LEA wraps at the address size',
    given: { bits: 32, code: '678d40ff', registers: { rbx: 0n, rsi: 0n } },
    registers: { rax: 0xffffn },
  },
  { name: 'LEA wraps at the operand size', given: { bits: 64, code: '8d4001', registers: { rax: ALL } }, registers: { rax: 0n } },
  {
    name: 'XCHG whose address is the other operand',
    given: { bits: 32, code: '8700', registers: { rax: D }, memory: '01020304' },
    registers: { rax: 0x0403_0201n },
    memory: [0, '00100200'],
  },
  { name: '90 leaves the upper half of RAX', given: { bits: 64, code: '90', registers: { rax: ALL } }, registers: { rax: ALL } },
  { name: '87 C0 does not', given: { bits: 64, code: '87c0', registers: { rax: ALL } }, registers: { rax: 0xffff_ffffn } },
  { name: '90 with REX.B exchanges R8', given: { bits: 64, code: '4990', registers: { rax: 1n, r8: 2n } }, registers: { rax: 2n, r8: 1n } },
  { name: 'XADD of a register with itself', given: { bits: 32, code: '0fc1c0', registers: { rax: 5n } }, registers: { rax: 10n } },
  {
    name: 'XADD whose address is the other operand',
    given: { bits: 32, code: '0fc100', registers: { rax: D }, memory: '01000000' },
    registers: { rax: 1n },
    memory: [0, '01100200'],
  },
  {
    name: 'CMPXCHG, equal',
    given: { bits: 64, code: '0fb1d3', registers: { rax: ALL, rbx: ALL, rdx: ALL } },
    registers: { rax: ALL, rbx: 0xffff_ffffn },
  },
  {
    name: 'CMPXCHG, different',
    given: { bits: 64, code: '0fb1d3', registers: { rax: (ALL << 32n) & ALL, rbx: ALL } },
    registers: { rax: 0xffff_ffffn, rbx: ALL },
  },
  {
    name: 'CMPXCHG8B, different',
    given: { bits: 32, code: '0fc70b', registers: { rax: 1n, rdx: 2n, rcx: 4n, rbx: D }, memory: '0100000003000000', flags: 'zf' },
    registers: { rax: 1n, rdx: 3n },
    memory: [0, '0100000003000000'],
    flags: '',
  },
  {
    name: 'CMPXCHG8B, equal',
    given: { bits: 32, code: '0fc70b', registers: { rax: 1n, rdx: 2n, rcx: 4n, rbx: D }, memory: '0100000002000000' },
    registers: { rax: 1n, rdx: 2n },
    memory: [0, '0010020004000000'],
    flags: 'zf',
  },
  {
    name: 'BSWAP',
    given: { bits: 64, code: '480fc8', registers: { rax: 0x0102_0304_0506_0708n } },
    registers: { rax: 0x0807_0605_0403_0201n },
  },
  { name: 'BSWAP of 16 bits', given: { bits: 32, code: '660fc8', registers: { rax: 0x1234_5678n } }, registers: { rax: 0x1234_0000n } },
  {
    name: 'XLAT',
    given: { bits: 32, code: 'd7', registers: { rax: 0x1ffn, rbx: D - 0xfdn }, memory: '010277' },
    registers: { rax: 0x177n },
  },
  {
    name: 'LAHF',
    given: { bits: 32, code: '9f', registers: { rax: 0x55n }, flags: 'cf sf of' },
    registers: { rax: 0x8355n },
    flags: 'cf sf of',
  },
  { name: 'SAHF leaves OF', given: { bits: 32, code: '9e', registers: { rax: 0xc300n }, flags: 'pf of' }, flags: 'cf zf sf of' },

  { name: 'PUSH ESP', given: { bits: 32, code: '54', registers: { rsp: D + 4n } }, registers: { rsp: D }, memory: [0, '04100200'] },
  { name: 'POP ESP', given: { bits: 32, code: '5c', registers: { rsp: D }, memory: '78563412' }, registers: { rsp: 0x1234_5678n } },
  {
    name: 'POP [ESP + 4] has the new ESP',
    given: { bits: 32, code: '8f442404', registers: { rsp: D }, memory: '0102030405060708090a0b0c' },
    registers: { rsp: D + 4n },
    memory: [0, '0102030405060708010203 04'],
  },
  {
    name: 'PUSH imm8 of 64 bits',
    given: { bits: 64, code: '6aff', registers: { rsp: D + 8n } },
    registers: { rsp: D },
    memory: [0, 'ffffffffffffffff'],
  },
  {
    name: 'PUSH imm16 in 64-bit mode',
    given: { bits: 64, code: '66683412', registers: { rsp: D + 2n } },
    registers: { rsp: D },
    memory: [0, '3412'],
  },
  {
    name: 'PUSHA pushes the old SP',
    given: { bits: 16, code: '60', registers: { rax: 1n, rcx: 2n, rdx: 3n, rbx: 4n, rsp: 0x1010n, rbp: 6n, rsi: 7n, rdi: 8n } },
    registers: { rsp: 0x1000n },
    memory: [0, '08000700060010100400030002000100'],
  },
  {
    name: 'POPA passes over SP',
    given: { bits: 16, code: '61', registers: { rsp: BigInt(DATA_16) }, memory: '08000700060055550400030002000100' },
    registers: { rax: 1n, rcx: 2n, rdx: 3n, rbx: 4n, rsp: 0x1010n, rbp: 6n, rsi: 7n, rdi: 8n },
  },
  {
    name: 'ENTER 4, 0',
    given: { bits: 32, code: 'c8040000', registers: { rsp: D + 8n, rbp: 0x55n } },
    registers: { rsp: D, rbp: D + 4n },
    memory: [4, '55000000'],
  },
  {
    name: 'ENTER 0, 3 copies the display',
    given: { bits: 32, code: 'c8000003', registers: { rsp: D + 32n, rbp: D + 12n }, memory: '00000000 11111111 22222222 33333333' },
    registers: { rsp: D + 16n, rbp: D + 28n },
    memory: [16, '1c1002001111111122222222 0c100200'],
  },
  {
    name: 'ENTER sees what it has pushed',
    given: { bits: 32, code: 'c8000002', registers: { rsp: D + 32n, rbp: D + 32n } },
    registers: { rsp: D + 20n, rbp: D + 28n },
    memory: [20, '1c100200 20100200 20100200'],
  },
  {
    name: 'LEAVE with 16 bits on a wide stack',
    given: { bits: 32, code: '66c9', registers: { rbp: D, rsp: 5n }, memory: '7856' },
    registers: { rsp: D + 2n, rbp: 0x2_5678n },
  },
  {
    name: 'PUSHF has neither RF nor VM',
    given: { bits: 32, code: '9c', registers: { rsp: D + 4n }, flags: 'cf', set: (s) => (s.flags |= 0x4_0000) },
    registers: { rsp: D },
    memory: [0, '03020400'],
  },
  {
    name: 'POPF leaves IF and IOPL above the I/O privilege',
    given: { bits: 32, code: '9d', registers: { rsp: D }, memory: 'd5380000' },
    registers: { rsp: D + 4n },
    flags: 'cf pf af zf sf of',
  },

  {
    name: 'CALL pushes the address behind it',
    given: { bits: 32, code: 'e800000000', registers: { rsp: D + 4n } },
    registers: { rsp: D },
    memory: [0, '450f0100'],
  },
  {
    name: 'RET imm16',
    given: { bits: 64, code: 'c20800', registers: { rsp: D }, memory: '430f010000000000' },
    registers: { rsp: D + 16n },
  },
  { name: 'LOOP counts in CX', given: { bits: 32, code: '67e2fd', registers: { rcx: 0x1_0003n } }, registers: { rcx: 0x1_0000n } },
  { name: 'LOOP counts in ECX', given: { bits: 64, code: '67e200', registers: { rcx: 1n << 32n } }, registers: { rcx: 0xffff_ffffn } },

  {
    name: 'REP MOVSB',
    given: { bits: 32, code: 'f3a4', registers: { rcx: 3n, rsi: D, rdi: D + 1n }, memory: '11223344' },
    registers: { rcx: 0n, rsi: D + 3n, rdi: D + 4n },
    memory: [0, '11111111'],
  },
  {
    name: 'MOVSD backward',
    given: { bits: 32, code: 'a5', registers: { rsi: D, rdi: D + 4n }, memory: '11223344', flags: 'df' },
    registers: { rsi: D - 4n, rdi: D },
    memory: [4, '11223344'],
  },
  {
    name: 'REPE CMPSW ends behind a difference',
    given: { bits: 32, code: 'f366a7', registers: { rcx: 9n, rsi: D, rdi: D + 4n }, memory: '1100220011002300' },
    registers: { rcx: 7n, rsi: D + 4n, rdi: D + 8n },
    flags: 'cf pf af sf',
  },
  {
    name: 'REPNE SCASB ends behind a match',
    given: { bits: 16, code: 'f2ae', registers: { rax: 0x33n, rcx: 9n, rdi: 0x1000n }, memory: '112233' },
    registers: { rcx: 6n, rdi: 0x1003n },
    flags: 'pf zf',
  },
  {
    name: 'REP LODS of 64 bits with 32-bit addresses',
    given: { bits: 64, code: 'f34867ad', registers: { rcx: (5n << 32n) + 1n, rsi: (7n << 32n) + D }, memory: '0102030405060708' },
    registers: { rsi: D + 4n, rcx: 0n },
  },
  {
    name: 'REP with a count of zero',
    given: { bits: 64, code: 'f367aa', registers: { rcx: 1n << 32n, rdi: 1n << 32n } },
    registers: { rcx: 1n << 32n, rdi: 1n << 32n },
  },
  {
    name: 'STOS wraps DI',
    given: { bits: 16, code: 'aa', registers: { rdi: 0x5_ffffn }, set: (s) => s.setSegment(0, 0x2b, 0x11000n, 0xffff, 0xf3) },
    registers: { rdi: 0x5_0000n },
  },
];

describe('instructions of the model', () => {
  it.each(ROWS)('$name', ({ given, registers = {}, memory, flags }) => {
    const after = run(given);
    expect(after.vector).toBeUndefined();
    const found = Object.fromEntries(
      Object.keys(registers).map((name) => [name, after.state.registers[REGISTER_NAMES.indexOf(name as RegisterName)]]),
    );
    expect(found).toEqual(registers);
    if (memory !== undefined) {
      const expected = memory[1].replaceAll(' ', '');
      expect(after.memory(memory[0], expected.length / 2)).toBe(expected);
    }
    if (flags !== undefined) expect(after.flags).toBe(flags);
  });

  it.each<readonly [string, Setup, number, number]>([
    ['LEA of a register', { bits: 32, code: '8dc0' }, 6, 0],
    ['LOCK without a memory destination', { bits: 32, code: 'f001c0' }, 6, 0],
    ['LOCK of CMP', { bits: 32, code: 'f03903', registers: { rbx: D } }, 6, 0],
    ['UD2', { bits: 64, code: '0f0b' }, 6, 0],
    ['CMPXCHG8B of a register', { bits: 32, code: '0fc7c8' }, 6, 0],
    ['a read-modify-write of an absent page faults as a write', { bits: 32, code: '0103', registers: { rbx: BigInt(ABSENT) } }, 14, 6],
    ['SHL by 0 of a read-only page faults', { bits: 32, code: 'd323', registers: { rbx: 0x24000n } }, 14, 7],
    ['CMOVcc reads although it is not taken', { bits: 32, code: '0f4203', registers: { rbx: BigInt(ABSENT) } }, 14, 4],
    ['BOUND', { bits: 32, code: '6203', registers: { rax: 3n, rbx: D }, memory: 'ffffffff02000000' }, 5, 0],
    ['a push beyond the stack segment', { bits: 16, code: '50', registers: { rsp: 1n } }, 12, 0],
    ['a jump to an address that is not canonical', { bits: 64, code: 'ffe0', registers: { rax: 1n << 47n } }, 13, 0],
    ['a branch beyond the code segment', { bits: 16, code: 'e90070', set: (s) => s.setSegment(1, 0x33, 0x10000n, 0x1fff, 0xfb) }, 13, 0],
    ['ENTER with no room at the final stack pointer', { bits: 32, code: 'c8ff0f00', registers: { rsp: D - 0xf80n } }, 14, 6],
  ])('%s: the fault, and nothing has changed', (_name, given, vector, errorCode) => {
    const after = run(given);
    expect([after.vector, after.errorCode, after.distance, after.ticks]).toEqual([vector, errorCode, 0, 0]);
    for (const [name, value] of Object.entries(given.registers ?? {})) {
      expect(after.state.registers[REGISTER_NAMES.indexOf(name as RegisterName)]).toBe(value);
    }
  });

  it('counts a tick for each iteration, and keeps those before a fault', () => {
    const after = run({ bits: 32, code: 'f3ab', registers: { rax: 0n, rcx: 5n, rdi: BigInt(EDGE_END - 8) } });
    expect([after.vector, after.errorCode, after.ticks, after.distance]).toEqual([14, 6, 2, 0]);
    expect([after.state.registers[1], after.state.registers[7]]).toEqual([3n, BigInt(EDGE_END)]);
  });

  it('PUSHA that faults in the middle has written nothing, and says that it is not agreed', () => {
    const after = run({ bits: 32, code: '60', registers: { rax: 1n, rsp: 0x24008n } });
    expect([after.vector, after.state.registers[4], after.policies]).toEqual([14, 0x24008n, []]);
    const middle = run({ bits: 32, code: '60', registers: { rax: 1n, rsp: 0x20008n } });
    expect([middle.vector, middle.state.registers[4], middle.policies]).toEqual([14, 0x20008n, ['pusha.fault']]);
  });

  it('PUSHF and POPF in virtual-8086 mode with IOPL 0 need VME and 16 bits', () => {
    const virtual =
      (cr4: number, more = 0) =>
      (s: Parameters<NonNullable<Setup['set']>>[0]): void => {
        for (let index = 0; index < 6; index++)
          s.setSegment(index, index === 1 ? 0x1000 : 0x2000, index === 1 ? 0x10000n : 0x20000n, 0xffff, 0xf3);
        s.flags |= (1 << 17) | more;
        s.setU32(CPU_STATE.cr4, cr4);
      };
    const registers = { rsp: BigInt(DATA_16) };
    const pushf = { bits: 16, code: '9c', registers } as const;
    expect(run({ ...pushf, set: virtual(0) }).errorCode).toBe(0);
    expect(run({ ...pushf, set: virtual(0) }).vector).toBe(13);
    const pushed = run({ ...pushf, registers: { rsp: BigInt(DATA_16 + 2) }, set: virtual(1, 1 << 19) });
    expect([pushed.state.registers[4], pushed.memory(0, 2)]).toEqual([BigInt(DATA_16), '0232']);
    const popf = { bits: 16, code: '9d', registers, memory: '0302' } as const;
    const popped = run({ ...popf, set: virtual(1) });
    expect([popped.distance, popped.state.flags & 0x8_0201]).toEqual([1, 0x8_0201]);
    expect(run({ ...popf, set: virtual(1, VIP) }).distance).toBe(0);
  });
});
