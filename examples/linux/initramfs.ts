/**
 * Builds the first file system of the example: `tsx initramfs.ts BUSYBOX INITRAMFS`. It is left uncompressed: unpacking
 * would be work for the guest, while a bigger file costs the host a copy.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { type CpioEntry, writeCpio } from './cpio.js';

const DIRECTORIES = ['bin', 'dev', 'proc', 'root', 'sys', 'tmp'];

/** Major and minor numbers: Linux, Documentation/admin-guide/devices.txt. */
const DEVICES = [
  { path: 'dev/console', major: 5, minor: 1, permissions: 0o600 },
  { path: 'dev/null', major: 1, minor: 3, permissions: 0o666 },
  { path: 'dev/port', major: 1, minor: 4, permissions: 0o600 },
  { path: 'dev/ttyS0', major: 4, minor: 64, permissions: 0o600 },
];

/** The busybox commands that /init and /demo.sh call. */
const COMMANDS = ['cat', 'date', 'grep', 'head', 'ls', 'mount', 'poweroff', 'sh', 'sha256sum', 'sort', 'tail', 'uname', 'wc'];

function initramfsEntries(busybox: Uint8Array, init: Uint8Array, demo: Uint8Array): CpioEntry[] {
  return [
    ...DIRECTORIES.map((path): CpioEntry => ({ kind: 'directory', path, permissions: 0o755 })),
    ...DEVICES.map((device): CpioEntry => ({ kind: 'characterDevice', ...device })),
    ...COMMANDS.map((name): CpioEntry => ({ kind: 'symlink', path: `bin/${name}`, target: 'busybox' })),
    { kind: 'file', path: 'bin/busybox', permissions: 0o755, content: busybox },
    { kind: 'file', path: 'init', permissions: 0o755, content: init },
    { kind: 'file', path: 'demo.sh', permissions: 0o755, content: demo },
  ];
}

const [busyboxPath, outputPath] = process.argv.slice(2);
if (busyboxPath === undefined || outputPath === undefined) throw new Error('usage: initramfs.ts BUSYBOX INITRAMFS');
const here = new URL('.', import.meta.url);
const entries = initramfsEntries(readFileSync(busyboxPath), readFileSync(new URL('init', here)), readFileSync(new URL('demo.sh', here)));
writeFileSync(outputPath, writeCpio(entries));
