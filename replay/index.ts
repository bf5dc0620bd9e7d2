/**
 * Record and replay, for programs. `record` runs a machine and writes a trace, `replay` runs a trace again and checks it,
 * `verify` does that for many; `openTraceFile` and `packTraceFile` read traces and make them self-contained.
 *
 * @example
 * ```ts
 * import { openTraceFile, record, replay } from 'replay86';
 *
 * await record({ config: { boot }, to: 'run.trace', inputs: [{ after: 'login: ', serial: 'root\n' }] });
 * const { divergence, digest } = replay(openTraceFile('run.trace'));
 * ```
 */
export * from '../engine/index.js';
export { openTraceFile, packTraceFile, readTrace, TraceError } from '../traces/index.js';
export { type Divergence, describeDivergence } from './divergence.js';
export { exitStatus, type RunEnd, STATUS } from './exit-status.js';
export { type InputScript, inputScript, parseInputScript, type ScriptLine } from './input-script.js';
export { junitReport } from './junit.js';
export { type ImagePaths, traceHeader } from './machine-setup.js';
export { type RecordOptions, type RecordResult, record } from './record.js';
export { Recorder } from './recorder.js';
export { type ReplayOptions, replay } from './replay.js';
export type { ReplayerOptions, ReplayResult } from './replayer.js';
export { ScriptError } from './script-error.js';
export { type LiveInput, type Progress, runSession, type SessionOptions } from './session.js';
export { findTraces, type Verdict, type VerifyOptions, verify, verifyStatus } from './verify.js';
export { ENGINE_VERSION } from './version.js';
