/** Arbitraries for fast-check, and what they are made of. */
export { batchOf, type Case } from './case.js';
export { encoding, shrinkableCase, type UserCaseOptions, userCase } from './case-arbitrary.js';
export {
  allEncodings,
  type EncodingFamily,
  type ExcludedEncoding,
  encodingsFor,
  excludedEncodings,
  type InstructionEncoding,
} from './encodings.js';
export { type InputDevice, type InputLogOptions, inputLog, type LoggedInput } from './input-log.js';
export { type PageMapping, type PageTables, type PageTablesOptions, pageTables } from './page-tables.js';
export { Random } from './random.js';
export { type GeneratedBatch, UserBatches } from './user-batches.js';
export type { Surroundings } from './user-states.js';
