/**
 * Record and replay, for programs. `record` runs a machine and writes a trace, `replay` runs a trace again and checks it,
 * `verify` does that for many; `openTimeline` walks through one in both directions, `Queries` answers who did what in it;
 * `diffTrace` finds the first instruction that two tiers or two builds execute differently; `openTraceFile` and
 * `packTraceFile` read traces and make them self-contained.
 *
 * @example
 * ```ts
 * import { openTraceFile, record, replay } from 'replay86';
 *
 * await record({ config: { boot }, to: 'run.trace', inputs: [{ after: 'login: ', serial: 'root\n' }] });
 * const { divergence, digest } = replay(openTraceFile('run.trace'));
 * ```
 *
 * @example
 * ```ts
 * import { openTimeline, openTraceFile, Queries } from 'replay86';
 *
 * const timeline = openTimeline(openTraceFile('run.trace'));
 * await timeline.seek(timeline.endTick);
 * timeline.conditions = [{ kind: 'watchpoint', address: 0x1000, bytes: 4, access: 'write' }];
 * const stop = await timeline.reverseContinue(); // { kind: 'hit', … }, in front of the last write, or { kind: 'begin' }
 *
 * const queries = new Queries(timeline);
 * const write = await queries.lastWrite({ physical: 0x1000 }, 4);
 * await queries.close();
 * timeline.close();
 * ```
 */
export * from '../engine/index.js';
export { openTraceFile, packTraceFile, readTrace, TraceError } from '../traces/index.js';
export { type DiffOptions, diffTrace, type SideChoice } from './diff/diff.js';
export { type CreateMachine, EngineBuildError, loadEngineBuild } from './diff/engine-build.js';
export type { Difference, Disassemble, ExplainedInstruction } from './diff/explain.js';
export { diffRecording, type RecordingDifference } from './diff/recording.js';
export type { SearchOptions } from './diff/search.js';
export type { DiffMachine } from './diff/side.js';
export type { FieldDifference } from './diff/state-fields.js';
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
export type { Fork } from './timeline/fork.js';
export type { HistoryOptions, TravelOptions } from './timeline/history.js';
export { DivergenceError } from './timeline/playback.js';
export { Queries, type QueriesOptions, type QueryOptions } from './timeline/queries/queries.js';
export type { Call, Execution, Findings, InputRecord, InterruptEvent, MemoryAccess } from './timeline/queries/results.js';
export { QueryError } from './timeline/queries/target.js';
export type { Hit, Stop, StopCondition } from './timeline/stops.js';
export { checkpointsBeside, openTimeline, type Timeline, type TimelineOptions } from './timeline/timeline.js';
export { findTraces, type Verdict, type VerifyOptions, verify, verifyStatus } from './verify.js';
export { ENGINE_VERSION } from './version.js';
