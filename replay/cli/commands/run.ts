/**
 * `replay86 run`
 */
import { buildMachine } from '../../build-machine.js';
import { exitStatus, STATUS } from '../../exit-status.js';
import { runSession } from '../../session.js';
import { withImageName } from '../boot-problem.js';
import { openMachine } from '../machine-options.js';
import { summaryLine, writeJson } from '../summary.js';
import { type LiveOptions, startLive } from './live.js';

export async function run(options: LiveOptions): Promise<number> {
  const opened = openMachine(options, [options.serial, options.json]);
  try {
    const machine = withImageName(options, () => buildMachine(opened.config));
    const live = await startLive(options);
    try {
      live.prepare(machine);
      const end = await runSession({ ...live.session, machine, through: machine });
      const { seconds } = live;
      live.close();
      const status = end.kind === 'interrupted' && live.quit ? STATUS.ok : exitStatus(end);
      const summary = { reason: end.kind, status, ticks: machine.tick, ns: machine.nowNs, seconds };
      process.stderr.write(`replay86: ${summaryLine(summary)}\n`);
      if (options.json !== undefined) writeJson(options.json, summary, machine.digest());
      return status;
    } finally {
      live.close();
    }
  } finally {
    opened.close();
  }
}
