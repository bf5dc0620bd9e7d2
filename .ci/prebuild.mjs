/**
 * Replaces the compiled engine-code.js by one that holds the generated code as data, see engine/translate/engine-code.ts.
 * Part of `npm run build`.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { INSTRUCTIONS } from '../dist/engine/isa/table.js';
import { generateCode } from '../dist/engine/translate/generated-code.js';
import { toPrebuilt } from '../dist/engine/translate/prebuilt-code.js';

process.chdir(fileURLToPath(new URL('../dist', import.meta.url)));
const FILE = 'engine/translate/engine-code.js';

// Without this file the next `tsc -b` compiles the whole engine again, this file included: the code that is left here
// cannot outlive a change to the generator.
rmSync('engine.tsbuildinfo', { force: true });
const text = `// Made by .ci/prebuild.mjs.
import { fromPrebuilt } from './prebuilt-code.js';
const CODE = ${JSON.stringify(toPrebuilt(INSTRUCTIONS, generateCode().bytes))};
export const engineCode = () => fromPrebuilt(CODE);
`;
writeFileSync(`${FILE}.new`, text);
renameSync(`${FILE}.new`, FILE);
rmSync(`${FILE}.map`, { force: true });
