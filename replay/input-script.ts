/**
 * Input scripts: JSON lines, played one after the other. Each line says when, and what:
 *
 *     {"at": 1000000, "serial": "hello\n"}
 *     {"after": "login: ", "serial": "root\n"}
 *     {"after": {"pattern": "[$#] $", "regex": true}, "keys": "ls{Enter}"}
 *     {"at": 2000000, "mouse": {"dx": 5, "dy": 0, "buttons": 1}}
 *     {"after": "done", "power": "button"}
 *
 * `at` is a tick; if the guest idles for good before it, the line is played then. `after` is text that the guest sends on
 * its first serial port once the line before has been played; a regular expression sees bytes as Latin-1.
 */
import * as v from 'valibot';
import { InputError, keyboardPayload, POWER_INPUT } from '../engine/index.js';
import { ScriptError } from './script-error.js';

export interface ScriptInput {
  readonly device: string;
  readonly payload: Uint8Array;
}

export type ScriptTrigger = { readonly atTick: number } | { readonly afterBytes: Uint8Array } | { readonly afterPattern: RegExp };

export interface ScriptEntry {
  /** For messages: file and line. */
  readonly place: string;
  readonly when: ScriptTrigger;
  readonly inputs: readonly ScriptInput[];
}

export type InputScript = readonly ScriptEntry[];

/** One line of a script, as a program writes it. */
export type ScriptLine = v.InferInput<typeof lineSchema>;

const byte = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(255));
const serialText = v.union([v.pipe(v.string(), v.nonEmpty('must not be empty')), v.array(byte)], 'must be text or a list of bytes');
const signed = (bits: number) =>
  v.optional(v.pipe(v.number(), v.integer(), v.minValue(-(2 ** (bits - 1))), v.maxValue(2 ** (bits - 1) - 1)), 0);
const lineSchema = v.strictObject({
  at: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0))),
  after: v.optional(
    v.union(
      [
        v.pipe(v.string(), v.nonEmpty('must not be empty')),
        v.strictObject({ pattern: v.pipe(v.string(), v.nonEmpty('must not be empty')), regex: v.optional(v.boolean(), false) }),
      ],
      'must be text or {"pattern": text, "regex": true or false}',
    ),
  ),
  serial: v.optional(serialText),
  serial0: v.optional(serialText),
  serial1: v.optional(serialText),
  keys: v.optional(v.pipe(v.string(), v.nonEmpty('must not be empty'))),
  mouse: v.optional(
    v.strictObject({ dx: signed(16), dy: signed(16), wheel: signed(8), buttons: v.optional(v.pipe(byte, v.maxValue(31)), 0) }),
  ),
  power: v.optional(v.picklist(['reset', 'button'])),
});
type CheckedLine = v.InferOutput<typeof lineSchema>;

const POWER_PAYLOAD = { reset: POWER_INPUT.reset, button: POWER_INPUT.powerButton } as const;

/** @throws ScriptError naming the file and the line. */
export function parseInputScript(text: string, fileName: string): InputScript {
  const entries: ScriptEntry[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const place = `${fileName}:${index + 1}`;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      throw new ScriptError(place, 'not JSON: a line of a script is an object such as {"at": 1000, "serial": "text"}');
    }
    entries.push(entryOf(value, place));
  }
  return entries;
}

/** A script from a program. @throws ScriptError naming the index of the line, from 1. */
export function inputScript(lines: readonly ScriptLine[]): InputScript {
  return lines.map((line, index) => entryOf(line, `input ${index + 1}`));
}

function entryOf(value: unknown, place: string): ScriptEntry {
  const result = v.safeParse(lineSchema, value);
  if (!result.success) {
    const [issue] = result.issues;
    const path = v.getDotPath(issue);
    throw new ScriptError(place, `${path === null ? '' : `"${path}": `}${issue.message}`);
  }
  const line = result.output;
  const inputs = inputsOf(line, place);
  if (inputs.length === 0) throw new ScriptError(place, 'no input: give "serial", "serial1", "keys", "mouse" or "power"');
  return { place, when: triggerOf(line, place), inputs };
}

function triggerOf({ at, after }: CheckedLine, place: string): ScriptTrigger {
  if ((at === undefined) === (after === undefined))
    throw new ScriptError(place, 'give either "at" (a tick) or "after" (text from the guest)');
  if (at !== undefined) return { atTick: at };
  if (typeof after === 'object' && after.regex) {
    try {
      return { afterPattern: new RegExp(after.pattern) };
    } catch (error) {
      throw new ScriptError(place, `"after": ${(error as Error).message}`);
    }
  }
  return { afterBytes: new TextEncoder().encode(typeof after === 'object' ? after.pattern : after) };
}

function inputsOf(line: CheckedLine, place: string): ScriptInput[] {
  const inputs: ScriptInput[] = [];
  const serial = (device: string, text: string | readonly number[] | undefined): void => {
    if (text !== undefined)
      inputs.push({ device, payload: typeof text === 'string' ? new TextEncoder().encode(text) : Uint8Array.from(text) });
  };
  serial('serial0', line.serial);
  serial('serial0', line.serial0);
  serial('serial1', line.serial1);
  if (line.keys !== undefined) {
    try {
      inputs.push({ device: 'keyboard', payload: keyboardPayload(line.keys) });
    } catch (error) {
      if (error instanceof InputError) throw new ScriptError(place, `"keys": ${error.message}`);
      throw error;
    }
  }
  if (line.mouse !== undefined) inputs.push({ device: 'mouse', payload: mousePayload(line.mouse) });
  if (line.power !== undefined) inputs.push({ device: 'power', payload: Uint8Array.of(POWER_PAYLOAD[line.power]) });
  return inputs;
}

/** The six bytes that the mouse takes: see mouse.ts of the engine. */
function mousePayload({ dx, dy, wheel, buttons }: NonNullable<CheckedLine['mouse']>): Uint8Array {
  const view = new DataView(new ArrayBuffer(6));
  view.setInt16(0, dx, true);
  view.setInt16(2, dy, true);
  view.setInt8(4, wheel);
  view.setUint8(5, buttons);
  return new Uint8Array(view.buffer);
}
