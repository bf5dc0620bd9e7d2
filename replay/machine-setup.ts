/**
 * A machine's configuration as a trace keeps it, and back: plain data for what is small, references by sha256 for the
 * images. The tier is not in it, because it never shows.
 */
import * as v from 'valibot';
import type { BootSource, MachineConfig, Tier } from '../engine/index.js';
import { type ImageReference, type PlainData, quote, TraceError, type TraceHeader } from '../traces/index.js';
import { sha256Of, type TraceImages } from './images.js';
import { ENGINE_VERSION } from './version.js';

/** What the engine takes where a configuration says nothing (engine/config.ts); a trace names everything. */
const DEFAULTS = { memoryBytes: 64 * 2 ** 20, nsPerTick: 2, seed: 0, epochSeconds: Date.UTC(2024, 0, 1) / 1000 } as const;

/** Where images came from, by role: for the trace's header. */
export type ImagePaths = Readonly<Record<string, string>>;

const text = v.pipe(v.string(), v.maxLength(65_536));
const natural = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const bootSchema = v.variant('kind', [
  v.strictObject({ kind: v.literal('linux'), commandLine: text }),
  v.strictObject({ kind: v.literal('multiboot'), commandLine: text, moduleCommandLines: v.pipe(v.array(text), v.maxLength(60)) }),
  v.strictObject({ kind: v.literal('bios') }),
  v.strictObject({ kind: v.literal('raw'), address: natural, entry: natural, mode: v.picklist(['real', 'protected']) }),
]);
const machineSchema = v.strictObject({ boot: bootSchema, memoryBytes: natural, epochSeconds: v.pipe(v.number(), v.safeInteger()) });
type PlainBoot = v.InferOutput<typeof bootSchema>;

/** The header of a trace of this machine. Hashes every image, disks included. */
export function traceHeader(config: MachineConfig, paths: ImagePaths = {}): TraceHeader {
  const images: ImageReference[] = [];
  const add = (role: string, source: Parameters<typeof sha256Of>[0]): void => {
    const sizeBytes = source instanceof Uint8Array ? source.length : source.sizeBytes;
    images.push({ role, sha256: sha256Of(source), sizeBytes, path: paths[role] ?? '' });
  };
  for (const [role, bytes] of bootImages(config.boot)) add(role, bytes);
  if (config.disk !== undefined) add('disk', config.disk);
  if (config.cdrom !== undefined) add('cdrom', config.cdrom);
  const machine: PlainData = {
    boot: plainBoot(config.boot),
    memoryBytes: config.memoryBytes ?? DEFAULTS.memoryBytes,
    epochSeconds: config.epochSeconds ?? DEFAULTS.epochSeconds,
  };
  return {
    engineVersion: ENGINE_VERSION,
    nsPerTick: config.nsPerTick ?? DEFAULTS.nsPerTick,
    seed: config.seed ?? DEFAULTS.seed,
    machine,
    images,
  };
}

/** The machine that a header describes. @throws TraceError when it makes no sense, or an image is not to be had. */
export function configOfTrace(header: TraceHeader, images: TraceImages, tier: Tier): MachineConfig {
  const result = v.safeParse(machineSchema, header.machine);
  if (!result.success) {
    const [issue] = result.issues;
    throw new TraceError(`the machine in the header, ${quote(v.getDotPath(issue) ?? 'record')}: ${issue.message}`);
  }
  const { boot, memoryBytes, epochSeconds } = result.output;
  return {
    boot: bootOfTrace(boot, images),
    memoryBytes,
    epochSeconds,
    nsPerTick: header.nsPerTick,
    seed: header.seed,
    tier,
    ...(images.has('disk') && { disk: images.open('disk') }),
    ...(images.has('cdrom') && { cdrom: images.open('cdrom') }),
  };
}

function bootImages(boot: BootSource): [role: string, bytes: Uint8Array][] {
  switch (boot.kind) {
    case 'linux':
      return [['kernel', boot.kernel], ...(boot.initrd === undefined ? [] : [['initrd', boot.initrd] as [string, Uint8Array]])];
    case 'multiboot':
      return [['kernel', boot.kernel], ...boot.modules.map(({ image }, index): [string, Uint8Array] => [`module${index}`, image])];
    case 'bios':
      return [['bios', boot.rom]];
    case 'raw':
      return [['raw', boot.image]];
  }
}

function plainBoot(boot: BootSource): PlainBoot {
  switch (boot.kind) {
    case 'linux':
      return { kind: 'linux', commandLine: boot.commandLine };
    case 'multiboot':
      return { kind: 'multiboot', commandLine: boot.commandLine, moduleCommandLines: boot.modules.map(({ commandLine }) => commandLine) };
    case 'bios':
      return { kind: 'bios' };
    case 'raw':
      return { kind: 'raw', address: boot.address, entry: boot.entry, mode: boot.mode };
  }
}

function bootOfTrace(boot: PlainBoot, images: TraceImages): BootSource {
  switch (boot.kind) {
    case 'linux': {
      const { commandLine } = boot;
      const linux = { kind: 'linux', kernel: images.load('kernel'), commandLine } as const;
      return images.has('initrd') ? { ...linux, initrd: images.load('initrd') } : linux;
    }
    case 'multiboot':
      return {
        kind: 'multiboot',
        kernel: images.load('kernel'),
        modules: boot.moduleCommandLines.map((commandLine, index) => ({ image: images.load(`module${index}`), commandLine })),
        commandLine: boot.commandLine,
      };
    case 'bios':
      return { kind: 'bios', rom: images.load('bios') };
    case 'raw':
      return { kind: 'raw', image: images.load('raw'), address: boot.address, entry: boot.entry, mode: boot.mode };
  }
}
