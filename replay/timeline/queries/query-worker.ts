/**
 * The thread that looks through stretches for a timeline on another: takes jobs one at a time, answers what it has found.
 */
import { parentPort } from 'node:worker_threads';
import { openTraceFile } from '../../../traces/index.js';
import { buildMachine } from '../../build-machine.js';
import { TraceImages } from '../../images.js';
import { configOfTrace } from '../../machine-setup.js';
import type { Found, Question } from './question.js';
import { type Quota, type Stretch, StretchScanner } from './scanner.js';
import { type Beginning, StretchPlayer } from './stretch-player.js';

export type Request =
  | { readonly kind: 'open'; readonly path: string; readonly imagesDirectory: string | undefined }
  /** What to look for from now on. */
  | { readonly kind: 'ask'; readonly question: Question | undefined }
  | { readonly kind: 'scan'; readonly stretch: Stretch; readonly quota: Quota; readonly beginning: Beginning }
  /** Give up the scan under way. */
  | { readonly kind: 'abort' };

export type Reply =
  | { readonly kind: 'opened' }
  | { readonly kind: 'scanned'; readonly found: Found[]; readonly dirty: Uint32Array }
  | { readonly kind: 'aborted'; readonly dirty: Uint32Array };

let player: StretchPlayer | undefined;
let scanner: StretchScanner | undefined;
let question: Question | undefined;
let running: AbortController | undefined;

const reply = (message: Reply): void => parentPort?.postMessage(message);

parentPort?.on('message', (request: Request) => {
  if (request.kind === 'open') open(request.path, request.imagesDirectory);
  else if (request.kind === 'abort') running?.abort();
  else if (request.kind === 'scan') void scan(request);
  else {
    question = request.question;
    if (question === undefined) scanner?.close();
  }
});

/** Disks stay open: the guest reads them as it goes. */
function open(path: string, imagesDirectory: string | undefined): void {
  const trace = openTraceFile(path);
  const images = new TraceImages(trace, imagesDirectory);
  player = new StretchPlayer(buildMachine(configOfTrace(trace.header, images, 'auto')), trace);
  scanner = new StretchScanner(player, trace);
  reply({ kind: 'opened' });
}

async function scan({ stretch, quota, beginning }: Extract<Request, { kind: 'scan' }>): Promise<void> {
  if (player === undefined || scanner === undefined || question === undefined) throw new Error('there is nothing to look for');
  running = new AbortController();
  player.load(beginning);
  try {
    const found = await scanner.scan(question, stretch, quota, running.signal);
    reply({ kind: 'scanned', found, dirty: player.takeDirty() });
  } catch (error) {
    if (!running.signal.aborted) throw error;
    reply({ kind: 'aborted', dirty: player.takeDirty() });
  }
}
