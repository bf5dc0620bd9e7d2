/**
 * Debugging facilities (Intel SDM volume 3, chapter 18): single steps, an execution breakpoint that RF passes, watchpoints
 * on writes and on reads, INT3, INT1, BS in DR6, and breakpoints inside a REP instruction.
 */
import { byte, dr0, dr1, dr6, dr7, dword, eax, ebx, ecx, edi, esi, esp } from '../../../properties/index.js';
import { type CorpusGuest, multiboot, passed } from '../guest.js';
import { exit, exitSuccess, must, protectedGuest, say, sayValue, setGate, trapGate } from '../kit.js';

const trapFlag = 0x100;
const resumeFlag = 0x10000;

const image = () =>
  protectedGuest({}, (a) => {
    setGate(a, 1, 'debug');
    setGate(a, 3, 'breakpoint', trapGate);

    // Single steps through a loop: 1 + 2 * 5000 instructions and the POPFD that ends them.
    a.pushfd();
    a.pop(ebx);
    a.mov(eax, ebx);
    a.or(eax, trapFlag);
    a.push(eax);
    a.popfd();
    a.mov(ecx, 5000);
    a.label('stepped');
    a.dec(ecx);
    a.jnz('stepped');
    a.push(ebx);
    a.popfd();
    a.mov(eax, dword('traps'));
    sayValue(a, 'steps ');
    a.mov(eax, dword('causes'));
    sayValue(a, 'causes ');

    // An execution breakpoint is a fault: without RF the handler would return to it for ever.
    a.call('forget');
    a.mov(eax, 'broken');
    a.mov(dr0, eax);
    a.mov(eax, 0x402);
    a.mov(dr7, eax);
    a.mov(ecx, 500);
    a.label('broken');
    a.dec(ecx);
    a.jnz('broken');
    a.call('off');
    a.mov(eax, dword('traps'));
    sayValue(a, 'executed ');
    a.mov(eax, dword('causes'));
    sayValue(a, 'causes ');

    // A watchpoint of four bytes for writes, one of a byte for reads and writes.
    a.call('forget');
    a.mov(eax, 'watched');
    a.mov(dr0, eax);
    a.inc(eax);
    a.mov(dr1, eax);
    a.mov(eax, 0x3d040a);
    a.mov(dr7, eax);
    a.mov(ecx, 300);
    a.label('watching');
    a.mov(eax, dword('watched'));
    a.inc(byte('watched'));
    a.mov(dword('unwatched'), eax);
    a.loop('watching');
    a.call('off');
    a.mov(eax, dword('traps'));
    sayValue(a, 'watched ');
    a.mov(eax, dword('causes'));
    sayValue(a, 'causes ');

    // REP MOVSB over a watched byte: the trap comes after its iteration, and the rest is copied all the same.
    a.call('forget');
    a.mov(eax, 'copied.middle');
    a.mov(dr0, eax);
    a.mov(eax, 0x10402);
    a.mov(dr7, eax);
    a.mov(esi, 'say');
    a.mov(edi, 'copied');
    a.mov(ecx, 64);
    a.rep().movsb();
    a.call('off');
    a.mov(eax, dword('count'));
    sayValue(a, 'left ');
    a.mov(esi, 'say');
    a.mov(edi, 'copied');
    a.mov(ecx, 64);
    a.repe().cmpsb();
    must(a, 'e', 'the copy is complete');

    a.call('forget');
    a.int3();
    a.int1();
    a.cmp(dword('breakpoints'), 1);
    must(a, 'e', 'INT3 came');
    a.cmp(dword('traps'), 1);
    must(a, 'e', 'INT1 came');
    say(a, 'done\n');
    exit(a, exitSuccess);

    a.label('forget');
    a.mov(dword('traps'), 0);
    a.mov(dword('causes'), 0);
    a.ret();
    a.label('off');
    a.push(eax);
    a.xor(eax, eax);
    a.mov(dr7, eax);
    a.pop(eax);
    a.ret();

    a.label('debug');
    a.push(eax);
    a.inc(dword('traps'));
    a.mov(dword('count'), ecx);
    a.mov(eax, dr6);
    a.and(eax, 0xe00f);
    a.or(dword('causes'), eax);
    a.xor(eax, eax);
    a.mov(dr6, eax);
    a.or(dword(esp, 12), resumeFlag);
    a.pop(eax);
    a.iret();

    a.label('breakpoint');
    a.inc(dword('breakpoints'));
    a.iret();

    a.align(4, 0);
    for (const name of ['traps', 'causes', 'count', 'breakpoints', 'watched', 'unwatched']) {
      a.label(name);
      a.dd(0);
    }
    a.label('copied');
    a.reserve(32);
    a.label('copied.middle');
    a.reserve(32);
  });

export const debug: CorpusGuest = {
  name: 'debug',
  title: 'single steps, breakpoints, watchpoints, INT3 and INT1',
  config: () => ({ boot: multiboot(image()) }),
  end: passed,
  serial: [
    'steps 00002713',
    'causes 00004000',
    'executed 000001f4',
    'causes 00000001',
    'watched 00000258',
    'causes 00000003',
    'left 0000001f',
    'done',
    '',
  ].join('\n'),
};
