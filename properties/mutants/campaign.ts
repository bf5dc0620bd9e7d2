/** Runs mutants on several trees at once: each through its checks, until one of them fails. */
import type { Mutant } from './sites.js';
import { type Check, checksFor } from './suite.js';
import { Tree } from './tree.js';

export interface Verdict {
  readonly mutant: Mutant;
  /** Name of the check that failed, undefined when none did. */
  readonly killedBy: string | undefined;
  readonly timedOut: boolean;
  readonly seconds: number;
}

/** A check is out of time, and the mutant dead, after so many times what the engine itself takes. */
const LIMIT_FACTOR = 5;
const LIMIT_EXTRA_MS = 10_000;

export class Campaign {
  private readonly trees: Tree[] = [];
  /** How long each check takes without a mutant. */
  private readonly baselineMs = new Map<string, Promise<number>>();

  constructor(
    private readonly say: (line: string) => void,
    private readonly checksOf: (path: string) => readonly Check[] = checksFor,
  ) {}

  async run(mutants: readonly Mutant[], workers: number, onVerdict: (verdict: Verdict) => void): Promise<Verdict[]> {
    const count = Math.min(workers, mutants.length);
    for (let i = 0; i <= count; i++) this.trees.push(new Tree());
    const [plain, ...others] = this.trees as [Tree, ...Tree[]];
    if (mutants.some(({ path }) => this.checksOf(path).some(({ kind }) => kind === 'cases'))) await this.recordCases(plain, others);
    const verdicts: Verdict[] = [];
    let next = 0;
    await Promise.all(
      others.map(async (tree) => {
        for (let mutant = mutants[next++]; mutant !== undefined; mutant = mutants[next++]) {
          const verdict = await this.judge(tree, plain, mutant);
          verdicts.push(verdict);
          onVerdict(verdict);
        }
      }),
    );
    return verdicts;
  }

  private async recordCases(plain: Tree, others: readonly Tree[]): Promise<void> {
    const { passed, output } = await plain.recordCases();
    if (!passed) throw new Error(`the cases cannot be recorded:\n${output}`);
    if (output !== '') this.say(output.trimEnd());
    for (const tree of others) tree.takeCasesOf(plain);
  }

  private async judge(tree: Tree, plain: Tree, mutant: Mutant): Promise<Verdict> {
    const startMs = performance.now();
    const seconds = (): number => (performance.now() - startMs) / 1000;
    tree.put(mutant);
    try {
      for (const check of this.checksOf(mutant.path)) {
        const limitMs = (await this.baseline(plain, check)) * LIMIT_FACTOR + LIMIT_EXTRA_MS;
        const { passed, timedOut } = await tree.check(check, limitMs);
        if (!passed) return { mutant, killedBy: check.name, timedOut, seconds: seconds() };
      }
      return { mutant, killedBy: undefined, timedOut: false, seconds: seconds() };
    } finally {
      tree.takeBack();
    }
  }

  private queue: Promise<unknown> = Promise.resolve();

  /** One after the other: they share a tree. @throws Error when the engine as it is does not pass */
  private baseline(plain: Tree, check: Check): Promise<number> {
    const known = this.baselineMs.get(check.name);
    if (known !== undefined) return known;
    const measured = this.queue.then(async () => {
      const { passed, milliseconds, output } = await plain.check(check, Number.POSITIVE_INFINITY);
      if (!passed) throw new Error(`${check.name} fails without a mutant:\n${output.slice(-4000)}`);
      return milliseconds;
    });
    this.queue = measured.catch(() => {});
    this.baselineMs.set(check.name, measured);
    return measured;
  }

  close(): void {
    for (const tree of this.trees) tree.remove();
  }
}
