/**
 * Starts a worker from TypeScript, where the sources are run without a build: Node 20 does not pass the loader on to threads.
 */
import { workerData } from 'node:worker_threads';
import { register } from 'tsx/esm/api';

register();
await import(workerData.entry);
