/**
 * The laws of the engine (ARCHITECTURE.md) that the linter's lists of globals and imports cannot express, as a table
 * of patterns that must not occur in the code of `engine/` outside its tests.
 */
import { codeOf, houseOf, isTest, lineAt, type SourceFile, type Violation } from './sources.js';

interface Law {
  readonly pattern: RegExp;
  readonly message: string;
}

const LAWS: readonly Law[] = [
  { pattern: /\bMath\s*\.\s*random\b/g, message: 'law 1: Math.random brings host randomness in' },
  {
    pattern: /\bMath\s*\.\s*(?:a?(?:sin|cos|tan)h?|atan2|exp|expm1|log|log1p|log2|log10|cbrt|hypot|pow)\b/g,
    message: 'law 6: the result of a transcendental function of the host differs between engines; compute it in float/',
  },
  {
    pattern: /\basync\s+(?:function\b|\w+\s*=>|\w+\s*\(|\()|\bawait\s/g,
    message: 'law 1: promise order must not reach the guest; the engine is synchronous',
  },
  { pattern: /\bimport\s*\(/g, message: 'law 1: the engine loads nothing while it runs' },
  { pattern: /\bimport\s*\.\s*meta\b/g, message: 'law 1: the engine does not know where it was loaded from' },
  { pattern: /\bnew\s+Function\b/g, message: 'law 1: no code is made from text; a page may forbid it, and no check could read it' },
  {
    pattern: /\.\s*(?:toLocale\w+|localeCompare)\b/g,
    message: "law 1: the host's locale must not reach the guest",
  },
  { pattern: /@ts-(?:ignore|nocheck|expect-error)/g, message: 'the compiler enforces part of law 1 here: it is not to be silenced' },
];

export function lawViolations(file: SourceFile): Violation[] {
  if (houseOf(file.path) !== 'engine' || isTest(file.path)) return [];
  const code = codeOf(file.text, 'blank');
  const violations: Violation[] = [];
  for (const { pattern, message } of LAWS) {
    // Directives to the compiler are comments, which the code no longer has.
    const text = pattern.source.startsWith('@') ? file.text : code;
    for (const match of text.matchAll(pattern)) {
      violations.push({ path: file.path, line: lineAt(text, match.index), message: `'${match[0].trim()}': ${message}` });
    }
  }
  return violations;
}
