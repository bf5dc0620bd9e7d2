/**
 * Small wrong turns that an engine could have taken, as patterns over its sources: what is looked for in the code (comments
 * and strings are blank there), and what takes its place. Each place where one fits is a mutant.
 */

export const CATEGORIES = [
  'wrong flag',
  'wrong width',
  'wrong sign',
  'dropped fault',
  'wrong fault',
  'skewed clock',
  'lost interrupt',
  'wrong comparison',
  'wrong logic',
  'wrong constant',
  'lost effect',
  'lost state',
] as const;
export type Category = (typeof CATEGORIES)[number];

export interface Operator {
  /** Part of the names of its mutants. */
  readonly name: string;
  readonly category: Category;
  readonly files: RegExp;
  /** Global. What it finds is replaced as by String.replace. */
  readonly find: RegExp;
  readonly replacement: string;
  /** Lines on which it says nothing that a guest could see. */
  readonly unless?: RegExp;
}

const ANY = /^engine\//;
const SEMANTICS = /^engine\/(isa|translate|float)\//;
const GENERATED = /^engine\/(isa|translate)\//;
const SYSTEM = /^engine\/(cpu|mmu|isa|translate)\//;
const TIMED = /^engine\/(devices|clock)\//;
const STATEFUL = /^engine\/(devices|clock|machine|board)/;

export const OPERATORS: readonly Operator[] = [
  { name: 'flags-lost', category: 'wrong flag', files: GENERATED, find: /(?<!=>\n)^( +)c\.flags\.\w+\(.*\);$/gm, replacement: '$1;' },
  { name: 'carry-for-zero', category: 'wrong flag', files: GENERATED, find: /\bc\.flags\.cf\(\)/g, replacement: 'c.flags.zf()' },
  { name: 'carry-inverted', category: 'wrong flag', files: GENERATED, find: /\bflags\.([czpsao]f)\(\)/g, replacement: 'flags.$1().xor(1)' },
  { name: 'flags-of-addition', category: 'wrong flag', files: GENERATED, find: /\bflags\.sub\(/g, replacement: 'flags.add(' },
  { name: 'flags-of-logic', category: 'wrong flag', files: GENERATED, find: /\bflags\.add\(\w+, \w+, /g, replacement: 'flags.logic(' },
  { name: 'other-flag', category: 'wrong flag', files: SYSTEM, find: /\bEFLAG\.(if|nt|rf|vm|ac)\b/g, replacement: 'EFLAG.tf' },
  {
    name: 'flag-kept',
    category: 'wrong flag',
    files: /^engine\/cpu\//,
    find: /\.clearSystemFlags\(.*\);$/gm,
    replacement: '.clearSystemFlags(0);',
  },
  {
    name: 'condition-code',
    category: 'wrong flag',
    files: /^engine\/(float|isa\/x87)\//,
    find: /\bSTATUS\.(c[0-3])\b/g,
    replacement: '(STATUS.$1 << 1)',
  },

  { name: 'width-8-16', category: 'wrong width', files: SEMANTICS, find: /, 8\)/g, replacement: ', 16)' },
  { name: 'width-16-32', category: 'wrong width', files: SEMANTICS, find: /, 16\)/g, replacement: ', 32)', unless: /parseInt/ },
  { name: 'width-32-16', category: 'wrong width', files: SEMANTICS, find: /, 32\)/g, replacement: ', 16)' },
  { name: 'mask-short', category: 'wrong width', files: SYSTEM, find: /\band\(0xff(ff)?\)/g, replacement: 'and(0x7f$1)' },
  {
    name: 'word-mask',
    category: 'wrong width',
    files: /^engine\/(cpu|devices|float)\//,
    find: /& 0xffff\b(?!_)/g,
    replacement: '& 0x7fff',
  },
  { name: 'byte-mask', category: 'wrong width', files: /^engine\/(cpu|devices)\//, find: /& 0xff\b/g, replacement: '& 0x7f' },
  { name: 'extends-byte', category: 'wrong width', files: GENERATED, find: /\.extend16S\(\)/g, replacement: '.extend8S()' },
  { name: 'access-bytes', category: 'wrong width', files: SYSTEM, find: /\b(read|write)(\w*)\((\w+), 4\b/g, replacement: '$1$2($3, 2' },

  { name: 'shift-signed', category: 'wrong sign', files: SEMANTICS, find: /\.shrS\(/g, replacement: '.shrU(' },
  { name: 'widen-signed', category: 'wrong sign', files: GENERATED, find: /\.toI64S\(\)/g, replacement: '.toI64U()' },
  { name: 'less-signed', category: 'wrong sign', files: GENERATED, find: /\.(lt|gt|le|ge)S\(/g, replacement: '.$1U(' },
  { name: 'division-unsigned', category: 'wrong sign', files: GENERATED, find: /\.(div|rem)S\(/g, replacement: '.$1U(' },
  { name: 'read-unsigned', category: 'wrong sign', files: GENERATED, find: /\.readSigned\(/g, replacement: '.read(' },
  {
    name: 'negative-lost',
    category: 'wrong sign',
    files: /^engine\/float\//,
    find: /\b(negative|sign): (?!boolean|I32|number)(\w[\w.]*)([,} ])/g,
    replacement: '$1: !$2$3',
  },

  {
    name: 'throw-lost',
    category: 'dropped fault',
    files: SYSTEM,
    find: /\bthrow (?:new GuestException|generalProtection|invalidOpcode|pageFault)\((?:[^()]|\([^()]*\))*\);/g,
    replacement: ';',
  },
  { name: 'raise-lost', category: 'dropped fault', files: GENERATED, find: /\bc\.raise\([^()]*\)/g, replacement: 'undefined' },
  {
    name: 'check-lost',
    category: 'dropped fault',
    files: SYSTEM,
    find: /(?<!=>\n)^( +)(?:[\w.]+\.)?(?:require|check)\w*\(.*\);$/gm,
    replacement: '$1;',
  },
  {
    name: 'page-fault-lost',
    category: 'dropped fault',
    files: /^engine\/mmu\/paging/,
    find: /\) this\.fault\(.*\);$/gm,
    replacement: ') ;',
  },

  {
    name: 'protection-for-stack',
    category: 'wrong fault',
    files: SYSTEM,
    find: /\bVECTOR\.stackFault\b/g,
    replacement: 'VECTOR.generalProtection',
  },
  {
    name: 'stack-for-protection',
    category: 'wrong fault',
    files: SYSTEM,
    find: /\bVECTOR\.generalProtection\b/g,
    replacement: 'VECTOR.stackFault',
  },
  {
    name: 'opcode-for-other',
    category: 'wrong fault',
    files: SYSTEM,
    find: /\bVECTOR\.(?:segmentNotPresent|invalidTss|deviceNotAvailable)\b/g,
    replacement: 'VECTOR.invalidOpcode',
  },
  { name: 'error-code-lost', category: 'wrong fault', files: /^engine\/cpu\//, find: /\bselectorErrorCode\([^()]*\)/g, replacement: '0' },
  { name: 'external-bit-lost', category: 'wrong fault', files: /^engine\/cpu\//, find: /, external\)/g, replacement: ', 0)' },
  { name: 'page-fault-cause', category: 'wrong fault', files: /^engine\/mmu\//, find: /\bPAGE_FAULT\.(\w+)\b/g, replacement: '0' },

  { name: 'alarm-late', category: 'skewed clock', files: TIMED, find: /\.armAt\((.*)\);$/gm, replacement: '.armAt(($1) + 1);' },
  { name: 'alarm-kept', category: 'skewed clock', files: TIMED, find: /^( +)[\w.]+\.disarm\(\);$/gm, replacement: '$1;' },
  { name: 'alarm-lost', category: 'skewed clock', files: TIMED, find: /^( +)(else )?[\w.]+\.armAt\(.*\);$/gm, replacement: '$1$2;' },
  {
    name: 'time-rounded',
    category: 'skewed clock',
    files: /^engine\/(clock|devices\/(frequency|p|rtc|uart|i8042|vga|acpi\.))/,
    find: /\bMath\.ceil\(/g,
    replacement: 'Math.floor(',
  },
  {
    name: 'time-of-now',
    category: 'skewed clock',
    files: TIMED,
    find: /(?<![\w.])((?:\w+\.)*)clock\.nowNs\b/g,
    replacement: '($1clock.nowNs + 1000)',
  },
  {
    name: 'tick-more',
    category: 'skewed clock',
    files: /^engine\/(cpu\/core|machine|clock\/clock)/,
    find: /\b(tick) \+ 1\b/g,
    replacement: '$1 + 2',
  },
  {
    name: 'tick-later',
    category: 'skewed clock',
    files: /^engine\/(cpu\/core|machine|clock\/clock)/,
    find: /\baddTicks\(1\)/g,
    replacement: 'addTicks(2)',
  },

  {
    name: 'line-kept',
    category: 'lost interrupt',
    files: STATEFUL,
    find: /(?<!=>\n)^( +)[\w.?]*(?:update(?:Int|Interrupt|Lines?)|setLine|setInt|setInterruptPending|drive(?!Step)\w*|request\w*|(?:irq\w*|line|numericError|sci)\.set)\(.*\);$/gm,
    replacement: '$1;',
  },
  {
    name: 'shadow-lost',
    category: 'lost interrupt',
    files: /^engine\/(cpu|isa)\//,
    find: /\b(?:cpu|this(?:\.core)?)\.(?:inhibitInterrupts|leaveAfterCurrent)\([^()]*\)/g,
    replacement: 'undefined',
  },
  {
    name: 'mode-kept',
    category: 'lost effect',
    files: /^engine\/(cpu|isa)\//,
    find: /(?<!=>\n)^( +)[\w.]*(?:modeChanged|updateCareful|flushTlb)\(.*\);$/gm,
    replacement: '$1;',
  },

  { name: 'less-or-equal', category: 'wrong comparison', files: ANY, find: / < (?!=)/g, replacement: ' <= ', unless: /\bfor \(|=> / },
  { name: 'less', category: 'wrong comparison', files: ANY, find: / <= /g, replacement: ' < ', unless: /\bfor \(/ },
  {
    name: 'greater-or-equal',
    category: 'wrong comparison',
    files: ANY,
    find: / > (?!=)/g,
    replacement: ' >= ',
    unless: /\bfor \(|Map<|=> /,
  },
  { name: 'greater', category: 'wrong comparison', files: ANY, find: / >= /g, replacement: ' > ', unless: /\bfor \(/ },
  { name: 'generated-or-equal', category: 'wrong comparison', files: GENERATED, find: /\.(l|g)t([US])\(/g, replacement: '.$1e$2(' },
  { name: 'generated-not-equal', category: 'wrong comparison', files: GENERATED, find: /\.eq\(/g, replacement: '.ne(' },

  { name: 'and-for-or', category: 'wrong logic', files: ANY, find: / \|\| /g, replacement: ' && ' },
  { name: 'or-for-and', category: 'wrong logic', files: ANY, find: / && /g, replacement: ' || ' },
  {
    name: 'if-inverted',
    category: 'wrong logic',
    files: ANY,
    find: /\bif \(((?:[^()\n]|\((?:[^()\n]|\([^()\n]*\))*\))*)\)/g,
    replacement: 'if (!($1))',
  },
  { name: 'generated-or', category: 'wrong logic', files: GENERATED, find: /\.and\(/g, replacement: '.or(' },
  { name: 'generated-xor', category: 'wrong logic', files: GENERATED, find: /\.or\(/g, replacement: '.xor(' },
  { name: 'generated-sub', category: 'wrong logic', files: GENERATED, find: /\.sub\(/g, replacement: '.add(' },
  { name: 'bits-kept', category: 'wrong logic', files: /^engine\/(cpu|devices|mmu)\//, find: / & ~/g, replacement: ' | ' },
  { name: 'bits-set', category: 'wrong logic', files: /^engine\/(cpu|devices|mmu)\//, find: / \|= /g, replacement: ' = ' },

  {
    name: 'bit-beside',
    category: 'wrong constant',
    files: ANY,
    find: /\bconst ([A-Z][A-Z0-9_]*) = (0x[0-9a-f_]+);/g,
    replacement: 'const $1 = $2 << 1;',
  },
  { name: 'field-beside', category: 'wrong constant', files: ANY, find: / >> (\d+)\b/g, replacement: ' >> ($1 - 1)' },
  { name: 'generated-shift', category: 'wrong constant', files: GENERATED, find: /\.sh(l|rU)\((\d+)\)/g, replacement: '.sh$1($2 - 1)' },
  { name: 'one-less', category: 'wrong constant', files: ANY, find: / - 1\b/g, replacement: ' - 0', unless: /\bfor \(/ },
  { name: 'one-more', category: 'wrong constant', files: ANY, find: / \+ 1\b/g, replacement: ' + 2', unless: /\bfor \(/ },
  { name: 'true-for-false', category: 'wrong constant', files: ANY, find: /\breturn (true|false);/g, replacement: 'return !$1;' },

  {
    name: 'call-lost',
    category: 'lost effect',
    files: /^engine\/(cpu|mmu|devices|isa|float|machine|board)/,
    find: /(?<!=>\n)^( +)(?:this|state|cpu|stack|c|core|result)(?:\.\w+)+\(.*\);$/gm,
    replacement: '$1;',
  },
  {
    name: 'assignment-lost',
    category: 'lost effect',
    files: STATEFUL,
    find: /^( +)this(?:\.\w+)+ [|&^]?= .*;$/gm,
    replacement: '$1;',
    unless: /^ +this\.\w+ = (reader|config)\./,
  },
  { name: 'lock-refused', category: 'lost effect', files: /^engine\/isa\//, find: /\block: true\b/g, replacement: 'lock: false' },

  { name: 'not-restored', category: 'lost state', files: STATEFUL, find: /^( +)this\.\w+ = (reader\.\w+\(.*\));$/gm, replacement: '$1$2;' },
  {
    name: 'not-saved',
    category: 'lost state',
    files: STATEFUL,
    find: /^( +)(\w+): this\.(\w+),$/gm,
    replacement: '$1$2: { number: 0, boolean: false }[typeof this.$3] ?? this.$3,',
  },
];
