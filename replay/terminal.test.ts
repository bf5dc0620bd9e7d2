import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { keyboardPayload } from '../engine/index.js';
import { TerminalInput, typed } from './terminal.js';

class FakeStream extends EventEmitter {
  raw = false;
  flowing = false;
  setRawMode(raw: boolean): void {
    this.raw = raw;
  }
  resume(): void {
    this.flowing = true;
  }
  pause(): void {
    this.flowing = false;
  }
  type(text: string): void {
    this.emit('data', new TextEncoder().encode(text));
  }
}

function terminal() {
  const stream = new FakeStream();
  const said: string[] = [];
  let quits = 0;
  const input = new TerminalInput(
    stream,
    () => quits++,
    (text) => said.push(text),
  );
  const taken = () => input.take().map(({ device, payload }) => `${device} ${String.fromCharCode(...payload)}`);
  return { stream, input, said, taken, quits: () => quits };
}

it('gives the guest what is typed, to the serial port first', () => {
  const { stream, taken } = terminal();
  expect(stream.raw).toBe(true);
  stream.type('ls');
  stream.type('\r\x03');
  expect(taken()).toEqual(['serial0 ls', 'serial0 \r\x03']);
  expect(taken()).toEqual([]);
});

it('obeys the escape key, also in the middle of what is typed', () => {
  const { stream, said, taken, quits } = terminal();
  stream.type('a\x01hb\x01\x01c\x01');
  expect(taken()).toEqual(['serial0 a', 'serial0 b', 'serial0 \x01', 'serial0 c']);
  expect(said.join('')).toContain('Ctrl-A x');
  stream.type('x');
  expect([quits(), taken()]).toEqual([1, []]);
  stream.type('\x01b\x01r');
  expect(taken()).toEqual(['power \x01', 'power \x00']);
});

it('types on the keyboard on request', () => {
  const { stream, input } = terminal();
  stream.type('\x01ka\r');
  expect(input.take()).toEqual([{ device: 'keyboard', payload: keyboardPayload('a\n') }]);
  stream.type('\x01s\x01s');
  stream.type('é');
  expect(input.take().map(({ device }) => device)).toEqual(['serial0']);
});

it('knows the keys that terminals send as sequences, and leaves out what no key makes', () => {
  expect(typed(new TextEncoder().encode('{\x1b[A\x7f\x04é'))).toEqual(keyboardPayload('{{{Up}\b{Ctrl+d}'));
});

it('wakes who waits, and gives the terminal back', async () => {
  const { stream, input } = terminal();
  const woken = input.wait();
  stream.type('x');
  await woken;
  await input.wait();
  input.close();
  expect([stream.raw, stream.flowing, stream.listenerCount('data')]).toEqual([false, false, 0]);
});
