/**
 * A CD-ROM on the second channel (ATA/ATAPI-6, PACKET; MMC-3): INQUIRY, the unit attention after reset and REQUEST SENSE,
 * the capacity, blocks by PIO in pieces of the byte count limit.
 */
import { type Assembler, ah, al, ax, byte, dword, dx, eax, ebx, ecx, edi, edx, esi, offset, word } from '../../../properties/index.js';
import { blockImage, type CorpusGuest, multiboot, passed, patternBytes } from '../guest.js';
import {
  endInterrupt,
  exit,
  exitSuccess,
  freeAddress,
  in8,
  must,
  protectedGuest,
  say,
  sayValue,
  setGate,
  setUpPics,
  slaveVector,
  write8,
} from '../kit.js';

const blockBytes = 2048;
const blocks = 120;
const command = 0x170;
const control = 0x376;
const buffer = freeAddress;
const packetCommand = 0xa0;

/** Sends the 12 bytes at 'packet' and takes whatever the drive answers to the buffer. */
function send(a: Assembler, bytes: readonly number[]): void {
  bytes.forEach((value, index) => {
    a.mov(byte(offset('packet', index)), value);
  });
  for (let index = bytes.length; index < 12; index++) a.mov(byte(offset('packet', index)), 0);
  a.call('packet.send');
}

const image = () =>
  protectedGuest({}, (a) => {
    setGate(a, slaveVector + 7, 'cdrom');
    setUpPics(a, 0xff & ~4, 0xff & ~0x80);
    write8(a, control, 0);
    a.sti();

    // The signature of a packet device, as soon as its self test is over.
    write8(a, command + 6, 0xa0);
    a.label('self.test');
    in8(a, command + 7);
    a.test(al, 0x80);
    a.jnz('self.test');
    in8(a, command + 4);
    a.mov(byte('signature'), al);
    in8(a, command + 5);
    a.mov(byte(offset('signature', 1)), al);
    a.movzx(eax, word('signature'));
    sayValue(a, 'signature ');

    // Whatever attention the drive wants after a reset is over once its sense data were asked for.
    a.mov(ecx, 4);
    a.label('attention');
    a.push(ecx);
    send(a, [0x00]);
    send(a, [0x03, 0, 0, 0, 18]);
    a.pop(ecx);
    a.dec(ecx);
    a.jnz('attention');
    a.movzx(eax, byte(buffer + 2));
    sayValue(a, 'sense key ');

    send(a, [0x25]);
    a.mov(eax, dword(buffer));
    a.bswap(eax);
    sayValue(a, 'last block ');
    a.mov(eax, dword(buffer + 4));
    a.bswap(eax);
    sayValue(a, 'block bytes ');

    // READ (10) of 12 blocks, eight times, each with a checksum into the next.
    a.xor(ebx, ebx);
    a.label('read');
    send(a, [0x28, 0, 0, 0, 0, 0, 0, 0, 12]);
    a.add(dword('block'), 12);
    a.mov(ecx, dword('received'));
    a.cmp(ecx, 12 * blockBytes);
    must(a, 'e', 'the drive sends twelve blocks');
    a.mov(esi, buffer);
    a.shr(ecx, 2);
    a.label('sum');
    a.lodsd();
    a.rol(ebx, 1);
    a.add(ebx, eax);
    a.loop('sum');
    a.cmp(dword('block'), 96);
    a.jb('read');
    a.mov(eax, ebx);
    sayValue(a, 'checksum ');

    // Behind the end: illegal request, logical block address out of range.
    send(a, [0x28, 0, 0, 0, 1, 0, 0, 0, 1]);
    a.test(byte('status'), 1);
    must(a, 'ne', 'a block behind the end is an error');
    send(a, [0x03, 0, 0, 0, 18]);
    a.movzx(eax, byte(buffer + 2));
    sayValue(a, 'sense key ');
    a.movzx(eax, byte(buffer + 12));
    sayValue(a, 'sense code ');
    say(a, 'done\n');
    exit(a, exitSuccess);

    a.label('packet.send');
    a.pushad();
    a.mov(al, byte('block'));
    a.cmp(byte('packet'), 0x28);
    a.jne('packet.start');
    a.cmp(byte(offset('packet', 4)), 1);
    a.je('packet.start');
    a.mov(byte(offset('packet', 5)), al);
    a.label('packet.start');
    a.mov(dword('received'), 0);
    write8(a, command + 6, 0xa0);
    write8(a, command + 1, 0);
    // At most 4096 bytes at once.
    write8(a, command + 4, 0x00);
    write8(a, command + 5, 0x10);
    write8(a, command + 7, packetCommand);
    a.label('packet.ready');
    in8(a, control);
    a.and(al, 0x88);
    a.cmp(al, 0x08);
    a.jne('packet.ready');
    a.mov(dword('interrupts'), 0);
    a.mov(esi, 'packet');
    a.mov(dx, command);
    a.mov(ecx, 6);
    a.rep().outsw();
    a.mov(edi, buffer);
    a.label('packet.wait');
    a.cli();
    a.cmp(dword('interrupts'), 0);
    a.jne('packet.came');
    a.sti();
    a.hlt();
    a.jmp('packet.wait');
    a.label('packet.came');
    a.mov(dword('interrupts'), 0);
    a.sti();
    // Without DRQ that was the end.
    a.test(byte('status'), 0x08);
    a.jz('packet.end');
    in8(a, command + 5);
    a.mov(ah, al);
    in8(a, command + 4);
    a.movzx(ecx, ax);
    a.add(dword('received'), ecx);
    a.shr(ecx, 1);
    a.mov(dx, command);
    a.rep().insw();
    a.jmp('packet.wait');
    a.label('packet.end');
    a.popad();
    a.ret();

    a.label('cdrom');
    a.push(eax);
    a.push(edx);
    in8(a, command + 7);
    a.mov(byte('status'), al);
    a.inc(dword('interrupts'));
    endInterrupt(a, 15);
    a.pop(edx);
    a.pop(eax);
    a.iret();

    a.align(4, 0);
    for (const name of ['interrupts', 'status', 'received', 'block', 'signature']) {
      a.label(name);
      a.dd(0);
    }
    a.label('packet');
    a.reserve(12);
  });

/** Blocks that differ in their first bytes only, so that the trace, which contains them, stays small. */
function contents(): Uint8Array {
  const bytes = new Uint8Array(blocks * blockBytes);
  const pattern = patternBytes(blockBytes, 2);
  for (let block = 0; block < blocks; block++) {
    bytes.set(pattern, block * blockBytes);
    bytes.set([block, 255 - block], block * blockBytes);
  }
  return bytes;
}

export const cdrom: CorpusGuest = {
  name: 'cdrom',
  title: 'ATAPI: packets, sense data, capacity, blocks by PIO',
  config: () => ({ boot: multiboot(image()), cdrom: blockImage(contents()) }),
  end: passed,
  serial: [
    'signature 0000eb14',
    'sense key 00000000',
    'last block 00000077',
    'block bytes 00000800',
    'checksum d5be44de',
    'sense key 00000005',
    'sense code 00000021',
    'done',
    '',
  ].join('\n'),
};
