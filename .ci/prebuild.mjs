/**
 * Replaces the compiled engine-code.js by one that holds the generated code as data, see engine/translate/engine-code.ts,
 * and puts the C source of the host oracle's helper beside what runs it. Part of `npm run build`. The argument is the
 * folder that tsc has compiled to, `dist` when there is none.
 */
import { copyFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

process.chdir(resolve(process.argv[2] ?? fileURLToPath(new URL('../dist', import.meta.url))));
const load = (path) => import(pathToFileURL(resolve(path)).href);
const { INSTRUCTIONS } = await load('engine/isa/table.js');
const { generateCode } = await load('engine/translate/generated-code.js');
const { toPrebuilt } = await load('engine/translate/prebuilt-code.js');
const prebuilt = toPrebuilt(INSTRUCTIONS, generateCode().bytes);

// Without this file the next `tsc -b` compiles the whole engine again, engine-code.js included: the code that is left
// here cannot outlive a change to the generator.
rmSync('engine.tsbuildinfo', { force: true });
const FILE = 'engine/translate/engine-code.js';
writeFileSync(
  `${FILE}.new`,
  `// Made by .ci/prebuild.mjs.
import { fromPrebuilt } from './prebuilt-code.js';
const CODE = ${JSON.stringify(prebuilt)};
export const engineCode = () => fromPrebuilt(CODE);
`,
);
renameSync(`${FILE}.new`, FILE);
rmSync(`${FILE}.map`, { force: true });

const HELPER = 'properties/oracles/host-cpu.c';
mkdirSync(dirname(HELPER), { recursive: true });
copyFileSync(new URL(`../${HELPER}`, import.meta.url), HELPER);
