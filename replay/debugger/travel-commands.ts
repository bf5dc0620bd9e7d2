/**
 * Commands that go somewhere.
 */
import { type Command, countOf, requireNothing, wordsOf } from './command.js';
import { CommandError } from './command-error.js';
import { tickOfPlace } from './place.js';

export const TRAVEL_COMMANDS: readonly Command[] = [
  {
    names: ['step', 's'],
    operands: '[N]',
    help: 'one instruction forward, or N; a REP iteration, an interrupt or an exception counts as one',
    repeats: true,
    run: (session, operands) => {
      const count = countOf(operands, 1);
      return session.travel('forward', (options) => session.timeline.step(count, options));
    },
  },
  {
    names: ['back', 'rs', 'rstep'],
    operands: '[N]',
    help: 'one instruction back, or N',
    repeats: true,
    run: (session, operands) => {
      const count = countOf(operands, 1);
      return session.travel('back', (options) => session.timeline.reverseStep(count, options));
    },
  },
  {
    names: ['continue', 'c'],
    operands: '',
    help: 'forward to the next stop',
    repeats: true,
    run: (session, operands) => {
      requireNothing(operands);
      return session.travel('forward', (options) => session.timeline.forward(session.stops.conditions, options));
    },
  },
  {
    names: ['rcontinue', 'rc'],
    operands: '',
    help: 'back to the stop before',
    repeats: true,
    run: (session, operands) => {
      requireNothing(operands);
      return session.travel('back', (options) => session.timeline.backward(session.stops.conditions, options));
    },
  },
  {
    names: ['goto', 'g'],
    operands: 'TICK | +N | -N | N% | begin | end | MARK',
    help: 'to a place of the recording',
    completes: 'place',
    run: async (session, operands) => {
      const [place] = operands.trim().split(/\s+/).length > 1 ? [] : [operands.trim()];
      if (place === undefined) throw new CommandError('one place, please');
      const tick = tickOfPlace(place, session.timeline, session.marks);
      await session.travel(tick < session.timeline.tick ? 'back' : 'forward', async (options) => {
        await session.timeline.seek(tick, options);
        return { kind: 'stepped' };
      });
    },
  },
  {
    names: ['mark', 'm'],
    operands: 'NAME',
    help: 'a name for this place, for goto and the timeline',
    run: (session, operands) => {
      const [name = ''] = wordsOf(operands, 1);
      if (!/^[a-z][\w.]*$/i.test(name) || name === 'begin' || name === 'end') throw new CommandError(`'${name}' is no name for a mark`);
      session.marks.set(name, session.timeline.tick);
    },
  },
];
