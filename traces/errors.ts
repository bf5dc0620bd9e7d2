/**
 * What goes wrong with a trace: one class, one line of text that names the file, the place in it and what to do.
 */
export interface TraceLocation {
  readonly fileName?: string | undefined;
  readonly offsetBytes?: number | undefined;
  readonly chunk?: string | undefined;
}

export class TraceError extends Error {
  override readonly name = 'TraceError';

  constructor(
    /** What is wrong, without the place. */
    readonly problem: string,
    readonly location: TraceLocation = {},
  ) {
    super(describe(problem, location));
  }
}

function describe(problem: string, { fileName, offsetBytes, chunk }: TraceLocation): string {
  const place = [
    fileName === undefined ? undefined : quote(fileName),
    offsetBytes === undefined ? undefined : `byte ${offsetBytes}`,
    chunk === undefined ? undefined : `chunk ${quote(chunk)}`,
  ].filter((part) => part !== undefined);
  return place.length === 0 ? problem : `${place.join(', ')}: ${problem}`;
}

/** Runs `action`; a TraceError it throws is given the places it does not know yet. */
export function locate<Result>(location: TraceLocation, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    if (error instanceof TraceError) throw new TraceError(error.problem, { ...location, ...error.location });
    throw error;
  }
}

const QUOTED_LENGTH_MAX = 200;

/** Text of foreign origin, fit for a line on a terminal: no control characters, no change of direction, not too long. */
export function printable(text: string): string {
  const cut = text.length > QUOTED_LENGTH_MAX ? `${text.slice(0, QUOTED_LENGTH_MAX)}...` : text;
  return cut.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

/** A foreign name in a sentence: quoted unless it is of plain characters only. */
export function quote(text: string): string {
  const shown = printable(text);
  return /^[\w./+-]+$/.test(shown) ? shown : `"${shown}"`;
}
