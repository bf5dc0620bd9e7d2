import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { expect, it, onTestFinished } from 'vitest';
import { corpusGuests } from '../examples/corpus/guests/index.js';
import { requireTool } from '../properties/testing/system-tool.js';
import { createMachine, type ExitReason } from './index.js';

const repository = fileURLToPath(new URL('..', import.meta.url));
/** Integer and string instructions, paging, interrupts, all kinds of arithmetic, self-modifying code; none needs a disk or input. */
const guests = corpusGuests.filter(({ name }) => ['timer', 'numeric', 'paging', 'rings', 'strings', 'selfmodify'].includes(name));
const maxTicks = 20_000_000;
const browserArguments = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
];

interface Outcome {
  readonly end: ExitReason;
  readonly tick: number;
  readonly digest: string;
}

/** The engine as ES modules, compiled from the sources at hand: `dist` may be older. */
function compileEngine(): string {
  const folder = mkdtempSync(join(tmpdir(), 'replay86-browser-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const compiler = join(repository, 'node_modules', 'typescript', 'bin', 'tsc');
  const output = ['--outDir', folder, '--composite', 'false', '--incremental', 'false', '--tsBuildInfoFile', 'null'];
  const plain = ['--declaration', 'false', '--sourceMap', 'false', '--inlineSources', 'false'];
  execFileSync(process.execPath, [compiler, '-p', join(repository, 'engine'), ...output, ...plain], { stdio: 'pipe' });
  return folder;
}

/** Serves the files of a folder to this machine alone, and an empty page at the root. */
async function serve(folder: string): Promise<string> {
  const server: Server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://localhost').pathname);
    if (path === '/') {
      response.setHeader('content-type', 'text/html').end('<!doctype html><title>engine</title>');
      return;
    }
    try {
      const body = readFileSync(join(folder, path));
      response.setHeader('content-type', 'text/javascript').end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

function kernelOf(guest: (typeof guests)[number]): Uint8Array {
  const { boot } = guest.config();
  if (boot.kind !== 'multiboot') throw new Error(`${guest.name} is no multiboot kernel`);
  return boot.kernel;
}

/** What the page runs, as text: it has modules of its own. */
const inPage = (kernels: readonly number[][]): string => `(async () => {
  const { createMachine } = await import('/engine/index.js');
  return ${JSON.stringify(kernels)}.map((bytes) => {
    const boot = { kind: 'multiboot', kernel: Uint8Array.from(bytes), modules: [], commandLine: '' };
    const machine = createMachine({ boot });
    const end = machine.run({ tick: ${maxTicks} });
    return { end, tick: machine.tick, digest: machine.digest().toString(16) };
  });
})()`;

it('does in a browser what it does in Node', async () => {
  const executablePath = requireTool('chromium');
  const address = await serve(compileEngine());
  const browser = await chromium.launch({ executablePath, args: browserArguments });
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  await page.goto(address);
  const found = await page.evaluate<Outcome[]>(inPage(guests.map((guest) => Array.from(kernelOf(guest)))));
  const expected = guests.map((guest): Outcome => {
    const machine = createMachine({ boot: { kind: 'multiboot', kernel: kernelOf(guest), modules: [], commandLine: '' } });
    const end = machine.run({ tick: maxTicks });
    return { end, tick: machine.tick, digest: machine.digest().toString(16) };
  });
  expect(expected.map(({ end }) => end)).toEqual(guests.map(({ end }) => end));
  expect(found).toEqual(expected);
});
