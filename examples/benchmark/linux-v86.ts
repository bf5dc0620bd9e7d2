/**
 * Boots Linux in npm's v86 until it switches itself off: `linux-v86.ts KERNEL INITRD COMMANDLINE MIB jit|interpreter`.
 * Its loader for bzImages is an option ROM, so it needs the BIOS and the VGA BIOS of Debian's package seabios.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { V86 } from 'v86';

const [kernel = '', initrd = '', commandLine = '', memoryMib = '', tier = ''] = process.argv.slice(2);
const wasmFile = createRequire(import.meta.url)
  .resolve('v86')
  .replace(/[^/\\]*$/, 'v86.wasm');
const image = (path: string): { buffer: ArrayBuffer } => ({ buffer: Uint8Array.from(readFileSync(path)).buffer });

const emulator = new V86({
  wasm_path: wasmFile,
  memory_size: Number(memoryMib) << 20,
  bios: image('/usr/share/seabios/bios.bin'),
  vga_bios: image('/usr/share/seabios/vgabios-stdvga.bin'),
  bzimage: image(kernel),
  initrd: image(initrd),
  cmdline: commandLine,
  acpi: true,
  autostart: true,
  disable_jit: tier !== 'jit',
  disable_speaker: true,
});
let line = '';
emulator.add_listener('serial0-output-byte', (byte: number) => {
  line += String.fromCharCode(byte);
  if (byte !== 10) return;
  process.stdout.write(line);
  if (line.includes('reboot: Power down')) process.exit(0);
  line = '';
});
