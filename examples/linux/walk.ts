/**
 * A busybox shell in the middle of a recorded boot: demo.sh has just printed a number, and the question is where its first
 * digit comes from. Back from the serial port to the driver's OUT, to the shell's system call, and from copy to copy to the
 * instruction that computed the digit.
 *
 *     npx tsx examples/linux/walk.ts [TRACE]
 *
 * Without TRACE, it records the quick boot of build/vmlinux first, if build/walk.trace is not there.
 */
import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { disassemble } from '../../properties/index.js';
import { checkpointsBeside, openTimeline, openTraceFile, Queries, record, type StopCondition, type Timeline } from '../../replay/index.js';

const fromHere = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const imagePaths = { kernel: fromHere('build/vmlinux'), initrd: fromHere('build/initramfs.cpio') };
const commandLine = 'console=ttyS0 cryptomgr.notests';

const line = /^sum (\d+)\r$/;
const serialData = 0x3f8;
/** Linux, arch/x86/entry/syscalls/syscall_32.tbl. */
const sysWrite = 4;
/** So far before a store the byte that it stores is looked for in what is read. */
const reachSteps = 40;
const copiesLimit = 20;
const longestInstruction = 15;

/** One place on the way back. */
export interface Place {
  readonly tick: number;
  readonly ip: number;
  readonly text: string;
  readonly what: string;
}

/** @throws Error when something of it is not to be found in this run */
export async function walkBack(timeline: Timeline, queries: Queries): Promise<Place[]> {
  const { machine } = timeline;
  const { registers } = machine;
  const places: Place[] = [];
  const note = (what: string): void => {
    const { tick } = timeline;
    places.push({ tick, ip: ipOf(timeline), text: instructionHere(timeline), what });
  };
  const back = async (condition: StopCondition): Promise<void> => {
    const { kind } = await timeline.backward([condition]);
    if (kind !== 'hit') throw new Error(`there is no such ${condition.kind} before tick ${timeline.tick}`);
  };

  await timeline.seek(0);
  const printed = await timeline.forward([{ kind: 'console', source: 'serial0', pattern: line }]);
  const said = printed.kind === 'hit' ? printed.hits[0]?.value : undefined;
  const [, number = ''] = line.exec(String(said)) ?? [];
  if (number === '') throw new Error('the guest never prints a sum');
  const digit = number.charCodeAt(0);

  await back({ kind: 'port', port: serialData, access: 'write' });
  note(`the driver sends the end of the line "sum ${number}"`);

  const prefix = 'sum ';
  const isWrite = (): boolean => {
    const [buffer, length] = [registers.get('ecx'), registers.get('edx')];
    return registers.get('eax') === sysWrite && length > prefix.length && latin1(timeline, buffer, prefix.length) === prefix;
  };
  await back({ kind: 'instruction', mnemonics: ['int', 'sysenter'], when: isWrite });
  note(`the shell calls write(${registers.get('ebx')}, "${latin1(timeline, registers.get('ecx'), registers.get('edx')).trim()}")`);

  let address: number | undefined = registers.get('ecx') + prefix.length;
  for (let copies = 0; address !== undefined && copies < copiesLimit; copies++) {
    const write = await queries.lastWrite(address, 1, { toTick: timeline.tick });
    if (write === undefined) throw new Error(`nothing wrote the digit at ${hex(address)}`);
    await timeline.seek(write.tick);
    const [tick, store] = [write.tick, { ip: ipOf(timeline), text: instructionHere(timeline) }];
    const target = hex(address);
    if (write.privilege === 0) {
      places.push({ tick, ...store, what: `the kernel loads the program: the digit at ${target} is one of its constants` });
      break;
    }
    address = await sourceOf(timeline, digit);
    const what = address === undefined ? `the digit is computed, for ${target}` : `it is copied to ${target} from ${hex(address)}`;
    places.push({ tick, ...store, what });
  }
  return places;
}

/** Where the byte that is about to be stored was read from: looked for backwards, in the memory operands on the way. */
async function sourceOf(timeline: Timeline, byte: number): Promise<number | undefined> {
  for (let step = 0; step < reachSteps; step++) {
    const address = operandRead(timeline);
    if (address !== undefined && timeline.machine.peekLinear(address, 1)[0] === byte) return address;
    await timeline.reverseStep();
  }
  return undefined;
}

/** The address that the next instruction reads a byte or more of data from, if it is a MOV or a string instruction. */
function operandRead(timeline: Timeline): number | undefined {
  const text = instructionHere(timeline);
  const { registers } = timeline.machine;
  if (/^(?:rep )?(?:movs|lods)/.test(text)) return registers.get('esi');
  const [, base, index, scale, sign, distance] =
    /^mov\w* \w+, (?:\w+ ptr )?\[(e\w\w)(?:\+(e\w\w)(?:\*(\d))?)?(?:([+-])(0x[\dA-F]+|\d+))?\]$/.exec(text) ?? [];
  if (base === undefined) return undefined;
  const value = (name: string | undefined): number => (name === undefined ? 0 : registers.get(name as 'eax'));
  const offset = Number(distance ?? 0) * (sign === '-' ? -1 : 1);
  return (value(base) + value(index) * Number(scale ?? 1) + offset) >>> 0;
}

const ipOf = ({ machine: { registers } }: Timeline): number => (registers.segmentBase('cs') + registers.get('eip')) >>> 0;
const hex = (value: number): string => value.toString(16).padStart(8, '0');
const latin1 = ({ machine }: Timeline, address: number, bytes: number): string =>
  Buffer.from(machine.peekLinear(address, bytes)).toString('latin1');

function instructionHere(timeline: Timeline): string {
  const address = ipOf(timeline);
  const bytes = timeline.machine.peekLinear(address, longestInstruction);
  return disassemble(bytes, { bits: 32, address, count: 1 })[0]?.text ?? '(bad)';
}

async function recordBoot(to: string): Promise<void> {
  const images = { kernel: readFileSync(imagePaths.kernel), initrd: readFileSync(imagePaths.initrd) };
  await record({ config: { boot: { kind: 'linux', ...images, commandLine } }, to, imagePaths });
}

async function main(given: string | undefined): Promise<void> {
  const print = (text: string): void => void process.stdout.write(`${text}\n`);
  const path = given ?? fromHere('build/walk.trace');
  if (given === undefined && !existsSync(fromHere('build/SHA256SUMS'))) {
    print('skipped: the Linux guest is not there (run examples/linux/fetch.sh)');
    return;
  }
  if (!existsSync(path)) {
    print('recording a boot: some ten seconds');
    await recordBoot(path);
  }
  const trace = openTraceFile(path);
  const timeline = openTimeline(trace, { checkpointsPath: checkpointsBeside(path) });
  const queries = new Queries(timeline, { path });
  try {
    for (const { tick, ip, text, what } of await walkBack(timeline, queries)) {
      print(`tick ${String(tick).padStart(10)}  ${hex(ip)}  ${text.padEnd(30)}  ${what}`);
    }
    timeline.keepCheckpoints();
    print(`Walk yourself: npx replay86 debug ${relative(process.cwd(), path)}`);
  } finally {
    await queries.close();
    timeline.close();
    trace.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv[2]);
