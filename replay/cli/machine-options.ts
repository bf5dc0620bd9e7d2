/**
 * The machine that the options of `run` and `record` describe: files are opened and read here.
 */
import { existsSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { type BootSource, detectKernel, type MachineConfig, type Tier } from '../../engine/index.js';
import { TraceError } from '../../traces/errors.js';
import { type FileSource, openFileSource } from '../../traces/file-source.js';
import { loadImageFile } from '../images.js';
import type { ImagePaths } from '../machine-setup.js';
import { UsageError } from './failure.js';

export interface MachineOptions {
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly bios?: string;
  readonly disk?: string;
  readonly cdrom?: string;
  readonly memory?: number;
  readonly seed?: number;
  readonly nsPerTick?: number;
  readonly tier: Tier;
}

export interface OpenedMachine {
  readonly config: MachineConfig;
  /** Absolute, so that a replay finds them from anywhere. */
  readonly imagePaths: ImagePaths;
  close(): void;
}

/**
 * @param outputs files that the run will write: none of them may be an image.
 * @throws UsageError, TraceError
 */
export function openMachine(options: MachineOptions, outputs: readonly (string | undefined)[]): OpenedMachine {
  const imagePaths: Record<string, string> = {};
  const opened: FileSource[] = [];
  const close = (): void => {
    for (const file of opened) file.close();
  };
  const load = (path: string, role: string): Uint8Array => {
    imagePaths[role] = resolve(path);
    return loadImageFile(path, role).bytes;
  };
  const open = (path: string, role: string): FileSource => {
    imagePaths[role] = resolve(path);
    const file = openFileSource(path);
    opened.push(file);
    if (file.sizeBytes === 0) throw new TraceError(`an empty file cannot be a ${role}`, { fileName: path });
    return file;
  };
  try {
    const { memory, seed, nsPerTick, disk, cdrom, tier } = options;
    const config: MachineConfig = {
      boot: bootSource(options, load),
      ...(memory !== undefined && { memoryBytes: memory }),
      ...(seed !== undefined && { seed }),
      ...(nsPerTick !== undefined && { nsPerTick }),
      ...(disk !== undefined && { disk: open(disk, 'disk') }),
      ...(cdrom !== undefined && { cdrom: open(cdrom, 'cdrom') }),
      tier,
    };
    requireOtherFiles(outputs, Object.values(imagePaths));
    return { config, imagePaths, close };
  } catch (error) {
    close();
    throw error;
  }
}

function requireOtherFiles(outputs: readonly (string | undefined)[], images: readonly string[]): void {
  const inUse = new Set(images.map((path) => realpathSync(path)));
  for (const output of outputs) {
    if (output !== undefined && existsSync(output) && inUse.has(realpathSync(output))) {
      throw new UsageError(`${output} is an image of the guest and would be overwritten: name another file`);
    }
  }
}

function bootSource(options: MachineOptions, load: (path: string, role: string) => Uint8Array): BootSource {
  const { kernel: kernelPath, bios, initrd, append } = options;
  if (kernelPath === undefined && bios === undefined) throw new UsageError('nothing to start: give --kernel FILE or --bios FILE');
  if (kernelPath === undefined) {
    if (initrd !== undefined || append !== undefined) throw new UsageError('--initrd and --append are for a kernel: give --kernel FILE');
    return { kind: 'bios', rom: load(bios as string, 'bios') };
  }
  if (bios !== undefined) throw new UsageError('--kernel and --bios exclude each other: give one of them');
  const kernel = load(kernelPath, 'kernel');
  const commandLine = append ?? '';
  switch (detectKernel(kernel)) {
    case 'multiboot': {
      const modules = initrd === undefined ? [] : [{ image: load(initrd, 'module0'), commandLine: '' }];
      return { kind: 'multiboot', kernel, modules, commandLine };
    }
    case 'bzimage':
    case 'elf': {
      const linux = { kind: 'linux', kernel, commandLine } as const;
      return initrd === undefined ? linux : { ...linux, initrd: load(initrd, 'initrd') };
    }
    case undefined:
      throw new TraceError('not a kernel: give a bzImage, a vmlinux or a multiboot file', { fileName: kernelPath });
  }
}
