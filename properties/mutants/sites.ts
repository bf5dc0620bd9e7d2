/** Where the operators fit: every mutant there is, named by file, operator and number, with the text that it changes. */
import { codeOf, isTest, isTestHelper, lineAt, type SourceFile } from '../checks/sources.js';
import { CLASSICS } from './classics.js';
import { type Category, OPERATORS } from './operators.js';

export interface Mutant {
  /** `isa/shifts shift-signed 2`: the second place in that file. */
  readonly id: string;
  readonly category: Category;
  readonly path: string;
  /** Counted from 1. */
  readonly line: number;
  readonly from: number;
  readonly before: string;
  readonly after: string;
}

/** Engine files in which nothing that is changed could be seen, or not by a comparison with the model. */
const LEFT_OUT: readonly (readonly [files: RegExp, reason: string])[] = [
  [/^engine\/policy\//, 'data that the model shares'],
  [/^engine\/(index|config)\.ts$|\.d\.ts$/, 'names only'],
  [/^engine\/(translate\/prebuilt-code|translate\/engine-code)\.ts$/, 'runs in the build only'],
  [/^engine\/cpu\/(jump-cache|layout)\.ts$/, 'where things lie, and how soon they are found'],
  [/^engine\/mmu\/quick-walk\.ts$|^engine\/isa\/quick-system\.ts$/, 'frequent cases of what others do, who do it when these decline'],
];

export const isMutated = (path: string): boolean =>
  path.startsWith('engine/') && !isTest(path) && !isTestHelper(path) && !LEFT_OUT.some(([files]) => files.test(path));

const shortName = (path: string): string => path.replace(/^engine\//, '').replace(/\.ts$/, '');

/** All mutants of one file, in the order of the operators. */
export function mutantsOf({ path, text }: SourceFile): Mutant[] {
  if (!isMutated(path)) return [];
  const code = codeOf(text, 'blank');
  const mutants: Mutant[] = [];
  for (const { name, category, files, find, replacement, unless } of OPERATORS) {
    if (!files.test(path)) continue;
    let number = 0;
    for (const { index, 0: found } of code.matchAll(find)) {
      const line = code.slice(
        code.lastIndexOf('\n', index - 1) + 1,
        (code.indexOf('\n', index + found.length) + code.length + 1) % (code.length + 1),
      );
      if (/^\s*(?:(?:import|export type|type|interface)\b|`)/.test(line) || unless?.test(line)) continue;
      const before = text.slice(index, index + found.length);
      const after = before.replace(new RegExp(find.source, find.flags.replace('g', '')), replacement);
      number++;
      if (after === before) continue;
      const at = index + (found.length - found.trimStart().length);
      mutants.push({ id: `${shortName(path)} ${name} ${number}`, category, path, line: lineAt(text, at), from: index, before, after });
    }
  }
  return mutants;
}

/** The mutants that are written down one by one. @throws Error when the sources do not have that text any more, or twice */
export function classicMutants(sources: readonly SourceFile[]): Mutant[] {
  return CLASSICS.map(({ name, category, path, before, after }): Mutant => {
    const text = sources.find((source) => source.path === path)?.text ?? '';
    const from = text.indexOf(before);
    if (from < 0 || text.indexOf(before, from + 1) >= 0) throw new Error(`classic mutant '${name}': ${path} must have once: ${before}`);
    return { id: `classic ${name}`, category, path, line: lineAt(text, from), from, before, after };
  });
}

export const mutated = (text: string, { from, before, after }: Mutant): string =>
  text.slice(0, from) + after + text.slice(from + before.length);

/** The lines that a mutant changes, as in a patch. */
export function patchOf(text: string, mutant: Mutant): string {
  const changed = mutated(text, mutant);
  const first = text.lastIndexOf('\n', mutant.from - 1) + 1;
  const lines = (whole: string, length: number, sign: string): string[] => {
    const end = whole.indexOf('\n', mutant.from + length);
    return whole
      .slice(first, end < 0 ? whole.length : end)
      .split('\n')
      .map((line) => `${sign}${line}`);
  };
  return [...lines(text, mutant.before.length, '-'), ...lines(changed, mutant.after.length, '+')].join('\n');
}
