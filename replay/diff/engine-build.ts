/**
 * Another build of the engine, loaded from a folder or file: looked at before it is trusted with a trace.
 */
import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { MachineConfig } from '../../engine/index.js';
import type { DiffMachine } from './side.js';

export class EngineBuildError extends Error {
  override readonly name = 'EngineBuildError';
}

/** Makes machines: `createMachine` of the engine. */
export type CreateMachine = (config: MachineConfig) => DiffMachine;

/** Where a build has its engine, below the folder that is given. */
const ENTRIES = ['dist/engine/index.js', 'engine/index.js', 'index.js'];
const METHODS = ['run', 'input', 'saveWithoutMemory', 'rewind', 'frameBytes', 'trackFrames', 'digest', 'peekLinear'] as const;
const NUMBERS = ['tick', 'nowNs', 'frameCount'] as const;

/** @throws EngineBuildError */
export async function loadEngineBuild(path: string): Promise<CreateMachine> {
  const file = entryOf(path);
  const loaded = (await import(pathToFileURL(file).href).catch((error: unknown) => {
    throw new EngineBuildError(`${file} cannot be loaded: ${error instanceof Error ? error.message : String(error)}`);
  })) as Readonly<Record<string, unknown>>;
  const { createMachine } = loaded;
  if (typeof createMachine !== 'function') throw new EngineBuildError(`${file} is no engine of replay86: it exports no createMachine`);
  return (config) => checked(createMachine(config) as unknown, file);
}

function entryOf(path: string): string {
  const full = resolve(path);
  const stat = statSync(full, { throwIfNoEntry: false });
  if (stat === undefined) throw new EngineBuildError(`${path}: there is no such file or folder`);
  if (!stat.isDirectory()) return full;
  const found = ENTRIES.map((entry) => join(full, entry)).find((entry) => existsSync(entry));
  if (found === undefined) throw new EngineBuildError(`${path} has no built engine: ${ENTRIES.join(', ')} are not there`);
  return found;
}

function checked(machine: unknown, file: string): DiffMachine {
  const parts = (typeof machine === 'object' && machine !== null ? machine : {}) as Readonly<Record<string, unknown>>;
  const missing = [
    ...METHODS.filter((name) => typeof parts[name] !== 'function'),
    ...NUMBERS.filter((name) => typeof parts[name] !== 'number'),
    ...(typeof (parts.registers as { save?: unknown } | undefined)?.save === 'function' ? [] : ['registers.save']),
  ];
  if (missing.length > 0)
    throw new EngineBuildError(`${file} is of a version that cannot be compared: its machine has no ${missing.join(', ')}`);
  return machine as DiffMachine;
}
