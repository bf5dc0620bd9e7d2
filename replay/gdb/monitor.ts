/**
 * `monitor` commands: what gdb has no commands for.
 */

import { linearPc } from './points.js';
import type { Session } from './session.js';

export interface MonitorOutput {
  readonly signal: AbortSignal;
  readonly print: (text: string) => void;
}

interface MonitorCommand {
  readonly usage: string;
  readonly help: string;
  readonly run: (session: Session, words: readonly string[], output: MonitorOutput) => Promise<void> | void;
}

const COMMANDS: Readonly<Record<string, MonitorCommand>> = {
  when: {
    usage: 'when',
    help: 'the tick, the virtual time, and how long the run is',
    run: (session, _words, { print }) => print(`${place(session)}\n`),
  },
  help: {
    usage: 'help',
    help: 'this list',
    run: (_session, _words, { print }) => {
      for (const { usage, help } of Object.values(COMMANDS)) print(`${usage.padEnd(USAGE_WIDTH)} ${help}\n`);
    },
  },
};

const USAGE_WIDTH = 24;

function place({ timeline, machine }: Session): string {
  return `tick ${machine.tick} of ${timeline.endTick}, ${machine.nowNs} ns, pc 0x${linearPc(machine).toString(16)}`;
}

export async function runMonitorCommand(session: Session, line: string, output: MonitorOutput): Promise<void> {
  const [name = 'help', ...words] = line
    .trim()
    .split(/\s+/)
    .filter((word) => word !== '');
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) output.print(`there is no command ${name}: see monitor help\n`);
  else await command.run(session, words, output);
}
