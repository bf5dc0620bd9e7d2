/**
 * Text and numbers for people.
 */
const NS_PER_SECOND = 1e9;

/** With commas between groups of three digits, whatever the host's locale. */
export function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

export function millions(value: number): string {
  return value < 1e7 ? grouped(value) : `${grouped(Math.round(value / 1e6))} M`;
}

export function virtualTime(ns: number): string {
  return `${(ns / NS_PER_SECOND).toFixed(3)} s`;
}

export function hexDigest(digest: bigint): string {
  return digest.toString(16).padStart(16, '0');
}

export function plural(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** Messages must not break the rule of one line for each problem. */
export function oneLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, ' ');
}
