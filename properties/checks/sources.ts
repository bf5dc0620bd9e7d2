/**
 * What the checks look at: the TypeScript files of the houses, and their text with comments (and, on request, the
 * contents of strings) blanked out, so that a word in a comment is never taken for code. Line and column stay.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

export const HOUSES = ['engine', 'traces', 'replay', 'properties', 'examples'] as const;
export type House = (typeof HOUSES)[number];

export interface SourceFile {
  /** From the root of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Violation {
  readonly path: string;
  /** Counted from 1. */
  readonly line: number;
  readonly message: string;
}

export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

/** Folders that hold what was built or downloaded, never sources. */
const SKIPPED_FOLDERS = new Set(['node_modules', 'dist', 'build', 'coverage']);

export function readSources(repository: string): SourceFile[] {
  const files: SourceFile[] = [];
  const visit = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (!SKIPPED_FOLDERS.has(entry.name)) visit(path);
      } else if (entry.name.endsWith('.ts')) {
        files.push({ path: relative(repository, path).split(sep).join('/'), text: readFileSync(path, 'utf8') });
      }
    }
  };
  for (const house of HOUSES) visit(join(repository, house));
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

export function houseOf(path: string): House | undefined {
  return HOUSES.find((house) => path.startsWith(`${house}/`));
}

export function isTest(path: string): boolean {
  return path.endsWith('.test.ts');
}

/** A helper that tests share (`test-bench.ts`): bound by the laws like any other file, but neither published nor used. */
export function isTestHelper(path: string): boolean {
  return /(?:^|\/)test-[^/]*$/.test(path);
}

export function lineAt(text: string, index: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < index; at = text.indexOf('\n', at + 1)) line++;
  return line;
}

/** Comments, strings, template literals and regular expressions, each as one piece; everything else one by one. */
const PIECE =
  /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|(?<=(?:^|[=(,:;!&|?{}[\n]|\breturn|=>)[ \t]*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*|[\s\S]/g;

function blank(piece: string): string {
  return piece.replace(/[^\n]/g, ' ');
}

/**
 * The code without its comments. With `strings: 'blank'` the contents of strings, template literals (but not the
 * expressions inside them) and regular expressions go as well; the quotes stay.
 */
export function codeOf(text: string, strings: 'keep' | 'blank'): string {
  let code = '';
  /** For each template literal we are inside an expression of: how many braces are open in that expression. */
  const openBraces: number[] = [];
  let inTemplate = false;
  let at = 0;
  while (at < text.length) {
    if (inTemplate) {
      const end = endOfTemplatePart(text, at);
      const part = text.slice(at, end);
      code += strings === 'keep' ? part : blank(part);
      at = end;
      if (text[at] === '`') {
        code += '`';
        at += 1;
      } else if (at < text.length) {
        code += '${';
        at += 2;
        openBraces.push(0);
      }
      inTemplate = false;
      continue;
    }
    PIECE.lastIndex = at;
    const piece = PIECE.exec(text)?.[0] ?? '';
    at += piece.length;
    const isComment = piece.startsWith('//') || piece.startsWith('/*');
    if (isComment) code += blank(piece);
    else if (piece.length > 1) code += strings === 'keep' ? piece : piece[0] + blank(piece.slice(1, -1)) + piece.at(-1);
    else code += piece;
    if (piece === '`') inTemplate = true;
    const depth = openBraces.length - 1;
    if (depth < 0) continue;
    if (piece === '{') openBraces[depth] = (openBraces[depth] ?? 0) + 1;
    if (piece === '}' && openBraces[depth] === 0) {
      openBraces.pop();
      inTemplate = true;
    } else if (piece === '}') openBraces[depth] = (openBraces[depth] ?? 0) - 1;
  }
  return code;
}

/** Where the text part of a template literal ends: at its closing quote or at the next `${`. */
function endOfTemplatePart(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '`' || text.startsWith('${', at)) return at;
  }
  return text.length;
}
