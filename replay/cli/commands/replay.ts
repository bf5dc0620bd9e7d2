/**
 * `replay86 replay`
 */
import type { Tier } from '../../../engine/index.js';
import { openTraceFile, quote } from '../../../traces/index.js';
import { describeDivergence } from '../../divergence.js';
import { replay as replayTrace } from '../../replay.js';
import { GuestOutput } from '../guest-output.js';
import { ProgressLine } from '../progress-line.js';
import { summaryLine, writeJson } from '../summary.js';
import { plural } from '../text.js';

export interface ReplayCommandOptions {
  readonly to?: number;
  readonly tier: Tier;
  readonly images?: string;
  readonly json?: string;
}

export function replay(path: string, options: ReplayCommandOptions): number {
  const trace = openTraceFile(path);
  const output = new GuestOutput('stdio');
  const progress = new ProgressLine(output);
  process.stdout.on('error', () => process.exit());
  let startMs = performance.now();
  const seconds = (): number => (performance.now() - startMs) / 1000;
  try {
    const result = replayTrace(trace, {
      to: options.to,
      tier: options.tier,
      imagesDirectory: options.images,
      prepare: (machine) => {
        startMs = performance.now();
        machine.onSerial = (port, byte) => {
          if (port === 0) output.byte(byte);
        };
      },
      onProgress: (tick, ns) => {
        output.flush();
        progress.update({ tick, ns, seconds: seconds() });
      },
    });
    const { divergence, status, reason, tick: ticks, ns, interruptCount, digestCount, inputCount } = result;
    const summary = { reason, status, ticks, ns, seconds: seconds() };
    output.close();
    progress.hide();
    if (divergence === undefined) {
      const compared = `${plural(interruptCount, 'interrupt')} and ${plural(digestCount, 'digest')} as recorded`;
      process.stderr.write(
        `replay86: ${quote(path)}: ${summaryLine(summary)}; ${compared}${trace.complete ? '' : '; the recording was not finished'}\n`,
      );
    } else {
      process.stderr.write(`replay86: ${quote(path)}: ${describeDivergence(divergence)}\n`);
    }
    if (options.json !== undefined) {
      const more = { interrupts: interruptCount, digests: digestCount, inputs: inputCount, complete: trace.complete };
      writeJson(options.json, summary, result.digest, divergence === undefined ? more : { ...more, divergence });
    }
    return status;
  } finally {
    progress.hide();
    output.close();
    trace.close();
  }
}
