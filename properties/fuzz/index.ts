/** Fuzzing campaigns, and cases as text, as tests and as machines. */
export type { CodeBits } from '../oracles/oracle.js';
export { Campaign, type CampaignOptions } from './campaign.js';
export { caseFromMachine } from './case-from-machine.js';
export { type CaseMachine, caseMachine } from './case-machine.js';
export { type CaseText, describeCase, parseCase } from './case-text.js';
export type { CoverageRow } from './coverage.js';
export { type Failure, printFailure } from './failure.js';
export { type FuzzOptions, type FuzzProgress, type FuzzReport, fuzz } from './fuzz.js';
export { ORACLE_CHOICES, type OracleChoice } from './oracles.js';
export { fullReport, reportAsData, summaryOf } from './report.js';
export { type Reproducer, reproducerOf, reproducerText } from './reproducer.js';
