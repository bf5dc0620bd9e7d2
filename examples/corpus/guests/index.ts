/** All guests of the corpus. */
import type { CorpusGuest } from '../guest.js';
import { board } from './board.js';
import { cdrom } from './cdrom.js';
import { clock } from './clock.js';
import { controllers } from './controllers.js';
import { debug } from './debug.js';
import { disk } from './disk.js';
import { faults } from './faults.js';
import { input } from './input.js';
import { numeric } from './numeric.js';
import { paging } from './paging.js';
import { rings } from './rings.js';
import { rom } from './rom.js';
import { selfmodify } from './selfmodify.js';
import { serial } from './serial.js';
import { strings } from './strings.js';
import { tasks } from './tasks.js';
import { timer } from './timer.js';
import { v86 } from './v86.js';

export const corpusGuests: readonly CorpusGuest[] = [
  ...[rom, board, timer, clock, controllers, serial, input, disk, cdrom],
  ...[paging, faults, rings, tasks, v86, debug, selfmodify, strings, numeric],
];
