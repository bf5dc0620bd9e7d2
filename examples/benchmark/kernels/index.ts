/** All benchmark kernels, in the order of the table. */
import { bytecode } from './bytecode.js';
import { calls } from './calls.js';
import { chase } from './chase.js';
import { cr3Reload } from './cr3.js';
import { crc32 } from './crc32.js';
import type { Kernel } from './image.js';
import { integer } from './integer.js';
import { interrupts } from './interrupts.js';
import { ports } from './ports.js';
import { rep } from './rep.js';
import { rotates } from './rotates.js';
import { selfmodify } from './selfmodify.js';
import { sort } from './sort.js';
import { sse2 } from './sse2.js';
import { x87 } from './x87.js';

export { buildImage, type Kernel } from './image.js';

export const kernels: readonly Kernel[] = [
  integer,
  crc32,
  sort,
  calls,
  bytecode,
  sse2,
  x87,
  rep,
  chase,
  rotates,
  selfmodify,
  cr3Reload,
  interrupts,
  ports,
];

export function kernelNamed(name: string): Kernel {
  const found = kernels.find((kernel) => kernel.name === name);
  if (found === undefined) throw new Error(`no kernel is called "${name}"`);
  return found;
}
