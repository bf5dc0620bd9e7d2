/**
 * The child process in which replay86 and v86 run: one for each kernel, so that none profits or suffers from what the
 * host's compiler learned from another. Takes { job, rounds }, answers { round }, then { measurements } or { error }.
 */
import type { Job, MeasureHere, Measurement } from './runner.js';

export interface WorkerRequest {
  readonly machine: WorkerMachine;
  readonly job: Job;
  readonly rounds: number;
}
export type WorkerMachine = 'replay86' | 'v86' | 'v86-jit';
export type WorkerAnswer = { readonly round: number } | { readonly measurements: readonly Measurement[] } | { readonly error: string };

async function load(machine: WorkerMachine): Promise<MeasureHere> {
  if (machine === 'replay86') return (await import('./replay86.js')).measureReplay86;
  const { measureV86 } = await import('./v86.js');
  return (job) => measureV86(job, machine === 'v86-jit');
}

function answer(message: WorkerAnswer): void {
  process.send?.(message);
}

process.once('message', async ({ machine, job, rounds }: WorkerRequest) => {
  try {
    const measure = await load(machine);
    const measurements: Measurement[] = [];
    for (let round = 1; round <= rounds; round++) {
      answer({ round });
      measurements.push(await measure(job));
    }
    answer({ measurements });
  } catch (error) {
    answer({ error: error instanceof Error ? error.message : String(error) });
  }
  process.disconnect();
});
