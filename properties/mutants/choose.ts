/** Which of all mutants a campaign runs: determined by the seed, and spread over categories, then files. */
import { Random } from '../arbitraries/random.js';
import { CATEGORIES } from './operators.js';
import type { Mutant } from './sites.js';

function shuffled<T>(random: Random, list: readonly T[]): T[] {
  const result = [...list];
  for (let i = result.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [result[i], result[j]] = [result[j] as T, result[i] as T];
  }
  return result;
}

/** An order in which files take turns. */
function byTurns(random: Random, mutants: readonly Mutant[]): Mutant[] {
  const byFile = new Map<string, Mutant[]>();
  for (const mutant of mutants) byFile.set(mutant.path, [...(byFile.get(mutant.path) ?? []), mutant]);
  const lists = shuffled(random, [...byFile.values()]).map((list) => shuffled(random, list));
  const order: Mutant[] = [];
  for (let turn = 0; lists.some((list) => turn < list.length); turn++) {
    for (const list of lists) if (turn < list.length) order.push(list[turn] as Mutant);
  }
  return order;
}

export function choose(mutants: readonly Mutant[], count: number, seed: number): Mutant[] {
  // Each category draws by itself: a new operator changes the choice in its own category only.
  const orders = CATEGORIES.map((category, number) =>
    byTurns(
      new Random(seed * CATEGORIES.length + number),
      mutants.filter((mutant) => mutant.category === category),
    ),
  );
  const chosen: Mutant[] = [];
  for (let turn = 0; chosen.length < count && orders.some((order) => turn < order.length); turn++) {
    for (const order of orders) if (turn < order.length && chosen.length < count) chosen.push(order[turn] as Mutant);
  }
  return chosen;
}
