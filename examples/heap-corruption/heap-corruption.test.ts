import { expect, it } from 'vitest';
import { Symbols } from '../../replay/debugger/symbols.js';
import { openTimeline } from '../../replay/index.js';
import { bytesSource, nodeCodec, readTrace } from '../../traces/index.js';
import { recordGuest } from '../corpus/recording.js';
import { symbolFile } from '../corpus/symbol-file.js';
import { buildGuest, notes } from './guest.js';
import { report, walkBack } from './walk.js';

const guest = buildGuest();
const addressOf = (label: string): number => guest.labels.get(label) as number;

it('leads from the crash to the copy that is too long', async () => {
  const { bytes } = await recordGuest(notes);
  const timeline = openTimeline(readTrace(bytesSource(bytes), nodeCodec));
  try {
    const found = await walkBack(timeline);
    const nextOfSecondBlock = addressOf('blocks') + 24;
    expect(found.fault).toMatchObject({ ip: addressOf('notes.read'), pointer: Buffer.from(' now').readUInt32LE() });
    expect(found.load.address).toBe(nextOfSecondBlock);
    expect(found.write).toMatchObject({ ip: addressOf('note.copy'), by: 'instruction', linear: nextOfSecondBlock + 3, bytes: 1 });
    expect(found.copy).toMatchObject({ source: addressOf('line') + 1, target: addressOf('blocks') + 8, bytes: 20 });
    expect(Buffer.from(found.input.payload).toString()).toBe('+call the plumber now\n');
    const ticks = [found.fault, found.load, found.write, found.copy, found.input].map(({ tick }) => tick);
    expect(ticks).toEqual([...ticks].sort((a, b) => b - a));
    const text = report(found, guest).join('\n');
    expect(text).toContain('through the pointer 776f6e20: the text " now"');
    expect(text).toContain('20 bytes from line+1 to blocks+8, 20 of them up to the end of the pointer');
  } finally {
    timeline.close();
  }
});

it('has names for a debugger', () => {
  const symbols = new Symbols();
  symbols.load(symbolFile(guest));
  expect(symbols.addressOf('note.copy')).toBe(addressOf('note.copy'));
  expect(symbols.textAt(addressOf('note.copy') + 1)).toBe('note.copy+0x1');
});
