/**
 * Turns stop conditions into the engine's breakpoints, watches and callbacks, and reports each hit. What nobody asked for is
 * not looked at. None of it changes what the guest does.
 */
import type { Machine } from '../../engine/index.js';
import type { ConsoleLog, ConsoleSource } from './console-log.js';
import type { Hit, StopCondition } from './stops.js';

type Of<K extends StopCondition['kind']> = Extract<StopCondition, { kind: K }>;

export class Observer {
  /** @returns whether the machine is to stop as soon as it can */
  onHit: (hit: Hit) => boolean = () => false;
  /** How the machine is stopped: as soon as it stands at this tick. */
  stopAt: (tick: number) => void = () => this.machine.requestStop();
  private conditions: readonly StopCondition[] = [];
  private modeWords: readonly number[] = [];

  constructor(
    private readonly machine: Machine,
    private readonly endTick = Number.POSITIVE_INFINITY,
  ) {}

  get active(): boolean {
    return this.conditions.length > 0;
  }

  /** Only between runs. An empty list takes everything away. */
  observe(conditions: readonly StopCondition[]): void {
    const { machine } = this;
    const had = (kind: StopCondition['kind']): boolean => this.conditions.some((condition) => condition.kind === kind);
    const of = <K extends StopCondition['kind']>(kind: K): Of<K>[] =>
      conditions.filter((condition): condition is Of<K> => condition.kind === kind);
    const breakpoints = of('breakpoint');
    const watchpoints = of('watchpoint');
    const instructions = of('instruction');
    if (breakpoints.length + instructions.length > 0 || had('breakpoint') || had('instruction')) {
      const addresses = breakpoints.map(({ address }) => address);
      machine.setBreakpoints(
        addresses,
        instructions.flatMap(({ mnemonics }) => mnemonics),
      );
    }
    if (watchpoints.length > 0 || had('watchpoint')) {
      machine.setWatches(
        watchpoints.map(({ address, bytes, access }) => ({ address, bytes, reads: access !== 'write', writes: access !== 'read' })),
      );
    }
    this.conditions = conditions;
    this.listen(of);
  }

  /** What happens behind the last tick, in HLT, belongs to the step that led there. */
  private report(hit: Hit): void {
    const tick = Math.min(hit.tick, this.endTick - 1);
    if (this.onHit(tick === hit.tick ? hit : { ...hit, tick })) this.stopAt(tick + 1);
  }

  /** Breakpoints that are met where the machine stands, if the next thing is to execute the instruction. */
  breakpointsHere(): readonly Hit[] {
    const { machine } = this;
    const { tick } = machine;
    const linear = (machine.registers.segmentBase('cs') + machine.registers.get('eip')) >>> 0;
    const mnemonic = this.conditions.some(({ kind }) => kind === 'instruction') ? machine.peekInstruction()?.mnemonic : undefined;
    return this.conditions
      .filter((condition) => metInFront(condition, linear, mnemonic))
      .map((condition) => ({ tick, condition, address: linear }));
  }

  private listen(of: <K extends StopCondition['kind']>(kind: K) => Of<K>[]): void {
    const { machine } = this;
    const instructions = of('instruction');
    const inFront = [...of('breakpoint'), ...instructions];
    machine.onBreakpoint = (linear) => {
      const mnemonic = instructions.length > 0 ? machine.peekInstruction()?.mnemonic : undefined;
      let stop = false;
      for (const condition of inFront) {
        if (metInFront(condition, linear, mnemonic)) stop = this.onHit({ tick: machine.tick, condition, address: linear }) || stop;
      }
      if (stop) this.stopAt(machine.tick);
      return stop;
    };
    const watchpoints = of('watchpoint');
    machine.onAccess = ({ tick, address, bytes, write, by }) => {
      for (const condition of watchpoints) {
        const wanted = condition.access === 'access' || (condition.access === 'write') === write;
        const overlaps = address < condition.address + condition.bytes && condition.address < address + bytes;
        if (wanted && overlaps) this.report({ tick, condition, address, bytes, write, by });
      }
    };
    const exceptions = of('exception');
    machine.onException =
      exceptions.length === 0
        ? undefined
        : ({ tick, vector }) => {
            for (const condition of exceptions) {
              if ((condition.vector ?? vector) === vector && condition.when?.() !== false) this.report({ tick, condition, vector });
            }
          };
    const ports = of('port');
    machine.onPort =
      ports.length === 0
        ? undefined
        : ({ tick, port, bytes, write, value }) => {
            for (const condition of ports) {
              const wanted = condition.access === 'access' || (condition.access === 'write') === write;
              const meets = port < condition.port + (condition.ports ?? 1) && condition.port < port + bytes;
              if (wanted && meets) this.report({ tick, condition, address: port, bytes, write, value });
            }
          };
    this.listenToModes(of('control'), of('mode'));
  }

  /** Interrupts belong to the playback, which tells of each one. */
  interrupt(tick: number, vector: number): void {
    for (const condition of this.conditions) {
      if (condition.kind === 'interrupt' && (condition.vector ?? vector) === vector && condition.when?.() !== false)
        this.report({ tick, condition, vector });
    }
  }

  /** Call it before a run: changes are told from the state of now. */
  begin(): void {
    this.modeWords = modeWords(this.machine);
  }

  private listenToModes(controls: readonly Of<'control'>[], modes: readonly Of<'mode'>[]): void {
    const { machine } = this;
    if (controls.length === 0 && modes.length === 0) {
      machine.onModeChange = undefined;
      return;
    }
    machine.onModeChange = () => {
      const before = this.modeWords;
      const now = modeWords(machine);
      this.modeWords = now;
      const changed = (index: number): boolean => before[index] !== now[index];
      const tick = machine.stepTick;
      for (const condition of controls) {
        const index = CONTROL_INDEX[condition.register];
        if (changed(index)) this.report({ tick, condition, value: now[index] });
      }
      for (const condition of modes) if (changed(MODE_INDEX)) this.report({ tick, condition, value: now[MODE_INDEX] });
    };
  }

  /** Output belongs to the history, which tells of each byte. */
  sent(source: ConsoleSource, tick: number, console: ConsoleLog): void {
    for (const condition of this.conditions) {
      if (condition.kind !== 'console' || condition.source !== source) continue;
      const line = console.line(source);
      // Not `test`, which goes on from where a global pattern has matched before.
      if (line.search(condition.pattern) >= 0 && line.slice(0, -1).search(condition.pattern) < 0)
        this.report({ tick, condition, value: line });
    }
  }
}

/** Whether the instruction that comes next is one to stop in front of. */
function metInFront(condition: StopCondition, linear: number, mnemonic: string | undefined): boolean {
  if (condition.kind === 'breakpoint') return condition.address === linear && condition.when?.() !== false;
  return (
    condition.kind === 'instruction' && mnemonic !== undefined && condition.mnemonics.includes(mnemonic) && condition.when?.() !== false
  );
}

const CONTROL_INDEX = { cr0: 0, cr3: 1, cr4: 2 } as const;
const MODE_INDEX = 3;

function modeWords(machine: Machine): readonly number[] {
  const { registers } = machine;
  const cr0 = registers.get('cr0');
  const protectedMode = cr0 & 1;
  const virtual8086 = (registers.get('eflags') >>> 17) & 1;
  return [
    cr0,
    registers.get('cr3'),
    registers.get('cr4'),
    protectedMode | (virtual8086 << 1) | (registers.codeBits << 2) | (registers.privilege << 8),
  ];
}
