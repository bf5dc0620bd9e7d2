/**
 * What is on the board besides: the debug console at port E9h, VGA text memory and its cursor, ports and addresses that
 * nobody claims (all ones), the functions on the PCI bus counted, and in the end the power switched off as ACPI does it.
 */
import { al, ax, dword, dx, eax, ebx, ecx, edi, edx, esi, word } from '../../../properties/index.js';
import { type CorpusGuest, multiboot } from '../guest.js';
import { exit, exitFailure, must, protectedGuest, say, sayValue, write8 } from '../kit.js';

const debugConsole = 0xe9;
const screen = 0xb8000;
const columns = 80;
const rows = 25;
/** Device 1, function 3: the power management function of the PIIX4, and its base register. */
const powerBase = 0x80000b40;
const powerEnable = 0x80000b80;
const controlOffset = 4;
const sleepEnable = 0x2000;

const image = () =>
  protectedGuest({}, (a) => {
    a.mov(esi, 'hello');
    a.label('debug');
    a.lodsb();
    a.test(al, al);
    a.jz('debug.end');
    a.out(debugConsole, al);
    a.jmp('debug');
    a.label('debug.end');
    a.in(al, debugConsole);
    a.cmp(al, debugConsole);
    must(a, 'e', 'the debug console is there');

    // A hundred lines roll over the screen.
    a.mov(ebx, 0);
    a.label('line');
    a.mov(esi, screen + columns * 2);
    a.mov(edi, screen);
    a.mov(ecx, (columns * (rows - 1)) / 2);
    a.rep().movsd();
    a.mov(ecx, columns);
    a.mov(eax, ebx);
    a.add(eax, 0x0700 + 0x41);
    a.label('cell');
    a.stosw();
    a.loop('cell');
    a.inc(ebx);
    a.cmp(ebx, 100);
    a.jb('line');
    a.movzx(eax, word(screen));
    sayValue(a, 'top left ');
    write8(a, 0x3d4, 0x0e);
    write8(a, 0x3d5, 0x07);
    write8(a, 0x3d4, 0x0f);
    write8(a, 0x3d5, 0x80);
    a.in(al, dx);
    a.movzx(eax, al);
    sayValue(a, 'cursor ');

    // Nobody is there.
    a.mov(dx, 0x5150);
    a.in(eax, dx);
    sayValue(a, 'port ');
    a.mov(eax, dword(0xe1000000));
    sayValue(a, 'address ');

    // Functions of bus 0 that have a vendor.
    a.xor(ebx, ebx);
    a.xor(ecx, ecx);
    a.label('function');
    a.mov(eax, ecx);
    a.shl(eax, 8);
    a.or(eax, 0x80000000);
    a.call('configuration.read');
    a.cmp(ax, 0xffff);
    a.je('absent');
    a.inc(ebx);
    a.label('absent');
    a.inc(ecx);
    a.cmp(ecx, 256);
    a.jb('function');
    a.cmp(ebx, 4);
    must(a, 'ae', 'host bridge, ISA bridge, IDE and power management');

    // A firmware may have given the power management its ports already.
    a.mov(eax, powerBase);
    a.call('configuration.read');
    a.and(eax, 0xffc0);
    a.jnz('based');
    a.mov(eax, powerBase);
    a.mov(dx, 0xcf8);
    a.out(dx, eax);
    a.mov(dx, 0xcfc);
    a.mov(eax, 0xb001);
    a.out(dx, eax);
    a.mov(eax, powerEnable);
    a.mov(dx, 0xcf8);
    a.out(dx, eax);
    a.mov(dx, 0xcfc);
    a.mov(al, 1);
    a.out(dx, al);
    a.mov(eax, 0xb000);
    a.label('based');
    a.mov(ebx, eax);
    say(a, 'off\n');
    a.lea(edx, dword(ebx, controlOffset));
    a.mov(ax, sleepEnable);
    a.out(dx, ax);
    a.mov(ecx, 1000);
    a.label('still.on');
    a.loop('still.on');
    say(a, 'still on\n');
    exit(a, exitFailure);

    a.label('configuration.read');
    a.mov(dx, 0xcf8);
    a.out(dx, eax);
    a.mov(dx, 0xcfc);
    a.in(eax, dx);
    a.ret();

    a.label('hello');
    a.asciz('hello, debugger\n');
  });

export const board: CorpusGuest = {
  name: 'board',
  title: 'debug console, VGA text, unclaimed ports and addresses, PCI, ACPI power-off',
  config: () => ({ boot: multiboot(image()) }),
  end: { kind: 'powerOff' },
  serial: 'top left 0000078c\ncursor 00000080\nport ffffffff\naddress ffffffff\noff\n',
};
