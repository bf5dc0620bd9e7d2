/**
 * The trace container: write, read, pack. `core.ts` alone runs in a browser too; the rest is for Node.
 */
export * from './core.js';
export { type FileSource, openFileSource } from './file-source.js';
export { findImageFile, imageCandidates } from './image-files.js';
export { nodeCodec } from './node-codec.js';
export {
  createTraceFile,
  type OpenTrace,
  openTraceFile,
  packTraceFile,
  type RecordingFile,
  summarizeTraceFile,
} from './trace-file.js';
