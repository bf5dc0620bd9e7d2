/** Machines stopped on their way: the next instruction as a case does what it does in the machine, in the reference model too, and as text. */
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { createMachine, type Machine } from '../../engine/index.js';
import { TraceImages } from '../../replay/images.js';
import { configOfTrace } from '../../replay/machine-setup.js';
import { openTraceFile } from '../../traces/index.js';
import { type Assembler, al, assemble } from '../assembler/index.js';
import { compareCase } from '../compare/one-case.js';
import { engineOracle } from '../oracles/engine.js';
import { modelOracle } from '../oracles/model.js';
import { caseFromMachine } from './case-from-machine.js';
import { describeCase, parseCase } from './case-text.js';

const [engine, model] = [engineOracle('auto'), modelOracle()];
afterAll(() => {
  engine.close();
  model.close();
});

function machineOf(name: string): Machine {
  const trace = openTraceFile(fileURLToPath(new URL(`../../traces/corpus/${name}.trace`, import.meta.url)));
  try {
    return createMachine(configOfTrace(trace.header, new TraceImages(trace), 'auto'));
  } finally {
    trace.close();
  }
}

const STEPS = 16;
const STRIDE_TICKS = 611;

describe('the next instruction of a machine', () => {
  it.each(['strings', 'rings', 'paging', 'v86', 'faults', 'debug'])('of %s', (name) => {
    const machine = machineOf(name);
    let cases = 0;
    for (let step = 0; step < STEPS; step++) {
      machine.run({ tick: step * STRIDE_TICKS });
      const before = machine.digest();
      const one = caseFromMachine(machine);
      expect(machine.digest()).toBe(before);
      if (typeof one === 'string') continue;
      cases++;
      expect(compareCase(one, engine, model).differences).toEqual([]);
      expect(parseCase(JSON.parse(JSON.stringify(describeCase(one))), one.windows)).toEqual(one);
    }
    expect(cases).toBeGreaterThanOrEqual(STEPS - 1);
  });

  const machineWith = (code: (a: Assembler) => unknown, mode: 'real' | 'protected'): Machine => {
    const image = assemble({ bits: mode === 'real' ? 16 : 32, origin: 0x7c00 }, code).bytes;
    return createMachine({ boot: { kind: 'raw', image, address: 0x7c00, entry: 0x7c00, mode }, memoryBytes: 4 << 20 });
  };

  it.each<[reason: string, mode: 'real' | 'protected', code: (a: Assembler) => unknown, tick: number]>([
    ['port 0x20 is accessed', 'protected', (a) => a.out(0x20, al), 0],
    ['the processor is halted', 'protected', (a) => a.hlt(), 1],
    ['it depends on more than processor and memory: ', 'protected', (a) => [a.nop(), a.rdtsc()], 1],
  ])('is none where %s', (reason, mode, code, tick) => {
    const machine = machineWith(code, mode);
    machine.run({ tick });
    expect(caseFromMachine(machine)).toContain(reason);
  });
});
