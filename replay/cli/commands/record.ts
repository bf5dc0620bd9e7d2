/**
 * `replay86 record`
 */
import { STATUS } from '../../exit-status.js';
import { record as recordRun } from '../../record.js';
import { withImageName } from '../boot-problem.js';
import { openMachine } from '../machine-options.js';
import { summaryLine, writeJson } from '../summary.js';
import { type LiveOptions, startLive } from './live.js';

export async function record(options: LiveOptions & { readonly output: string }): Promise<number> {
  const opened = openMachine(options, [options.output, options.serial, options.json]);
  try {
    const live = await startLive(options);
    try {
      const { config, imagePaths } = opened;
      const result = await withImageName(options, () =>
        recordRun({ ...live.session, config, imagePaths, to: options.output, prepare: (machine) => live.prepare(machine) }),
      );
      const { seconds } = live;
      live.close();
      const status = result.reason === 'interrupted' && live.quit ? STATUS.ok : result.status;
      const summary = { reason: result.reason, status, ticks: result.tick, ns: result.ns, seconds };
      process.stderr.write(`replay86: ${summaryLine(summary)}, recorded in ${options.output}\n`);
      if (options.json !== undefined) writeJson(options.json, summary, result.digest, { trace: options.output });
      return status;
    } finally {
      live.close();
    }
  } finally {
    opened.close();
  }
}
