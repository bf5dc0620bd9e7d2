/**
 * Programs of the system that some tests need (gcc, gdb, QEMU, a browser). On a developer's machine a missing one
 * skips the test and says so; in CI (the environment variable CI is set), where `.ci/run` has installed them all, it
 * is a failure.
 */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { TestRunner } from 'vitest';

/** The Debian package of a program, where it has another name. */
const PACKAGES: Readonly<Record<string, string>> = {
  'qemu-system-i386': 'qemu-system-x86',
  'qemu-system-x86_64': 'qemu-system-x86',
  as: 'binutils',
  ld: 'binutils',
  objcopy: 'binutils',
  objdump: 'binutils',
  readelf: 'binutils',
  xz: 'xz-utils',
};

/** The path of a program, or undefined when it is not installed. */
export function findTool(name: string): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name);
    if (folder !== '' && isProgram(path)) return path;
  }
  return undefined;
}

/** The path of a program. Without it, the running test is skipped, or fails in CI. Call it inside a test. */
export function requireTool(name: string): string {
  return findTool(name) ?? missing(`${name} is not installed (Debian package ${PACKAGES[name] ?? name})`);
}

/** Ends the running test for want of something that its machine lacks: skipped for a developer, a failure in CI. */
export function missing(what: string): never {
  const test = TestRunner.getCurrentTest();
  if (test === undefined) throw new Error(`${what}, found outside of a test`);
  if (isCi()) throw new Error(`${what}, and CI must have it`);
  process.stderr.write(`skipped: ${test.name}: ${what}\n`);
  return test.context.skip(what);
}

export function isCi(): boolean {
  const value = process.env.CI ?? '';
  return value !== '' && value !== '0' && value !== 'false';
}

export function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
