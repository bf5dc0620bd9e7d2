/**
 * Commands that go somewhere.
 */

import type { TravelOptions } from '../timeline/history.js';
import type { Stop } from '../timeline/stops.js';
import type { Timeline } from '../timeline/timeline.js';
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
  stepsCommand(
    ['next', 'n'],
    'as step, but a call, an INT or a REP with all that it leads to is one step',
    'forward',
    (timeline, options) => timeline.stepOver(options),
  ),
  stepsCommand(['rnext', 'rn'], 'as back, but a call, an INT or a REP with all that it led to is one step', 'back', (timeline, options) =>
    timeline.reverseStepOver(options),
  ),
  stepsCommand(
    ['finish', 'f'],
    'behind the return from this function or interrupt handler, or from the Nth around it',
    'forward',
    (timeline, options) => timeline.finish(options),
  ),
  stepsCommand(['rfinish', 'rf'], 'back to the call of this function, or to what interrupted', 'back', (timeline, options) =>
    timeline.reverseFinish(options),
  ),
  {
    names: ['continue', 'c'],
    operands: '',
    help: 'forward to the next stop',
    repeats: true,
    run: (session, operands) => {
      requireNothing(operands);
      return session.travel('forward', (options) => session.timeline.continue(options));
    },
  },
  {
    names: ['rcontinue', 'rc'],
    operands: '',
    help: 'back to the stop before',
    repeats: true,
    run: (session, operands) => {
      requireNothing(operands);
      return session.travel('back', (options) => session.timeline.reverseContinue(options));
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

function stepsCommand(
  names: readonly [string, ...string[]],
  help: string,
  direction: 'forward' | 'back',
  once: (timeline: Timeline, options: TravelOptions) => Promise<Stop>,
): Command {
  return {
    names,
    operands: '[N]',
    help,
    repeats: true,
    run: (session, operands) => {
      const count = countOf(operands, 1);
      return session.travel(direction, async (options) => {
        let stop = await once(session.timeline, options);
        for (let done = 1; done < count && stop.kind === 'stepped'; done++) stop = await once(session.timeline, options);
        return stop;
      });
    },
  };
}
