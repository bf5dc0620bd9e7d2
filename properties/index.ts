/** Programs for the guest: assembler and disassembler. */

/** Cases for fast-check: instructions of every encoding, states, sequences; they shrink to what a person can read. */
export * from './arbitraries/index.js';
export * from './assembler/index.js';
export { type ComparisonOptions, differencesOf, differingCases } from './compare/compare.js';
export type { Difference } from './compare/fields.js';
/** Two oracles, and how they differ in a case. */
export { type CaseComparison, compareCase } from './compare/one-case.js';
/** Campaigns. */
export * from './fuzz/index.js';
/** Who can say how a processor behaves: the engine, the reference model, the processor of the host. */
export { engineOracle } from './oracles/engine.js';
export { createHostOracle } from './oracles/host.js';
export { modelOracle } from './oracles/model.js';
export {
  type Arena,
  type CaseBatch,
  createOutcomes,
  END,
  type OfferedInterrupt,
  type Oracle,
  type Outcomes,
} from './oracles/oracle.js';
/** Where cases run, and the state of a processor as bytes. */
export { USER_RECORD_BYTES, USER_WINDOWS, type Window } from './state/arena.js';
export { CPU_STATE, CPU_STATE_BYTES, CpuState } from './state/cpu-state.js';
export { SYSTEM_RECORD_BYTES, SYSTEM_WINDOWS } from './state/system-arena.js';
