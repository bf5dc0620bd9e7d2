/** Public interface of the engine: a deterministic PC. Runs in Node and in browsers. */

export { POWER_INPUT } from './board.js';
export { BootError } from './boot/boot-state.js';
export { detectKernel } from './boot/load.js';
export { CHANGES_DEVICE, type ChangeableRegister, type Changes, encodeChanges } from './changes.js';
export * from './config.js';
export type { PeekedInstruction } from './cpu/core.js';
export { executedPage } from './cpu/executed-pages.js';
export { REGISTER_NAMES, type RegisterName, type Registers } from './cpu/registers.js';
export { type BlockImage, type BusMemory, InputError, StateError, type StateValue } from './devices/device.js';
export { keyboardPayload } from './devices/keyboard-layout.js';
export type { VgaText } from './devices/vga.js';
export { ConfigError, createMachine, Machine, type MachineState, MEMORY_LIMIT_BYTES, type UnclaimedAccess } from './machine.js';
export type { Accessor } from './mmu/physical-memory.js';
export type { FrameTracker } from './mmu/written-frames.js';
export { WRITTEN_SET_LENGTH } from './mmu/written-lines.js';
