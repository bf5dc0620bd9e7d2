/**
 * Which traces this version replays: those that it or an earlier version recorded (law 8).
 */
import { quote, TraceError } from '../traces/index.js';
import { ENGINE_VERSION } from './version.js';

const VERSION_PATTERN = /^(\d{1,9})\.(\d{1,9})\.(\d{1,9})$/;

/** @throws TraceError when a machine of `recorded` may do what this one does not. */
export function requireReplayable(recorded: string, own: string = ENGINE_VERSION): void {
  const theirs = parse(recorded);
  const ours = parse(own);
  if (theirs === undefined || ours === undefined)
    throw new TraceError(`recorded by version ${quote(recorded)}, which is not a version number`);
  for (let part = 0; part < ours.length; part++) {
    const [their, our] = [theirs[part] as number, ours[part] as number];
    if (their < our) return;
    if (their > our) throw new TraceError(`recorded by version ${recorded}, this is ${own}: replay it with ${recorded} or later`);
  }
}

function parse(version: string): number[] | undefined {
  return VERSION_PATTERN.exec(version)?.slice(1).map(Number);
}
