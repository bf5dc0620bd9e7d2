/** Runners that work in a child process of ours. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Measurement, Runner } from './runner.js';
import type { WorkerAnswer, WorkerMachine, WorkerRequest } from './worker.js';

const timeoutMs = 300_000;
/** The worker stands beside this file, as source or compiled. */
const workerFile = fileURLToPath(import.meta.url).replace(/in-child(\.[jt]s)$/, 'worker$1');

export function childRunner(machine: WorkerMachine, title: string): Runner {
  return {
    name: machine,
    title,
    async unavailable() {
      return undefined;
    },
    async measure(job, rounds, onRound) {
      return await new Promise<Measurement[]>((resolve, reject) => {
        // v86 talks on standard output.
        const child = fork(workerFile, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
        const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
        let outcome: WorkerAnswer | undefined;
        child.on('message', (message: WorkerAnswer) => {
          if ('round' in message) onRound(message.round);
          else outcome = message;
        });
        child.on('error', reject);
        child.on('exit', (status, signal) => {
          clearTimeout(timer);
          if (outcome !== undefined && 'measurements' in outcome) resolve([...outcome.measurements]);
          else reject(new Error(outcome !== undefined && 'error' in outcome ? outcome.error : `ended with ${signal ?? status}`));
        });
        child.send({ machine, job, rounds } satisfies WorkerRequest);
      });
    },
  };
}
