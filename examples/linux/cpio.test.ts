import { describe, expect, it } from 'vitest';
import { writeCpio } from './cpio.js';

/** The fields of a header, after the magic: ino, mode, uid, gid, nlink, mtime, filesize, dev and rdev, namesize, check. */
function header(inode: string, mode: string, linkCount: number, sizeBytes: string, device: string, nameBytes: string): string {
  const zero = '00000000';
  return `070701${inode}${mode}${zero}${zero}0000000${linkCount}${zero}${sizeBytes}${zero}${zero}${device}${nameBytes}${zero}`;
}

describe('writeCpio', () => {
  it('writes exactly this archive, whatever the order of the entries', () => {
    const archive = writeCpio([
      { kind: 'symlink', path: 'bin/ls', target: 'busybox' },
      { kind: 'characterDevice', path: 'dev/ttyS0', permissions: 0o600, major: 4, minor: 64 },
      { kind: 'file', path: 'bin/a', permissions: 0o755, content: Uint8Array.of(0x31, 0x32, 0x33, 0x34, 0x35) },
      { kind: 'directory', path: 'bin', permissions: 0o755 },
    ]);
    const none = '0000000000000000';
    expect(new TextDecoder('latin1').decode(archive)).toBe(
      [
        `${header('00000001', '000041ed', 2, '00000000', none, '00000004')}bin\0\0\0`,
        `${header('00000002', '000081ed', 1, '00000005', none, '00000006')}bin/a\0${'12345\0\0\0'}`,
        `${header('00000003', '0000a1ff', 1, '00000007', none, '00000007')}bin/ls\0\0\0\0busybox\0`,
        `${header('00000004', '00002180', 1, '00000000', '0000000400000040', '0000000a')}dev/ttyS0\0`,
        `${header('00000000', '00000000', 1, '00000000', none, '0000000b')}TRAILER!!!\0\0\0\0`,
      ].join(''),
    );
  });

  it('refuses a path that is absolute, empty or there twice', () => {
    const directory = (path: string) => ({ kind: 'directory', path, permissions: 0o755 }) as const;
    expect(() => writeCpio([directory('/bin')])).toThrow("cpio: '/bin' is not a relative path");
    expect(() => writeCpio([directory('')])).toThrow("cpio: '' is not a relative path");
    expect(() => writeCpio([directory('b'), directory('a'), directory('b')])).toThrow("cpio: 'b' is there twice");
  });
});
