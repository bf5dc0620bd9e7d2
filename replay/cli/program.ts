/**
 * The command line: commands, options, help. What a command does is loaded when it is used.
 */
import { Argument, Command, CommanderError, Option } from 'commander';
import { STATUS } from '../exit-status.js';
import { ENGINE_VERSION } from '../version.js';
import { QUESTIONS } from './questions.js';
import { oneLine } from './text.js';
import {
  parseCodeBits,
  parseMemory,
  parseNumber,
  parsePort,
  parsePositive,
  parseRegularExpression,
  parseSeed,
  parseTick,
  parseTier,
  parseTiers,
} from './values.js';

const TIER_DESCRIPTION = 'execution tier: auto, interpreter or step; never changes the result';

/** Runs the command line. Says on stderr what went wrong. @returns the exit status. */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  try {
    return await runProgram(args);
  } catch (error) {
    return (await import('./failure.js')).reportFailure(error);
  }
}

async function runProgram(args: readonly string[]): Promise<number> {
  let status = 0;
  const program = createProgram((result) => {
    status = result;
  });
  if (args.length === 0) {
    process.stderr.write('replay86: a command is needed: see replay86 --help\n');
    return STATUS.usage;
  }
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : STATUS.usage;
  }
  return status;
}

type Finish = (status: number) => void;

function createProgram(finish: Finish): Command {
  const program = new Command('replay86');
  program
    .description('A deterministic x86 PC that records a run and replays it exactly.')
    .version(ENGINE_VERSION)
    .addHelpText('after', PROGRAM_HELP)
    .helpCommand(true);
  const commands = [
    runCommand(finish),
    recordCommand(finish),
    replayCommand(finish),
    inspectCommand(finish),
    verifyCommand(finish),
    packCommand(finish),
    fuzzCommand(finish),
    policyCommand(finish),
    debugCommand(finish),
    queryCommand(finish),
    diffCommand(finish),
  ];
  for (const command of commands) program.addCommand(command);
  for (const command of [program, ...commands]) {
    command.exitOverride().configureOutput({
      outputError: (text, write) => {
        const where = command === program ? 'replay86' : `replay86 ${command.name()}`;
        write(`replay86: ${oneLine(text.replace(/^error: /, ''))}: see ${where} --help\n`);
      },
    });
  }
  return program;
}

/** Options of the machine and its run, which `run` and `record` share. */
function machineOptions(command: Command): Command {
  return command
    .option('--kernel <file>', 'bzImage, vmlinux or multiboot kernel')
    .option('--initrd <file>', 'initial RAM disk, or the module of a multiboot kernel')
    .option('--append <text>', 'command line of the kernel')
    .option('--bios <file>', 'raw ROM, started at the reset vector, instead of a kernel')
    .option('--disk <file>', 'hard disk image; never modified')
    .option('--cdrom <file>', 'CD image')
    .option('--memory <size>', 'memory, such as 64M or 1G (default: 64M)', parseMemory)
    .option('--seed <number>', 'seed of what the machine may choose freely (default: 0)', parseSeed)
    .option('--ns-per-tick <number>', 'virtual nanoseconds for each instruction (default: 2)', parsePositive)
    .option('--input <file>', 'input script: JSON lines, at a tick or after text on the serial port')
    .option('--serial <target>', "where the guest's serial output goes: stdio or a file", 'stdio')
    .option('--max-ticks <number>', 'stop after so many ticks', parseTick)
    .option('--realtime', 'hold the guest back to the pace of real time')
    .addOption(new Option('--tier <tier>', TIER_DESCRIPTION).default('auto').argParser(parseTier))
    .option('--log-unclaimed', 'say which ports and addresses the guest uses in vain')
    .option('--json <file>', 'write how the run ended as JSON');
}

function runCommand(finish: Finish): Command {
  return machineOptions(new Command('run'))
    .description('Run a guest.')
    .action(async (options) => finish(await (await import('./commands/run.js')).run(options)))
    .addHelpText('after', RUN_HELP);
}

function recordCommand(finish: Finish): Command {
  return machineOptions(new Command('record').requiredOption('-o, --output <trace>', 'the trace to write'))
    .description('Run a guest and record the run.')
    .action(async (options) => finish(await (await import('./commands/record.js')).record(options)))
    .addHelpText('after', RECORD_HELP);
}

function replayCommand(finish: Finish): Command {
  return new Command('replay')
    .description('Run a trace again, and check that everything happens as it was recorded.')
    .argument('<trace>')
    .option('--to <tick>', 'stop at this tick', parseTick)
    .addOption(new Option('--tier <tier>', TIER_DESCRIPTION).default('auto').argParser(parseTier))
    .option('--images <folder>', 'where to look first for the images that the trace names')
    .option('--json <file>', 'write how the replay ended as JSON')
    .action(async (trace, options) => finish((await import('./commands/replay.js')).replay(trace, options)))
    .addHelpText('after', REPLAY_HELP);
}

function inspectCommand(finish: Finish): Command {
  return new Command('inspect')
    .description('Show what is in a trace.')
    .argument('<trace>')
    .option('--events', 'all inputs, interrupts and digests')
    .option('--json', 'as JSON')
    .action(async (trace, options) => finish((await import('./commands/inspect.js')).inspect(trace, options)))
    .addHelpText('after', INSPECT_HELP);
}

function verifyCommand(finish: Finish): Command {
  return new Command('verify')
    .description('Replay many traces quietly, several at a time.')
    .argument('<trace-or-folder...>', 'traces; of a folder, all *.trace in it and below')
    .addOption(
      new Option('--tier <tiers>', 'tiers to replay in, separated by commas, or all').default(['auto'], 'auto').argParser(parseTiers),
    )
    .option('--images <folder>', 'where to look first for the images that the traces name')
    .option('--workers <number>', 'threads (default: one for each processor)', parsePositive)
    .option('--json <file>', 'write the verdicts as JSON')
    .option('--junit <file>', 'write the verdicts as JUnit XML')
    .action(async (paths, options) => finish(await (await import('./commands/verify.js')).verify(paths, options)))
    .addHelpText('after', VERIFY_HELP);
}

function packCommand(finish: Finish): Command {
  return new Command('pack')
    .description('Put the images that a trace names into it.')
    .argument('<trace>')
    .option('-o, --output <trace>', 'the trace to write (default: the same file)')
    .option('--images <folder>', 'where to look first for the images')
    .action(async (trace, options) => finish((await import('./commands/pack.js')).pack(trace, options)))
    .addHelpText('after', PACK_HELP);
}

function debugCommand(finish: Finish): Command {
  return new Command('debug')
    .description('Walk through a trace, forwards and backwards: at a prompt, or with gdb.')
    .argument('<trace>')
    .option('--prompt', 'a debugger that needs no gdb; what happens at a terminal; from a pipe, commands, one on a line')
    .option('--command <commands>', 'execute these commands of the prompt, separated by semicolons: "continue; regs"')
    .option('--gdb', 'start gdb, connected')
    .option('--port <number>', 'wait for gdb on this port of the loopback interface (default: 1234)', parsePort)
    .option('--stdio', 'talk to gdb on stdin and stdout: target remote | replay86 debug --stdio run.trace')
    .option('--fork', 'changes of registers and memory lead away from the recording, instead of being refused')
    .option('--symbols <file>', 'ELF file with symbols of the guest')
    .option('--images <folder>', 'where to look first for the images that the trace names')
    .addOption(new Option('--checkpoint-memory <size>', 'memory for checkpoints').default(512 * 2 ** 20, '512M').argParser(parseMemory))
    .action(async (trace, options) => finish(await (await import('./debug.js')).debug(trace, options)))
    .addHelpText('after', DEBUG_HELP);
}

function queryCommand(finish: Finish): Command {
  return new Command('query')
    .description('Ask who wrote or read memory, what was executed or called, and what came in, over all of a trace.')
    .argument('<trace>')
    .addArgument(new Argument('<question>', 'what to ask').choices(QUESTIONS))
    .argument('[address]', 'number, symbol, or symbol+number')
    .argument('[bytes]', 'length of the memory asked about (default: 1)', parsePositive)
    .option('--physical', 'the address is a physical one')
    .option('--at <tick>', 'the moment whose page tables and console are meant (default: the end)', parseTick)
    .option('--from <tick>', 'only what happens from here on', parseTick)
    .option('--to <tick>', 'only what happens before', parseTick)
    .option('--limit <number>', 'most answers to give (default: 10,000)', parsePositive)
    .option('--last', 'the last answers, not the first, where there are more')
    .option('--symbols <file>', 'ELF file with symbols of the guest')
    .option('--images <folder>', 'where to look first for the images that the trace names')
    .option('--workers <number>', 'threads that help (default: one for each processor but one)', parseNumber)
    .addOption(new Option('--checkpoint-memory <size>', 'memory for checkpoints').default(512 * 2 ** 20, '512M').argParser(parseMemory))
    .option('--json', 'the answers as JSON')
    .action(async (trace, question, address, bytes, options) =>
      finish(await (await import('./query.js')).query(trace, question, address, bytes, options)),
    )
    .addHelpText('after', QUERY_HELP);
}

function diffCommand(finish: Finish): Command {
  return new Command('diff')
    .description('Find the first instruction that two tiers or two builds execute differently, or where a replay differs from its trace.')
    .argument('<trace>')
    .addOption(new Option('--tier <tiers>', 'two tiers of this engine, such as auto,step').argParser(parseTiers))
    .option('--engine <path>', 'another build of replay86: its folder, or its dist/engine/index.js')
    .option('--images <folder>', 'where to look first for the images that the trace names')
    .option('--out <folder>', 'write the difference, and a test for vitest with the one instruction')
    .option('--json', 'the difference as JSON')
    .action(async (trace, options) => finish(await (await import('./diff.js')).diff(trace, options)))
    .addHelpText('after', DIFF_HELP);
}

function fuzzCommand(finish: Finish): Command {
  return new Command('fuzz')
    .description('Compare what instructions do with a reference model, with the host CPU, or between tiers.')
    .addOption(new Option('--mode <bits>', 'width of the code: 16, 32 or 64 (default: all)').argParser(parseCodeBits))
    .option('--match <regex>', 'only encodings whose name matches, such as "^ADD r32" or "0F AF"', parseRegularExpression)
    .addOption(
      new Option('--oracle <oracle>', 'what the engine is compared with: the model, the host CPU (native), its other tier (tiers)')
        .choices(['model', 'native', 'tiers'])
        .default('model'),
    )
    .option('--sequences', 'twenty to fifty instructions a case instead of one')
    .option('--system', 'system code: all rings, virtual-8086 and real mode, interrupts, tasks, paging')
    .option('--cases <number>', 'stop after so many cases (default: 1,000,000)', parsePositive)
    .option('--minutes <number>', 'stop after so many minutes', parsePositive)
    .option('--seed <number>', 'the same seed gives the same cases (default: a new one, which is shown)', parseSeed)
    .option('--workers <number>', 'threads (default: one for each processor)', parsePositive)
    .option('--out <folder>', 'where a full report goes, and a test and a trace for each failure')
    .option('--json', 'the report as JSON')
    .action(async (options) => finish(await (await import('./fuzz.js')).fuzzCommand(options)))
    .addHelpText('after', FUZZ_HELP);
}

function policyCommand(finish: Finish): Command {
  return new Command('policy')
    .description('Show what the manuals leave open and what this machine does.')
    .option('--match <regex>', 'only rows whose name or instructions match, such as "shift" or "BSF"', parseRegularExpression)
    .option('--json', 'as JSON')
    .action(async (options) => finish((await import('./policy.js')).policyCommand(options)))
    .addHelpText('after', POLICY_HELP);
}

const STATUS_HELP = `
Exit status: 0 the guest powered off or halted for good; (value << 1) | 1 it wrote value to port 0xf4;
2 usage; 4 replay diverged; 6 unreadable trace or image; 8 triple fault; 10 limit reached.`;

const PROGRAM_HELP = `
Examples:
  replay86 record -o boot.trace --kernel vmlinuz --initrd initramfs.cpio --append console=ttyS0
  replay86 replay boot.trace
${STATUS_HELP}`;

const RUN_HELP = `
Examples:
  replay86 run --kernel vmlinuz --initrd initramfs.cpio --append console=ttyS0
  replay86 run --bios bios.bin --cdrom install.iso --memory 256M
  replay86 run --kernel guest.elf --max-ticks 1000000 --serial out.txt --json end.json

The guest's serial output goes to stdout, everything else to stderr. At a terminal, keys go to the guest's serial port;
Ctrl-A x quits, Ctrl-A h shows more.
${STATUS_HELP}`;

const RECORD_HELP = `
Examples:
  replay86 record -o boot.trace --kernel vmlinuz --initrd initramfs.cpio --append console=ttyS0
  replay86 record -o login.trace --kernel vmlinuz --initrd initramfs.cpio --input login.jsonl

A line of an input script says when and what:
  {"at": 1000000, "serial": "hello\\n"}
  {"after": "login: ", "serial": "root\\n"}
  {"after": {"pattern": "[$#] $", "regex": true}, "keys": "ls{Enter}"}
  {"after": "bye", "power": "button"}

The recording ends with the guest, at --max-ticks, or on SIGINT or SIGTERM.
${STATUS_HELP}`;

const REPLAY_HELP = `
Examples:
  replay86 replay boot.trace
  replay86 replay boot.trace --to 1000000 --tier step
  replay86 replay boot.trace --images ~/images

The exit status is that of the recorded guest, or 4 at the first difference.
${STATUS_HELP}`;

const INSPECT_HELP = `
Examples:
  replay86 inspect boot.trace
  replay86 inspect boot.trace --events | grep input
  replay86 inspect boot.trace --json | jq .end`;

const VERIFY_HELP = `
Examples:
  replay86 verify traces/corpus
  replay86 verify traces/corpus --tier all --junit report.xml

Exit status: 0 all agree; 2 usage; 4 one diverged; 6 one is unreadable.`;

const DIFF_HELP = `
Examples:
  replay86 diff boot.trace                     this engine against what was recorded
  replay86 diff boot.trace --tier auto,step
  replay86 diff boot.trace --engine ../older-replay86 --out found

Both run side by side, their whole states compared now and then; then tick by tick. What is found has been seen with fresh machines. The
instruction is tried on the reference model as well; --out writes it as a test for vitest, see replay86 fuzz.

Exit status: 0 no difference; 2 usage; 4 a difference; 6 unreadable trace or image; 130 interrupted.`;

const FUZZ_HELP = `
Examples:
  replay86 fuzz --minutes 10 --out findings
  replay86 fuzz --mode 32 --match '^(SHL|SHR|SAR) ' --oracle native
  replay86 fuzz --system --seed 7 --cases 100000

Ctrl-C ends the campaign; its report covers what was run. A failure is shown as assembly with what differs and is written
to --out as a test for vitest and, for user code of 16 and 32 bits, as a trace that replay86 replay opens.

Exit status: 0 no differences; 1 differences; 2 usage, or the host CPU cannot be asked here.`;

const DEBUG_HELP = `
Examples:
  replay86 debug boot.trace                    at a terminal: the prompt; help shows its commands
  replay86 debug boot.trace --command 'goto 50%; stop on exception; rcontinue; regs; disas'
  replay86 debug --gdb boot.trace --symbols vmlinux
  replay86 debug --port 1234 boot.trace        then in gdb: target remote :1234

In gdb: reverse-stepi, reverse-continue and watchpoints of any length work as they do forwards; monitor help shows more.
$pc is a linear address in every mode (CS base + EIP), $ip the offset alone; the stack is at $ss_base + $esp. When the guest
changes between 16- and 32-bit code, "unset tdesc filename" makes gdb follow (with --gdb it does so by itself).

Exit status: 0 after kill, detach (--stdio), SIGINT or SIGTERM, or that of gdb; 2 usage; 6 unreadable trace or image. With
commands: 0 all were executed; 2 one was wrong, and none behind it were executed; 4 replay diverged; 130 interrupted.`;

const QUERY_HELP = `
Examples:
  replay86 query boot.trace last-write jiffies 4 --symbols vmlinux
  replay86 query boot.trace writes 0x1f0a40 8 --physical --from 1000000 --json
  replay86 query boot.trace calls do_exit --symbols vmlinux
  replay86 query boot.trace console --at 5000000

Each answer names the tick before which the machine stood as it happened: goto TICK in replay86 debug shows it. Exit status:
0 answered, be it with nothing; 2 usage; 4 replay diverged; 6 unreadable trace or image; 130 interrupted.`;

const POLICY_HELP = `
Examples:
  replay86 policy --match '^shift'
  replay86 policy --json | jq '.[] | select(.excuses.wholeCase) | .id'`;

const PACK_HELP = `
Examples:
  replay86 pack boot.trace
  replay86 pack boot.trace -o packed.trace --images ~/images`;
