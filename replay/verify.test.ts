import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { createTraceFile, openTraceFile } from '../traces/index.js';
import { junitReport } from './junit.js';
import { record } from './record.js';
import { testGuest } from './test-guest.js';
import { findTraces, type Verdict, verify, verifyStatus } from './verify.js';

const folder = mkdtempSync(join(tmpdir(), 'replay86-verify-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('finds the traces of folders, in order', () => {
  mkdirSync(join(folder, 'a/b'), { recursive: true });
  for (const name of ['a/z.trace', 'a/b/y.trace', 'a/notes.txt']) writeFileSync(join(folder, name), '');
  expect(findTraces([join(folder, 'a'), 'no/such.trace'])).toEqual([
    join(folder, 'a/b/y.trace'),
    join(folder, 'a/z.trace'),
    'no/such.trace',
  ]);
});

it('tells traces that agree from those that differ and those that cannot be read', async () => {
  const kernel = testGuest();
  const kernelPath = join(folder, 'guest.bin');
  writeFileSync(kernelPath, kernel);
  const good = join(folder, 'good.trace');
  await record({
    config: { boot: { kind: 'multiboot', kernel, modules: [], commandLine: '' }, memoryBytes: 4 << 20 },
    to: good,
    imagePaths: { kernel: kernelPath },
    maxTicks: 2000,
  });
  const bad = join(folder, 'bad.trace');
  const { header, interrupts, end, close } = openTraceFile(good);
  close();
  const copy = createTraceFile(bad, header);
  for (const [index, tick] of interrupts.ticks.entries())
    copy.writer.interrupt({ tick, vector: index === 40 ? 0x21 : interrupts.vectors[index] });
  copy.finish(end!);

  const seen: string[] = [];
  const verdicts = await verify([good, bad, join(folder, 'none.trace')], {
    tiers: ['interpreter', 'step'],
    workers: 2,
    onVerdict: ({ path, tier }, done, total) => seen.push(`${path} ${tier} ${done}/${total}`),
  });
  expect(verdicts.map(({ outcome, tier }) => `${outcome} ${tier}`)).toEqual([
    'agrees interpreter',
    'agrees step',
    'diverged interpreter',
    'diverged step',
    'unreadable interpreter',
    'unreadable step',
  ]);
  const tick = interrupts.ticks[40];
  expect(verdicts[2].problem).toBe(
    `diverged at tick ${tick}: interrupt: expected vector 0x21 at tick ${tick}, found vector 0x20 at tick ${tick}`,
  );
  expect(verdicts[4].problem).toContain('none.trace: cannot be read');
  expect(verdicts[0].digest).toBe(verdicts[1].digest);
  expect(seen).toHaveLength(6);
  expect(seen.at(-1)).toMatch(/ 6\/6$/);
});

const verdict = (outcome: Verdict['outcome'], problem = ''): Verdict => ({
  path: 'a<b>.trace',
  tier: 'auto',
  outcome,
  problem,
  ticks: 1,
  digest: '',
  seconds: 1.5,
});

it('exits with the worst', () => {
  const [agrees, diverged, unreadable] = [verdict('agrees'), verdict('diverged'), verdict('unreadable')];
  expect([[agrees], [agrees, unreadable], [unreadable, diverged], []].map(verifyStatus)).toEqual([0, 6, 4, 0]);
});

it('writes JUnit XML, whatever a problem says', () => {
  const xml = junitReport([verdict('agrees'), verdict('diverged', 'a & b < "c" \x00'), verdict('unreadable', "it's")]);
  expect(xml).toContain('<testsuite name="replay86 verify" tests="3" failures="1" errors="1" time="4.500">');
  expect(xml).toContain('<testcase classname="a&lt;b&gt;.trace" name="auto" time="1.500"/>');
  expect(xml).toContain('<failure message="a &amp; b &lt; &quot;c&quot; ?"/>');
  expect(xml).toContain('<error message="it&apos;s"/>');
});
