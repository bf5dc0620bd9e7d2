/**
 * What a campaign has covered: for each encoding in each mode how often it ended in which way. Encodings that no case has
 * reached are listed by name.
 */
import { encodingsFor, type InstructionEncoding } from '../arbitraries/encodings.js';
import { exceptionName } from '../compare/compare.js';
import type { CodeBits } from '../oracles/oracle.js';

/** Vectors of exceptions, then how else an instruction may end. */
const VECTORS = 32;
export const OUTCOME = {
  normal: VECTORS,
  halted: VECTORS + 1,
  shutdown: VECTORS + 2,
  limit: VECTORS + 3,
  unsupported: VECTORS + 4,
} as const;
const OUTCOMES = VECTORS + 5;

const outcomeName = (outcome: number): string =>
  outcome < VECTORS ? exceptionName(outcome) : (Object.entries(OUTCOME).find(([, number]) => number === outcome)?.[0] as string);

export interface CoverageRow {
  readonly bits: CodeBits;
  readonly encoding: string;
  readonly cases: number;
  /** By name: 'normal', '#PF'... Only those that happened. */
  readonly outcomes: Readonly<Record<string, number>>;
}

const targetKey = (bits: CodeBits, name: string): string => `${bits} ${name}`;

/** What a campaign is to cover: encodings in their modes. */
export interface Target {
  readonly bits: CodeBits;
  readonly encoding: InstructionEncoding;
}

/** @param match against the name: mnemonic, operands and opcode */
export function targetsOf(modes: readonly CodeBits[], match: RegExp | undefined): Target[] {
  const lists = modes.map((bits) => encodingsFor(bits).filter(({ name }) => match?.test(name) ?? true));
  const targets: Target[] = [];
  // Modes take turns, so that a short campaign has something of each.
  for (let i = 0; lists.some((list) => i < list.length); i++) {
    lists.forEach((list, mode) => {
      const encoding = list[i];
      if (encoding !== undefined) targets.push({ bits: modes[mode] as CodeBits, encoding });
    });
  }
  return targets;
}

export class Coverage {
  private readonly counts = new Map<string, Uint32Array>();

  /** How often the cases of an encoding have ended in each way, to be added to. */
  row(bits: CodeBits, name: string): Uint32Array {
    return this.rowOf(targetKey(bits, name));
  }

  private rowOf(key: string): Uint32Array {
    let row = this.counts.get(key);
    if (row === undefined) {
      row = new Uint32Array(OUTCOMES);
      this.counts.set(key, row);
    }
    return row;
  }

  get size(): number {
    return this.counts.size;
  }

  /** Everything since the last call, in a form that goes to another thread. */
  take(): [string, Uint32Array][] {
    const all = [...this.counts];
    this.counts.clear();
    return all;
  }

  merge(rows: readonly [string, Uint32Array][]): void {
    for (const [key, counts] of rows) {
      const row = this.rowOf(key);
      counts.forEach((count, outcome) => {
        row[outcome] = (row[outcome] as number) + count;
      });
    }
  }

  /** In the order of the targets. */
  rows(targets: readonly Target[]): CoverageRow[] {
    return targets.flatMap(({ bits, encoding: { name } }) => {
      const counts = this.counts.get(targetKey(bits, name));
      if (counts === undefined) return [];
      const outcomes: Record<string, number> = {};
      let cases = 0;
      // What is normal comes first.
      for (let i = 0; i < OUTCOMES; i++) {
        const outcome = (i + OUTCOME.normal) % OUTCOMES;
        const count = counts[outcome] as number;
        if (count > 0) outcomes[outcomeName(outcome)] = count;
        cases += count;
      }
      return [{ bits, encoding: name, cases, outcomes }];
    });
  }

  /** Targets that no case has run: not drawn yet, or always refused. */
  uncovered(targets: readonly Target[]): string[] {
    return targets.flatMap(({ bits, encoding: { name } }) => {
      const counts = this.counts.get(targetKey(bits, name));
      const ran = counts?.some((count, outcome) => count > 0 && outcome !== OUTCOME.unsupported) ?? false;
      return ran ? [] : [targetKey(bits, name)];
    });
  }
}
