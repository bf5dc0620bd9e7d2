/**
 * Writer of the "newc" cpio format that Linux unpacks as its first file system (Linux,
 * Documentation/driver-api/early-userspace/buffer-format.rst). The same entries give the same bytes on every machine:
 * names are sorted, inode numbers count from 1, owner and times are zero.
 */
export type CpioEntry =
  | { readonly kind: 'directory'; readonly path: string; readonly permissions: number }
  | { readonly kind: 'file'; readonly path: string; readonly permissions: number; readonly content: Uint8Array }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string }
  | {
      readonly kind: 'characterDevice';
      readonly path: string;
      readonly permissions: number;
      readonly major: number;
      readonly minor: number;
    };

/** File type bits of st_mode. */
const TYPE_BITS = { directory: 0o040000, file: 0o100000, symlink: 0o120000, characterDevice: 0o020000 } as const;

const text = new TextEncoder();

/** Header and name are padded to four bytes together, the content by itself. */
function record(
  inode: number,
  mode: number,
  path: string,
  content: Uint8Array,
  linkCount: number,
  major: number,
  minor: number,
): Uint8Array {
  const name = text.encode(`${path}\0`);
  // In order: ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check.
  const fields = [inode, mode, 0, 0, linkCount, 0, content.length, 0, 0, major, minor, name.length, 0];
  const header = text.encode(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
  const contentStart = (header.length + name.length + 3) & ~3;
  const bytes = new Uint8Array(contentStart + ((content.length + 3) & ~3));
  bytes.set(header);
  bytes.set(name, header.length);
  bytes.set(content, contentStart);
  return bytes;
}

function encodeEntry(entry: CpioEntry, inode: number): Uint8Array {
  const empty = new Uint8Array(0);
  const type = TYPE_BITS[entry.kind];
  switch (entry.kind) {
    case 'directory':
      return record(inode, type | entry.permissions, entry.path, empty, 2, 0, 0);
    case 'file':
      return record(inode, type | entry.permissions, entry.path, entry.content, 1, 0, 0);
    case 'symlink':
      return record(inode, type | 0o777, entry.path, text.encode(entry.target), 1, 0, 0);
    case 'characterDevice':
      return record(inode, type | entry.permissions, entry.path, empty, 1, entry.major, entry.minor);
  }
}

/** @param entries in any order; paths are relative to the root and without a leading slash. */
export function writeCpio(entries: readonly CpioEntry[]): Uint8Array {
  const sorted = [...entries].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  sorted.forEach((entry, index) => {
    if (entry.path === '' || entry.path.startsWith('/')) throw new Error(`cpio: '${entry.path}' is not a relative path`);
    if (entry.path === sorted[index + 1]?.path) throw new Error(`cpio: '${entry.path}' is there twice`);
  });
  const records = sorted.map((entry, index) => encodeEntry(entry, index + 1));
  records.push(record(0, 0, 'TRAILER!!!', new Uint8Array(0), 1, 0, 0));
  const archive = new Uint8Array(records.reduce((sum, bytes) => sum + bytes.length, 0));
  let at = 0;
  for (const bytes of records) {
    archive.set(bytes, at);
    at += bytes.length;
  }
  return archive;
}
