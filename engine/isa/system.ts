/** Instructions whose meaning is TypeScript in cpu/: system, segment, far control, ports (Intel SDM volume 2). */
import { type Definition, row } from './definition.js';
import { cli, hlt, inDx, inImmediate, int, iret, outDx, outImmediate, popf, pushf, rdtsc, sti } from './quick-system.js';

const sized = { sized: true } as const;
const legacy = { not64: true } as const;
const far = { sized: true, terminal: true } as const;

/** PUSH and POP of segment registers: the register is in bits 3-5 of the opcode, so each has its own row. */
const SEGMENT_STACK: readonly (readonly [string, string])[] = [
  ['06', 'push'],
  ['0E', 'push'],
  ['16', 'push'],
  ['1E', 'push'],
  ['0F A0', 'push'],
  ['0F A8', 'push'],
  ['07', 'pop'],
  ['17', 'pop'],
  ['1F', 'pop'],
  ['0F A1', 'pop'],
  ['0F A9', 'pop'],
];

export const SYSTEM: readonly Definition[] = [
  ...SEGMENT_STACK.map(([code, verb]) => {
    const mode = code.startsWith('0F') ? ({ default64: true } as const) : legacy;
    return row(code, verb, 'So', verb === 'push' ? 'pushSegment' : 'popSegment', { ...sized, ...mode });
  }),
  row('8C /r', 'mov', 'Ev,S', 'movFromSegment'),
  row('8E /r', 'mov', 'S,Ew', 'movToSegment'),
  row('C5 /r', 'lds', 'Gv,Mp', 'lds', legacy),
  row('C4 /r', 'les', 'Gv,Mp', 'les', legacy),
  row('0F B2 /r', 'lss', 'Gv,Mp', 'lss'),
  row('0F B4 /r', 'lfs', 'Gv,Mp', 'lfs'),
  row('0F B5 /r', 'lgs', 'Gv,Mp', 'lgs'),
  row('63 /r', 'arpl', 'Ew,Gw', 'arpl', legacy),
  row('62 /r', 'bound', 'Gv,Ma', 'bound', legacy),

  row('9A', 'call far', 'Ap', 'callFarDirect', { ...far, ...legacy }),
  row('EA', 'jmp far', 'Ap', 'jumpFarDirect', { ...far, ...legacy }),
  row('FF /3', 'call far', 'Mp', 'callFarIndirect', far),
  row('FF /5', 'jmp far', 'Mp', 'jumpFarIndirect', far),
  row('CB', 'retf', '', 'retFar', far),
  row('CA', 'retf', 'Iw', 'retFarImmediate', far),
  row('CF', 'iret', '', iret, { ...far, fallback: 'iret' }),
  row('CC', 'int3', '', 'int3', far),
  row('CD', 'int', 'Ib', int, { ...far, fallback: 'int' }),
  row('CE', 'into', '', 'into', { ...far, ...legacy }),
  row('F1', 'int1', '', 'int1', far),
  row('0F 34', 'sysenter', '', 'sysenter', far),
  row('0F 35', 'sysexit', '', 'sysexit', far),
  row('0F 0B', 'ud2', '', 'undefinedInstruction'),
  row('0F B9 /r', 'ud1', 'Gv,Ev', 'undefinedInstruction'),
  row('0F FF /r', 'ud0', 'Gv,Ev', 'undefinedInstruction'),
  row('0F AA', 'rsm', '', 'rsm'),

  row('60', 'pusha', '', 'pushAll', { ...sized, ...legacy }),
  row('61', 'popa', '', 'popAll', { ...sized, ...legacy }),
  row('9C', 'pushf', '', pushf, { ...sized, default64: true, fallback: 'pushf' }),
  row('9D', 'popf', '', popf, { ...sized, default64: true, fallback: 'popf' }),
  row('FA', 'cli', '', cli, { fallback: 'cli' }),
  row('FB', 'sti', '', sti, { fallback: 'sti' }),
  row('C8', 'enter', 'Iw,Ib', 'enter', { ...sized, default64: true }),
  row('0F C7 /1', 'cmpxchg8b', 'My', 'cmpxchg8b', { lock: true }),

  row('F4', 'hlt', '', hlt, { terminal: true, fallback: 'hlt' }),
  row('0F 06', 'clts', '', 'clts'),
  row('0F 08', 'invd', '', 'invd'),
  row('0F 09', 'wbinvd', '', 'wbinvd'),
  row('0F 01 /7', 'invlpg', 'M', 'invlpg'),
  row('NP 0F AE /7', 'clflush', 'Mb', 'clflush'),
  row('0F 01 =F8', 'swapgs', '', 'swapgs', { only64: true }),
  row('0F 01 /0', 'sgdt', 'M', 'sgdt', sized),
  row('0F 01 /1', 'sidt', 'M', 'sidt', sized),
  row('0F 01 /2', 'lgdt', 'M', 'lgdt', sized),
  row('0F 01 /3', 'lidt', 'M', 'lidt', sized),
  row('0F 01 /4', 'smsw', 'Ev', 'smsw'),
  row('0F 01 /6', 'lmsw', 'Ew', 'lmsw'),
  row('0F 00 /0', 'sldt', 'Ev', 'sldt'),
  row('0F 00 /1', 'str', 'Ev', 'str'),
  row('0F 00 /2', 'lldt', 'Ew', 'lldt'),
  row('0F 00 /3', 'ltr', 'Ew', 'ltr'),
  row('0F 00 /4', 'verr', 'Ew', 'verr'),
  row('0F 00 /5', 'verw', 'Ew', 'verw'),
  row('0F 02 /r', 'lar', 'Gv,Ew', 'lar'),
  row('0F 03 /r', 'lsl', 'Gv,Ew', 'lsl'),
  row('0F 20 /r', 'mov', 'R,C', 'movFromControl'),
  row('0F 22 /r', 'mov', 'C,R', 'movToControl'),
  row('0F 21 /r', 'mov', 'R,D', 'movFromDebug'),
  row('0F 23 /r', 'mov', 'D,R', 'movToDebug'),
  row('0F 30', 'wrmsr', '', 'wrmsr'),
  row('0F 31', 'rdtsc', '', rdtsc, { fallback: 'rdtsc' }),
  row('0F 32', 'rdmsr', '', 'rdmsr'),
  row('0F 33', 'rdpmc', '', 'rdpmc'),
  row('0F A2', 'cpuid', '', 'cpuid'),

  row('E4', 'in', 'AL,Ib', inImmediate, { atMost32: true, fallback: 'inImmediate' }),
  row('E5', 'in', 'eAX,Ib', inImmediate, { atMost32: true, fallback: 'inImmediate' }),
  row('EC', 'in', 'AL,DX', inDx, { atMost32: true, fallback: 'inDx' }),
  row('ED', 'in', 'eAX,DX', inDx, { atMost32: true, fallback: 'inDx' }),
  row('E6', 'out', 'Ib,AL', outImmediate, { atMost32: true, fallback: 'outImmediate' }),
  row('E7', 'out', 'Ib,eAX', outImmediate, { atMost32: true, fallback: 'outImmediate' }),
  row('EE', 'out', 'DX,AL', outDx, { atMost32: true, fallback: 'outDx' }),
  row('EF', 'out', 'DX,eAX', outDx, { atMost32: true, fallback: 'outDx' }),
  row('6C', 'insb', 'AL', 'ins', { repeat: 'rep' }),
  row('6D', 'ins', '', 'ins', { sized: true, atMost32: true, repeat: 'rep' }),
  row('6E', 'outsb', 'AL', 'outs', { repeat: 'rep' }),
  row('6F', 'outs', '', 'outs', { sized: true, atMost32: true, repeat: 'rep' }),
];
