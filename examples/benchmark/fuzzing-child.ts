/**
 * The child process in which one kind of fuzzing is measured, so that none profits or suffers from what the host's compiler
 * learned from another. Takes a FuzzingOrder, answers { rounds } or { error }.
 */
import {
  Campaign,
  type CampaignOptions,
  createHostOracle,
  createOutcomes,
  encodingsFor,
  USER_RECORD_BYTES,
  UserBatches,
} from '../../properties/index.js';

export interface FuzzingJob extends Pick<CampaignOptions, 'modes'> {
  /** What the engine is compared with; `host` is the host CPU with nothing to compare. */
  readonly oracle: CampaignOptions['oracle'] | 'host';
  /** Default: all instructions. */
  readonly families?: readonly string[];
  readonly kind?: 'sequences' | 'system';
}
export interface FuzzingOrder {
  readonly job: FuzzingJob;
  /** Of a round; five rounds go before the first one that counts. */
  readonly shapes: number;
  readonly rounds: number;
}
export interface FuzzingRound {
  readonly cases: number;
  /** User and system, of all threads; without the helper that has the host CPU run cases. */
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
}
export type FuzzingAnswer = { readonly rounds: readonly FuzzingRound[] } | { readonly error: string };

const WARM_UP_ROUNDS = 5;
const SEED = 86;
const HOST_CASES = 256;

/** Runs a shape. @returns its cases */
type RunShape = (number: number) => number;

function campaignRunner({ modes, oracle, families, kind }: FuzzingJob): RunShape {
  const escaped = (name: string): string => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const chosen = modes.flatMap((bits) => encodingsFor(bits)).filter(({ family }) => families?.includes(family));
  const campaign = new Campaign({
    modes,
    oracle: oracle as CampaignOptions['oracle'],
    match: families === undefined ? undefined : `^(${chosen.map(({ name }) => escaped(name)).join('|')})$`,
    sequences: kind === 'sequences',
    system: kind === 'system',
    seed: SEED,
  });
  return (number) => {
    const before = campaign.cases;
    campaign.runShape(number);
    return campaign.cases - before;
  };
}

/** What the generator makes, run by the host CPU. */
function hostRunner({ modes }: FuzzingJob): RunShape {
  const host = createHostOracle();
  const outcomes = createOutcomes(HOST_CASES, USER_RECORD_BYTES);
  const sources = modes.map((bits) => ({ encodings: encodingsFor(bits), batches: new UserBatches(bits, 'native', HOST_CASES) }));
  return (number) => {
    const { encodings, batches } = sources[number % sources.length] as (typeof sources)[number];
    batches.seed(SEED, number);
    const { batch } = batches.single(encodings[number % encodings.length] as (typeof encodings)[number], HOST_CASES);
    if (host.refuses(batch) !== undefined) return 0;
    host.run(batch, outcomes);
    return batch.count;
  };
}

function measure({ job, shapes, rounds }: FuzzingOrder): FuzzingRound[] {
  const run = job.oracle === 'host' ? hostRunner(job) : campaignRunner(job);
  const measured: FuzzingRound[] = [];
  for (let round = 0; round < WARM_UP_ROUNDS + rounds; round++) {
    const [cpu, startMs] = [process.cpuUsage(), performance.now()];
    let cases = 0;
    for (let shape = 0; shape < shapes; shape++) cases += run(round * shapes + shape);
    const { user, system } = process.cpuUsage(cpu);
    measured.push({ cases, cpuSeconds: (user + system) / 1e6, wallSeconds: (performance.now() - startMs) / 1000 });
  }
  return measured.slice(WARM_UP_ROUNDS);
}

process.once('message', (order: FuzzingOrder) => {
  let answer: FuzzingAnswer;
  try {
    answer = { rounds: measure(order) };
  } catch (error) {
    answer = { error: error instanceof Error ? error.message : String(error) };
  }
  process.send?.(answer, () => process.exit());
});
