/// <reference path="./webassembly.d.ts" />
import { expect, it } from 'vitest';
import { load8U } from './memory-access.js';
import { withMemoryPages } from './memory-pages.js';
import { ModuleBuilder } from './module-builder.js';
import { TYPE_I32 } from './values.js';

/** A module that loads a byte; with so many imports that the length of their section takes two bytes. */
function moduleOf(pages: number): Uint8Array {
  const builder = new ModuleBuilder({ module: 'host', field: 'memory', pages });
  const type = { parameters: [], results: [] };
  for (let i = 0; i < 30; i++) builder.importFunction('host', `function${i}`, type);
  builder.export(
    'load',
    builder.function({ parameters: [TYPE_I32], results: [TYPE_I32] }, (f) => f.return(load8U(f.parameter(0, TYPE_I32)))),
  );
  return builder.finish();
}

function instantiate(bytes: Uint8Array, pages: number): WebAssembly.Instance {
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const functions = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`function${i}`, () => {}]));
  return new WebAssembly.Instance(new WebAssembly.Module(bytes), { host: { ...functions, memory } });
}

it.each([1, 127, 128, 1424, 16383, 16384])('gives a module a memory of %i pages', (pages) => {
  const bytes = withMemoryPages(moduleOf(3), pages);
  const load = instantiate(bytes, pages).exports.load as (address: number) => number;
  expect(load(pages * 65536 - 1)).toBe(0);
  expect(() => load(pages * 65536)).toThrow('out of bounds');
  expect(() => instantiate(bytes, pages + 1)).toThrow(/memory/);
});

it('changes nothing else', () => {
  const module = moduleOf(3);
  const before = module.slice();
  expect(withMemoryPages(module, 65536)).toEqual(moduleOf(65536));
  expect(module).toEqual(before);
});
