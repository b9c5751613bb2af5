import { readFileSync } from 'node:fs';
import { call } from './libc.ts';

/** mount(2) flags, include/uapi/linux/mount.h. */
export const MS = {
  RDONLY: 1,
  NOSUID: 2,
  NODEV: 4,
  NOEXEC: 8,
  SYNCHRONOUS: 0x10,
  REMOUNT: 0x20,
  DIRSYNC: 0x80,
  /** Since Linux 5.10; an older kernel takes no notice. */
  NOSYMFOLLOW: 0x100,
  NOATIME: 0x400,
  NODIRATIME: 0x800,
  BIND: 0x1000,
  MOVE: 0x2000,
  REC: 0x4000,
  SILENT: 0x8000,
  UNBINDABLE: 0x20000,
  PRIVATE: 0x40000,
  SLAVE: 0x80000,
  SHARED: 0x100000,
  RELATIME: 0x200000,
  STRICTATIME: 0x1000000,
  LAZYTIME: 0x2000000,
} as const;

/** umount2(2) flags. */
export const MNT = { FORCE: 1, DETACH: 2, EXPIRE: 4, NOFOLLOW: 8 } as const;

export interface MountRequest {
  /** A device, a directory, or any word for a file system without one. */
  readonly source: string;
  readonly target: string;
  /** File system type; not looked at for bind, move and remount. */
  readonly type?: string;
  /** Of MS, joined by |. */
  readonly flags?: number;
  /** The file system's own options, joined by commas. */
  readonly data?: string;
}

/**
 * mount(2). The target must exist.
 * @throws SyscallError: ENODEV means that the kernel has no such file system (yet)
 */
export function mount({ source, target, type = '', flags = 0, data = '' }: MountRequest): void {
  call('mount', `${source} on ${target}`, (c) => c.mount(source, target, type, BigInt(flags), data));
}

/** umount2(2) with flags of MNT. */
export function umount(target: string, flags = 0): void {
  call('umount', target, (c) => c.umount2(target, flags));
}

/** Shows `source` at `target` also; without the mounts below it unless `recursive`. */
export function bindMount(source: string, target: string, recursive = false): void {
  const flags = MS.BIND | (recursive ? MS.REC : 0);
  call('bind mount', `${source} on ${target}`, (c) => c.mount(source, target, '', BigInt(flags), null));
}

/** Moves a mount with all below it. EINVAL when its parent is shared (mount_namespaces(7)). */
export function moveMount(from: string, to: string): void {
  call('move mount', `${from} to ${to}`, (c) => c.mount(from, to, '', BigInt(MS.MOVE), null));
}

/** One line of /proc/PID/mountinfo, proc_pid_mountinfo(5). */
export interface MountEntry {
  readonly id: number;
  readonly parent: number;
  readonly major: number;
  readonly minor: number;
  /** The directory of the file system that is shown: `/` unless it is a bind mount or subvolume. */
  readonly root: string;
  readonly target: string;
  /** Per mount point: `ro`, `nosuid`. */
  readonly options: readonly string[];
  readonly type: string;
  readonly source: string;
  /** Per file system. */
  readonly superOptions: readonly string[];
}

// The kernel writes blanks, newlines, backslashes and # as octal (fs/proc_namespace.c, mangle).
function unescapeOctal(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_all, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

function parseLine(line: string): MountEntry | undefined {
  const fields = line.split(' ');
  const separator = fields.indexOf('-', 6);
  const [id, parent, device, root, target, options] = fields;
  const [type, source, superOptions] = fields.slice(separator + 1);
  const [major, minor] = (device ?? '').split(':');
  if (separator < 0 || root === undefined || target === undefined || options === undefined) return undefined;
  if (type === undefined || source === undefined || superOptions === undefined) return undefined;
  const numbers = [id, parent, major, minor].map((text) => (/^\d+$/.test(text ?? '') ? Number(text) : Number.NaN));
  if (numbers.some(Number.isNaN)) return undefined;
  const [idNumber = 0, parentNumber = 0, majorNumber = 0, minorNumber = 0] = numbers;
  return {
    id: idNumber,
    parent: parentNumber,
    major: majorNumber,
    minor: minorNumber,
    root: unescapeOctal(root),
    target: unescapeOctal(target),
    options: options.split(','),
    type: unescapeOctal(type),
    source: unescapeOctal(source),
    superOptions: superOptions.split(','),
  };
}

/**
 * The mounts in the order they were made; a later one on the same target hides the earlier.
 * Lines that are no mounts are left out.
 */
export function parseMountinfo(text: string): MountEntry[] {
  return text.split('\n').flatMap((line) => parseLine(line) ?? []);
}

/** What this process sees mounted now. */
export function readMounts(): MountEntry[] {
  return parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'));
}
