/**
 * Each file opens with a comment that says what it is, and keeps no notes of unfinished work. Tests are spared the
 * first rule: they stand beside the file they test, and their names say which.
 */
import { isTest, lineAt, type SourceFile, type Violation } from './sources.js';

/** Spelled in two parts so that this file passes its own check. */
const UNFINISHED = new RegExp(`\\b(?:${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`, 'g');

export function headViolations(file: SourceFile): Violation[] {
  const violations: Violation[] = [];
  const body = file.text.replace(/^#!.*\n/, '').trimStart();
  if (!isTest(file.path) && !body.startsWith('/*') && !body.startsWith('//')) {
    violations.push({ path: file.path, line: 1, message: 'the file does not open with a comment that says what it is' });
  }
  for (const match of file.text.matchAll(UNFINISHED)) {
    violations.push({ path: file.path, line: lineAt(file.text, match.index), message: `'${match[0]}': finish it, or open an issue` });
  }
  return violations;
}
