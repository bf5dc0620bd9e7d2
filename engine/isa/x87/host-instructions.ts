/** The x87 instructions that are TypeScript, by the names their rows have in x87.ts. */
import type { HostSemantics } from '../../cpu/host-instruction.js';
import { environmentSemantics } from './environment.js';
import { fxsaveSemantics } from './fxsave.js';
import { transcendentalSemantics } from './transcendentals.js';

export const x87Semantics: Readonly<Record<string, HostSemantics>> = {
  ...environmentSemantics,
  ...fxsaveSemantics,
  ...transcendentalSemantics,
};
