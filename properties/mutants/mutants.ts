/**
 * Proof that the checks bite: makes wrong engines, one small mistake in each, and sees whether the checks notice.
 *
 *   npx tsx properties/mutants/mutants.ts [--count N] [--seed N] [--workers N] [--only ID]... [--json FILE] [--list]
 *
 * Runs N mutants (default 200) that the seed chooses, and all classic ones; prints the score and the survivors. `--list`
 * prints their names, `--only` runs those alone. Status 1 when fewer than 95 % are killed. Takes about half an hour.
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { REPOSITORY, readSources } from '../checks/sources.js';
import { Campaign } from './campaign.js';
import { choose } from './choose.js';
import { EQUIVALENT } from './equivalent.js';
import { reportOf } from './report.js';
import { classicMutants, type Mutant, mutantsOf } from './sites.js';

const SCORE_WANTED = 0.95;

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '200' },
    seed: { type: 'string', default: '86' },
    workers: { type: 'string', default: String(availableParallelism()) },
    only: { type: 'string', multiple: true },
    json: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});

const sources = readSources(REPOSITORY);
const classics = classicMutants(sources);
const sites = sources.flatMap(mutantsOf);

function wanted(): Mutant[] {
  if (values.only !== undefined) {
    return values.only.map((id) => {
      const found = [...classics, ...sites].find((mutant) => mutant.id === id);
      if (found !== undefined) return found;
      process.stderr.write(`no mutant is called '${id}': --list prints the names\n`);
      process.exit(2);
    });
  }
  const visible = sites.filter(({ id }) => !(id in EQUIVALENT));
  return [...choose(visible, Number(values.count), Number(values.seed)), ...classics];
}

const mutants = wanted();
if (values.list) {
  for (const { id, category, path, line } of mutants)
    process.stdout.write(`${category.padEnd(17)} ${`${path}:${line}`.padEnd(45)} ${id}\n`);
  process.stdout.write(`${mutants.length} mutants, of ${sites.length} places and ${classics.length} classic ones\n`);
} else {
  const campaign = new Campaign((line) => process.stdout.write(`${line}\n`));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      campaign.close();
      process.exit(130);
    });
  }
  try {
    let done = 0;
    const verdicts = await campaign.run(mutants, Number(values.workers), ({ mutant, killedBy, timedOut, seconds }) => {
      const fate = killedBy === undefined ? 'SURVIVED' : `killed by ${killedBy}${timedOut ? ', out of time' : ''}`;
      process.stdout.write(`[${++done}/${mutants.length}] ${seconds.toFixed(1).padStart(5)} s  ${mutant.id}: ${fate}\n`);
    });
    verdicts.sort((a, b) => mutants.indexOf(a.mutant) - mutants.indexOf(b.mutant));
    process.stdout.write(`\n${reportOf(verdicts, sources)}\n`);
    if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(verdicts, null, 1)}\n`);
    const killed = verdicts.filter(({ killedBy }) => killedBy !== undefined).length;
    process.exitCode = killed / verdicts.length >= SCORE_WANTED ? 0 : 1;
  } finally {
    campaign.close();
  }
}
