import { describe, expect, it } from 'vitest';
import { inputScript, parseInputScript } from './input-script.js';
import { ScriptPlayer } from './script-player.js';

describe('an input script', () => {
  it('is read line by line', () => {
    const text = [
      '{"at": 100, "serial": "h\\u00e9\\n"}',
      '',
      '{"after": "login: ", "serial1": [0, 255], "keys": "a{Enter}"}',
      '{"after": {"pattern": "a+", "regex": true}, "mouse": {"dx": -1, "dy": 300, "wheel": -2, "buttons": 5}}',
      '{"after": {"pattern": "a+"}, "power": "reset"}',
      '{"at": 5, "power": "button"}',
    ].join('\r\n');
    expect(parseInputScript(text, 'in.jsonl')).toEqual([
      { place: 'in.jsonl:1', when: { atTick: 100 }, inputs: [{ device: 'serial0', payload: Uint8Array.of(0x68, 0xc3, 0xa9, 0x0a) }] },
      {
        place: 'in.jsonl:3',
        when: { afterBytes: new TextEncoder().encode('login: ') },
        inputs: [
          { device: 'serial1', payload: Uint8Array.of(0, 255) },
          { device: 'keyboard', payload: Uint8Array.of(0x1e, 0x9e, 0x1c, 0x9c) },
        ],
      },
      {
        place: 'in.jsonl:4',
        when: { afterPattern: /a+/ },
        inputs: [{ device: 'mouse', payload: Uint8Array.of(0xff, 0xff, 0x2c, 0x01, 0xfe, 0x05) }],
      },
      { place: 'in.jsonl:5', when: { afterBytes: Uint8Array.of(0x61, 0x2b) }, inputs: [{ device: 'power', payload: Uint8Array.of(0) }] },
      { place: 'in.jsonl:6', when: { atTick: 5 }, inputs: [{ device: 'power', payload: Uint8Array.of(1) }] },
    ]);
  });

  it.each([
    ['nonsense', 'not JSON'],
    ['[1]', 'in.jsonl:2: '],
    ['{"serial": "x"}', 'give either "at" (a tick) or "after"'],
    ['{"at": 1, "after": "x", "serial": "x"}', 'give either "at" (a tick) or "after"'],
    ['{"at": 1}', 'no input'],
    ['{"at": -1, "serial": "x"}', '"at": '],
    ['{"at": 1.5, "serial": "x"}', '"at": '],
    ['{"at": 1, "serial": ""}', '"serial": must not be empty'],
    ['{"at": 1, "serial": 7}', '"serial": must be text or a list of bytes'],
    ['{"at": 1, "serial": [256]}', '"serial.0": '],
    ['{"at": 1, "typo": "x"}', '"typo": '],
    ['{"at": 1, "keys": "{Nope}"}', '"keys": keyboard: there is no key'],
    ['{"at": 1, "power": "off"}', '"power": '],
    ['{"at": 1, "mouse": {"dx": 40000}}', '"mouse.dx": '],
    ['{"after": "", "serial": "x"}', '"after": must not be empty'],
    ['{"after": 5, "serial": "x"}', '"after": must be text or'],
    ['{"after": {"pattern": "(", "regex": true}, "serial": "x"}', '"after": Invalid regular expression'],
  ])('refuses %s with its place', (line, message) => {
    const parse = () => parseInputScript(`\n${line}`, 'in.jsonl');
    expect(parse).toThrow(/^in\.jsonl:2: [^\n]*$/);
    expect(parse).toThrow(message);
  });
});

describe('a script that is played', () => {
  const say = (player: ScriptPlayer, text: string) => {
    for (const character of text) player.sent(character.charCodeAt(0));
  };
  const play = (...lines: Parameters<typeof inputScript>[0]) => {
    let stops = 0;
    const player = new ScriptPlayer(inputScript(lines), () => stops++);
    return { player, stops: () => stops };
  };

  it('gives each line at its tick, in order', () => {
    const { player } = play({ at: 50, serial: 'a' }, { at: 20, serial: 'b' });
    expect([player.nextTick, player.takeDue(49, false)]).toEqual([50, undefined]);
    expect(player.takeDue(50, false)?.place).toBe('input 1');
    expect(player.takeDue(50, false)?.place).toBe('input 2');
    expect([player.done, player.nextTick, player.takeDue(1e9, true)]).toEqual([true, Number.POSITIVE_INFINITY, undefined]);
  });

  it('stops the machine exactly once when text is complete, also when it overlaps itself', () => {
    const { player, stops } = play({ after: 'aabaac', serial: 'x' }, { after: 'c', serial: 'y' });
    say(player, 'aabaabaa');
    expect([stops(), player.takeDue(1, false), player.nextTick]).toEqual([0, undefined, Number.POSITIVE_INFINITY]);
    say(player, 'cc');
    expect(stops()).toBe(1);
    expect(player.takeDue(1, false)?.place).toBe('input 1');
    expect(player.takeDue(1, false)).toBeUndefined();
    say(player, 'c');
    expect(player.takeDue(1, false)?.place).toBe('input 2');
  });

  it('knows regular expressions', () => {
    const { player, stops } = play({ after: { pattern: '^[a-z]+\\d{2}\\n', regex: true }, serial: 'x' });
    say(player, 'abc1');
    expect(stops()).toBe(0);
    say(player, '2\n');
    expect(stops()).toBe(1);
  });

  it('does not wait for a tick that an idle guest never reaches, but for text it does', () => {
    const { player } = play({ at: 1e9, serial: 'a' }, { after: 'x', serial: 'b' });
    expect(player.takeDue(5, true)?.place).toBe('input 1');
    expect(player.takeDue(5, true)).toBeUndefined();
  });
});
