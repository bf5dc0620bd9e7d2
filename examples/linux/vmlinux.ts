/**
 * Takes the uncompressed kernel (an ELF file) out of a bzImage: `tsx vmlinux.ts VMLINUZ VMLINUX`. Booting it skips the
 * guest's own unpacking, a third of the way to user space. The place of the payload is in the setup header (Linux,
 * Documentation/arch/x86/boot.rst, protocol 2.08: payload_offset, payload_length); Debian packs it with xz.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const [kernelPath, outputPath] = process.argv.slice(2);
if (kernelPath === undefined || outputPath === undefined) throw new Error('usage: vmlinux.ts VMLINUZ VMLINUX');

const image = readFileSync(kernelPath);
if (image.length < 0x250 || image.readUInt32LE(0x202) !== 0x53726448) throw new Error(`${kernelPath}: not a bzImage (no "HdrS" at 202h)`);
const setupSectors = image[0x1f1] || 4;
const payloadStart = (setupSectors + 1) * 512 + image.readUInt32LE(0x248);
const payload = image.subarray(payloadStart, payloadStart + image.readUInt32LE(0x24c));
if (payload.toString('latin1', 1, 5) !== '7zXZ') throw new Error(`${kernelPath}: the payload is not packed with xz`);

// The kernel's build appends four bytes with the unpacked size, which are not part of the xz stream.
const unpacked = spawnSync('xz', ['--decompress', '--single-stream', '--stdout'], { input: payload, maxBuffer: 256 << 20 });
if (unpacked.error !== undefined || unpacked.status !== 0) {
  throw new Error(`${kernelPath}: xz could not unpack the payload: ${unpacked.error?.message ?? unpacked.stderr.toString()}`);
}
const sizeBytes = payload.readUInt32LE(payload.length - 4);
if (unpacked.stdout.length !== sizeBytes)
  throw new Error(`${kernelPath}: unpacked ${unpacked.stdout.length} bytes, the payload says ${sizeBytes}`);
writeFileSync(outputPath, unpacked.stdout);
