/**
 * Where the engine takes its code from. Run from the sources, and as tsc compiles this file, it is generated at start.
 * `npm run build` replaces the compiled file by one that holds what the compiled generator has made (prebuilt-code.ts),
 * so that starting a machine neither loads nor runs the generator.
 */
export { generateCode as engineCode } from './generated-code.js';
