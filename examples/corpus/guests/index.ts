/** All guests of the corpus. */
import type { CorpusGuest } from '../guest.js';
import { clock } from './clock.js';
import { controllers } from './controllers.js';
import { debug } from './debug.js';
import { input } from './input.js';
import { numeric } from './numeric.js';
import { paging } from './paging.js';
import { rings } from './rings.js';
import { selfmodify } from './selfmodify.js';
import { serial } from './serial.js';
import { strings } from './strings.js';
import { tasks } from './tasks.js';
import { timer } from './timer.js';
import { v86 } from './v86.js';

export const corpusGuests: readonly CorpusGuest[] = [
  timer,
  serial,
  input,
  clock,
  controllers,
  paging,
  tasks,
  v86,
  rings,
  debug,
  selfmodify,
  strings,
  numeric,
];
