/** Which processor the host has, for comparisons in which processors differ. */
import { readFileSync } from 'node:fs';
import { arch, platform } from 'node:os';

export interface HostVendor {
  readonly vendor: 'amd' | 'intel' | 'other';
  readonly family: number;
  readonly model: number;
  readonly name: string;
}

/** Why this machine's processor is no oracle, or undefined. */
export function hostRefusal(): string | undefined {
  if (arch() === 'x64' && platform() === 'linux') return undefined;
  return `the host oracle needs Linux on x86-64, and this is ${platform()} on ${arch()}`;
}

let known: HostVendor | undefined;

export function hostVendor(): HostVendor {
  known ??= parseHostVendor(hostRefusal() === undefined ? readFileSync('/proc/cpuinfo', 'latin1') : '');
  return known;
}

/** @param text of /proc/cpuinfo */
export function parseHostVendor(text: string): HostVendor {
  const field = (name: string): string => new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(text)?.[1] ?? '';
  const id = field('vendor_id');
  return {
    vendor: id === 'AuthenticAMD' || id === 'HygonGenuine' ? 'amd' : id === 'GenuineIntel' ? 'intel' : 'other',
    family: Number(field('cpu family')),
    model: Number(field('model')),
    name: field('model name'),
  };
}
