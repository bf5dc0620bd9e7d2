/** The debugger on a trace of the corpus, and what it says. */
import { isAbsolute } from 'node:path';
import { openTraceFile } from '../../traces/index.js';
import { openTimeline, type Timeline } from '../timeline/timeline.js';
import { commandsOf, Debugger, type Outcome } from './debugger.js';
import type { Disassemble } from './guest-view.js';

const CORPUS = new URL('../../traces/corpus/', import.meta.url);

export class DebuggerUnderTest {
  readonly timeline: Timeline;
  readonly debugger: Debugger;
  /** In the end, how the last command ended. */
  outcome: Outcome = 'done';
  private lines: string[] = [];

  /** @param trace the name of one of the corpus, or a path */
  constructor(trace: string, disassemble: Disassemble, files: Readonly<Record<string, Uint8Array>> = {}) {
    this.timeline = openTimeline(openTraceFile(isAbsolute(trace) ? trace : new URL(`${trace}.trace`, CORPUS).pathname));
    this.debugger = new Debugger(this.timeline, {
      disassemble,
      print: (line) => this.lines.push(line),
      complain: (message) => this.lines.push(`error: ${message}`),
      emphasize: (text) => text,
      readFile: (path) => {
        const file = files[path];
        if (file === undefined) throw new Error('no such file');
        return file;
      },
    });
  }

  /** What the commands of a line print. */
  async run(line: string): Promise<string[]> {
    this.lines = [];
    for (const command of line === '' ? [''] : commandsOf(line)) this.outcome = await this.debugger.execute(command);
    return this.lines;
  }
}

interface SymbolForTest {
  readonly name: string;
  readonly address: number;
  readonly sizeBytes?: number;
}

/** An ELF file that has functions' names and nothing else. */
export function elfWithSymbols(symbols: readonly SymbolForTest[]): Uint8Array {
  const names = `\0${symbols.map(({ name }) => `${name}\0`).join('')}`;
  const tableAt = 52;
  const tableBytes = 16 * (symbols.length + 1);
  const namesAt = tableAt + tableBytes;
  const sectionsAt = namesAt + names.length;
  const file = Buffer.alloc(sectionsAt + 3 * 40);
  file.write('\x7fELF\x01\x01\x01', 'latin1');
  file.writeUInt32LE(sectionsAt, 32);
  file.writeUInt16LE(40, 46);
  file.writeUInt16LE(3, 48);
  symbols.forEach(({ name, address, sizeBytes = 0 }, index) => {
    const at = tableAt + 16 * (index + 1);
    file.writeUInt32LE(names.indexOf(`\0${name}\0`) + 1, at);
    file.writeUInt32LE(address, at + 4);
    file.writeUInt32LE(sizeBytes, at + 8);
    file.writeUInt8(0x12, at + 12);
    file.writeUInt16LE(1, at + 14);
  });
  file.write(names, namesAt, 'latin1');
  const section = (index: number, words: readonly (readonly [field: number, value: number])[]): void => {
    for (const [field, value] of words) file.writeUInt32LE(value, sectionsAt + index * 40 + field);
  };
  section(1, [
    [4, 2],
    [16, tableAt],
    [20, tableBytes],
    [24, 2],
  ]);
  section(2, [
    [4, 3],
    [16, namesAt],
    [20, names.length],
  ]);
  return file;
}
