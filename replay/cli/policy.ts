/**
 * `replay86 policy`: what the manuals leave open and what this machine does (engine/policy), for people and as JSON.
 */

import { EFLAG } from '../../engine/cpu/state.js';
import { type Excuse, POLICY, type PolicyRow } from '../../engine/policy/policy.js';
import { STATUS } from '../exit-status.js';
import { UsageError } from './failure.js';

export interface PolicyCommandOptions {
  /** Source of a regular expression against id and instructions. */
  readonly match?: string;
  readonly json?: boolean;
}

const LABEL_COLUMNS = 14;
const LINE_COLUMNS = 100;
const X87_STATUS_BITS = ['IE', 'DE', 'ZE', 'OE', 'UE', 'PE', 'SF', 'ES', 'C0', 'C1', 'C2', '', '', '', 'C3', 'B'];

export function policyCommand({ match, json = false }: PolicyCommandOptions): number {
  const expression = match === undefined ? undefined : new RegExp(match, 'i');
  const rows = POLICY.filter(({ id, instructions }) => expression?.test(`${id} ${instructions}`) ?? true);
  if (rows.length === 0) throw new UsageError(`no row of the policy table matches ${match}`);
  process.stdout.write(json ? `${JSON.stringify(rows, undefined, 2)}\n` : policyText(rows));
  return STATUS.ok;
}

/** Rows under the first part of their names, in the order of the table. */
function policyText(rows: readonly PolicyRow[]): string {
  const groups = new Map<string, string[]>();
  for (const row of rows) {
    const name = row.id.split('.')[0] as string;
    const texts = groups.get(name) ?? [];
    texts.push(rowText(row));
    groups.set(name, texts);
  }
  return [...groups].map(([name, texts]) => `== ${name}\n\n${texts.join('\n')}`).join('\n');
}

function rowText({ id, instructions, when, source, ours, amd, intel, excuses }: PolicyRow): string {
  const fields = { instructions, when, 'left open by': source, 'this machine': ours, AMD: amd, Intel: intel, excused: excuseText(excuses) };
  return `${id}\n${Object.entries(fields)
    .map(([label, text]) => wrapped(label, text))
    .join('')}`;
}

/** What comparisons with another processor ignore. */
function excuseText(excuse: Excuse): string {
  const { flags, destination, destinationBytes, x87Status, x87Stack, x87LastPlaces, x87Pointers, cr2, wholeCase } = excuse;
  const parts: string[] = [];
  if (flags !== undefined) {
    const names = Object.entries(EFLAG).filter(([, bits]) => (flags & bits) === bits);
    parts.push(names.map(([name]) => name.toUpperCase()).join(', '));
  }
  if (destination === true) parts.push('the destination');
  for (const [first, count] of destinationBytes ?? []) parts.push(`bytes ${first} to ${first + count - 1} of the destination`);
  if (x87Status !== undefined) parts.push(X87_STATUS_BITS.filter((_, bit) => (x87Status >>> bit) & 1).join(', '));
  if (x87Stack === true) parts.push('TOP and which registers are empty');
  if (x87LastPlaces !== undefined) parts.push(`x87 registers, by ${x87LastPlaces} units in the last place`);
  if (x87Pointers === true) parts.push('pointers and opcode of the x87');
  if (cr2 === true) parts.push('the address of a page fault and its error code');
  if (wholeCase === true) parts.push('everything');
  return parts.join('; ') || 'nothing';
}

function wrapped(label: string, text: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > LINE_COLUMNS - LABEL_COLUMNS - 2) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines.map((part, i) => `  ${(i === 0 ? label : '').padEnd(LABEL_COLUMNS)}${part}\n`).join('');
}
