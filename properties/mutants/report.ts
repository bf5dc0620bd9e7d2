/** What a campaign has found, as text. */
import type { SourceFile } from '../checks/sources.js';
import type { Verdict } from './campaign.js';
import { CATEGORIES } from './operators.js';
import { patchOf } from './sites.js';

const folderOf = (path: string): string => {
  const parts = path.split('/');
  return parts.length > 2 ? `${parts[0]}/${parts[1]}` : 'engine';
};

/** Killed, all, and per cent, by whatever `keyOf` says. */
function table(verdicts: readonly Verdict[], keys: readonly string[], keyOf: (verdict: Verdict) => string): string[] {
  return keys.flatMap((key) => {
    const those = verdicts.filter((verdict) => keyOf(verdict) === key);
    if (those.length === 0) return [];
    return [`  ${key.padEnd(20)} ${scoreOf(those)}`];
  });
}

function scoreOf(verdicts: readonly Verdict[]): string {
  const killed = verdicts.filter(({ killedBy }) => killedBy !== undefined).length;
  return `${String(killed).padStart(4)} of ${String(verdicts.length).padStart(4)}  ${((100 * killed) / verdicts.length).toFixed(1).padStart(5)} %`;
}

export function reportOf(verdicts: readonly Verdict[], sources: readonly SourceFile[]): string {
  const folders = [...new Set(verdicts.map(({ mutant }) => folderOf(mutant.path)))].sort();
  const checks = [...new Set(verdicts.map(({ killedBy }) => killedBy ?? '(none)'))].sort();
  const survivors = verdicts.filter(({ killedBy }) => killedBy === undefined);
  const lines = [
    'By kind of mistake:',
    ...table(verdicts, CATEGORIES, ({ mutant }) => mutant.category),
    'By folder:',
    ...table(verdicts, folders, ({ mutant }) => folderOf(mutant.path)),
    'By the check that failed first:',
    ...checks.map((name) => `  ${String(verdicts.filter(({ killedBy }) => (killedBy ?? '(none)') === name).length).padStart(4)}  ${name}`),
  ];
  for (const { mutant } of survivors) {
    const text = sources.find(({ path }) => path === mutant.path)?.text as string;
    lines.push('', `SURVIVED  ${mutant.id}  (${mutant.category})`, `${mutant.path}:${mutant.line}`, patchOf(text, mutant));
  }
  lines.push('', `mutation score: ${scoreOf(verdicts).trim()}`);
  return lines.join('\n');
}
