import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, TestRunner, vi } from 'vitest';
import { requireNode26 } from './node26.js';
import { findTool, missing, requireTool } from './system-tool.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'replay86-tool-'));
  vi.stubEnv('PATH', `/nowhere:${folder}`);
  vi.stubEnv('CI', 'true');
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

it('finds a program in the path, and nothing that cannot be executed', () => {
  const path = join(folder, 'a-tool');
  writeFileSync(path, '#!/bin/sh\n');
  expect(findTool('a-tool')).toBeUndefined();
  chmodSync(path, 0o755);
  expect(findTool('a-tool')).toBe(path);
  expect(requireTool('a-tool')).toBe(path);
});

it('fails in CI when a program is missing, and names its package', () => {
  expect(() => requireTool('qemu-system-i386')).toThrow('qemu-system-i386 is not installed (Debian package qemu-system-x86)');
  expect(() => requireTool('gdb')).toThrow('Debian package gdb');
});

it.each(['', 'false'])('skips and says so on a developer machine (CI=%j)', (ci) => {
  vi.stubEnv('CI', ci);
  const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const skip = vi.fn(() => {
    throw new Error('skipped');
  });
  const running = { name: 'boots', context: { skip } } as unknown as ReturnType<typeof TestRunner.getCurrentTest>;
  vi.spyOn(TestRunner, 'getCurrentTest').mockReturnValue(running);
  expect(() => missing('no guest')).toThrow('skipped');
  expect(skip).toHaveBeenCalledWith('no guest');
  expect(written).toHaveBeenCalledWith('skipped: boots: no guest\n');
});

it('finds Node 26 where .ci/node26 leaves it, and fails in CI without it', () => {
  const cwd = vi.spyOn(process, 'cwd').mockReturnValue(folder);
  expect(() => requireNode26()).toThrow('.ci/node26');
  cwd.mockRestore();
});
