/**
 * Verdicts as JUnit XML, which CI systems read: a test case for each trace and tier.
 */
import type { Verdict } from './verify.js';

export function junitReport(verdicts: readonly Verdict[]): string {
  const failures = verdicts.filter(({ outcome }) => outcome === 'diverged').length;
  const errors = verdicts.filter(({ outcome }) => outcome === 'unreadable').length;
  const totalSeconds = verdicts.reduce((sum, { seconds }) => sum + seconds, 0);
  const cases = verdicts.map(({ path, tier, outcome, problem, seconds }) => {
    const attributes = `classname="${escape(path)}" name="${tier}" time="${seconds.toFixed(3)}"`;
    if (outcome === 'agrees') return `    <testcase ${attributes}/>`;
    const element = outcome === 'diverged' ? 'failure' : 'error';
    return `    <testcase ${attributes}><${element} message="${escape(problem)}"/></testcase>`;
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<testsuites>',
    `  <testsuite name="replay86 verify" tests="${verdicts.length}" failures="${failures}" errors="${errors}" time="${totalSeconds.toFixed(3)}">`,
    ...cases,
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };

/** Characters that XML 1.0 cannot hold at all become question marks. */
function escape(text: string): string {
  return text
    .replace(/[&<>"']/g, (character) => ENTITIES[character] as string)
    .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '?');
}
