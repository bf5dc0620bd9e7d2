/**
 * `replay86 pack`
 */
import { openTraceFile, packTraceFile, quote } from '../../../traces/index.js';
import { plural } from '../text.js';

export function pack(path: string, options: { readonly output?: string; readonly images?: string }): number {
  const target = options.output ?? path;
  packTraceFile(path, target, options.images);
  const packed = openTraceFile(target);
  try {
    const { sizeBytes } = packed.source;
    process.stderr.write(`replay86: ${quote(target)}: ${plural(packed.images.size, 'image')} inside, ${plural(sizeBytes, 'byte')}\n`);
  } finally {
    packed.close();
  }
  return 0;
}
