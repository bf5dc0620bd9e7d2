/**
 * Breakpoints and watchpoints as gdb sets them (`Z` packets), any number, watchpoints of any length. They are looked for by
 * the machine and never put into the guest's memory.
 */
import type { Machine } from '../../engine/index.js';
import { PAGE_BYTES } from '../timeline/page-store.js';
import type { Hit, StopCondition } from '../timeline/stops.js';
import { PacketError } from './hex.js';

/** By gdb's number of the type. */
const KINDS = ['software', 'hardware', 'write', 'read', 'access'] as const;
type Kind = (typeof KINDS)[number];

interface Point {
  readonly kind: Kind;
  /** Linear. */
  readonly address: number;
  readonly bytes: number;
  /** Of a watchpoint: where its bytes were when it was set. */
  readonly pieces: readonly Piece[];
}

interface Piece {
  readonly linear: number;
  readonly physical: number;
  readonly bytes: number;
}

/** More would take longer to set than anybody waits; a watchpoint on whole memory is a mistake. */
const WATCH_BYTES = 64 * 2 ** 20;

/** What a watchpoint that was met is called in a stop reply. */
const WATCH_NAMES = { write: 'watch', read: 'rwatch', access: 'awatch' } as const;

export class Points {
  private readonly points = new Map<string, Point>();

  /** @param translate to memory; undefined where there is none, or only a device */
  constructor(private readonly translate: (linear: number) => number | undefined) {}

  /** @throws PacketError when it cannot be set. Setting one again changes nothing. */
  insert(type: number, address: number, bytes: number): void {
    const kind = kindOf(type);
    const isWatch = kind !== 'software' && kind !== 'hardware';
    if (isWatch && (bytes === 0 || bytes > WATCH_BYTES)) throw new PacketError(`a watchpoint cannot have ${bytes} bytes`);
    const pieces = isWatch ? this.piecesOf(address, bytes) : [];
    if (isWatch && pieces.length === 0) throw new PacketError('no memory is present there');
    this.points.set(keyOf(type, address, bytes), { kind, address, bytes, pieces });
  }

  remove(type: number, address: number, bytes: number): void {
    kindOf(type);
    this.points.delete(keyOf(type, address, bytes));
  }

  clear(): void {
    this.points.clear();
  }

  hasBreakpoint(linear: number): boolean {
    return [...this.points.values()].some(({ kind, address }) => (kind === 'software' || kind === 'hardware') && address === linear);
  }

  conditions(): StopCondition[] {
    return [...this.breakpoints(), ...this.watchpoints()];
  }

  private breakpoints(): StopCondition[] {
    const addresses = new Set<number>();
    for (const { kind, address } of this.points.values()) if (kind === 'software' || kind === 'hardware') addresses.add(address);
    return [...addresses].map((address) => ({ kind: 'breakpoint', address }));
  }

  watchpoints(): StopCondition[] {
    return [...this.points.values()].flatMap(({ kind, pieces }) =>
      kind === 'software' || kind === 'hardware'
        ? []
        : pieces.map(({ physical, bytes }): StopCondition => ({ kind: 'watchpoint', address: physical, bytes, access: kind })),
    );
  }

  /** What a stop reply says of hits: one reason, of several that which gdb would not find out by itself. */
  reasonOf(hits: readonly Hit[]): string {
    for (const hit of hits) {
      const reason = this.watchReason(hit);
      if (reason !== undefined) return reason;
    }
    const at = hits.find(({ condition }) => condition.kind === 'breakpoint')?.address;
    if (at === undefined) return '';
    const isHardware = [...this.points.values()].some(({ kind, address }) => kind === 'hardware' && address === at);
    return isHardware ? 'hwbreak:;' : 'swbreak:;';
  }

  private watchReason({ condition, address: accessed }: Hit): string | undefined {
    if (condition.kind !== 'watchpoint' || accessed === undefined) return undefined;
    for (const { kind, pieces } of this.points.values()) {
      if (kind !== condition.access) continue;
      const piece = pieces.find(({ physical, bytes }) => physical === condition.address && bytes === condition.bytes);
      if (piece === undefined) continue;
      const linear = piece.linear + Math.max(0, accessed - piece.physical);
      return `${WATCH_NAMES[kind]}:${linear.toString(16)};`;
    }
    return undefined;
  }

  /** The parts of a linear range that are present, each in one stretch of physical memory. */
  private piecesOf(address: number, bytes: number): Piece[] {
    const pieces: Piece[] = [];
    for (let at = address; at < address + bytes; ) {
      const part = Math.min(PAGE_BYTES - (at % PAGE_BYTES), address + bytes - at);
      const physical = this.translate(at % 0x1_0000_0000);
      const last = pieces.at(-1);
      if (physical !== undefined) {
        if (last !== undefined && last.linear + last.bytes === at && last.physical + last.bytes === physical)
          pieces[pieces.length - 1] = { ...last, bytes: last.bytes + part };
        else pieces.push({ linear: at, physical, bytes: part });
      }
      at += part;
    }
    return pieces;
  }
}

const keyOf = (type: number, address: number, bytes: number): string => `${type},${address},${bytes}`;

function kindOf(type: number): Kind {
  const kind = KINDS[type];
  if (kind === undefined) throw new PacketError(`there is no breakpoint type ${type}`);
  return kind;
}

/** The linear address of the instruction that comes next. */
export function linearPc({ registers }: Pick<Machine, 'registers'>): number {
  return (registers.segmentBase('cs') + registers.get('eip')) >>> 0;
}
