/**
 * Says on stderr which ports and addresses the guest uses that nobody claims: each once.
 */
import type { Machine, UnclaimedAccess } from '../../engine/index.js';
import { plural } from './text.js';

/** A guest that sweeps the address space is not worth more lines than this. */
const LINES_MAX = 1000;

export function logUnclaimed(machine: Machine): void {
  const seen = new Set<string>();
  machine.onUnclaimed = (access) => {
    if (seen.size >= LINES_MAX) return;
    const line = describe(access);
    if (seen.has(line)) return;
    seen.add(line);
    process.stderr.write(`unclaimed: ${line}, first at tick ${machine.tick}\n`);
    if (seen.size === LINES_MAX) process.stderr.write('unclaimed: no more of these are shown\n');
  };
}

function describe(access: UnclaimedAccess): string {
  const verb = access.write ? 'write to' : 'read from';
  if (access.kind === 'port') return `${verb} port 0x${access.port.toString(16)}, ${plural(access.size, 'byte')}`;
  return `${verb} address 0x${access.address.toString(16)}, ${plural(access.bytes, 'byte')}`;
}
