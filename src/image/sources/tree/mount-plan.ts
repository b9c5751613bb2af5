import type { MountEntry } from '../../../linux/mount.ts';
import { kindOfFileSystem } from './file-systems.ts';

/**
 * Directories of a system that may be file systems of their own and belong to it all the same. What is mounted anywhere
 * else (/home, /srv/data, /mnt/…) is data until somebody asks for it.
 */
const OF_SYSTEM = ['boot', 'efi', 'usr', 'var', 'opt', 'etc', 'root', 'bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];

export interface MountWishes {
  /** The tree's directory, absolute, without a slash at the end; `/` for the running system. */
  readonly root: string;
  /** A whole system: the file systems of its own directories belong to it. */
  readonly isSystem: boolean;
  /** Every file system of a disk that is mounted below. */
  readonly crossAll: boolean;
  /** Mount points to take along whatever they are, as the person named them: absolute, or below the tree. */
  readonly asked: readonly string[];
  /** Whether a block device can be taken out, by its number. */
  readonly isRemovable: (major: number, minor: number) => boolean;
}

export interface PlannedMount {
  /** Below the tree's root, no slash at either end. */
  readonly path: string;
  /** As it is mounted. */
  readonly target: string;
  readonly type: string;
  readonly kind: 'enter' | 'leave';
  /** For a person: `ext4 of another disk`, `nfs, on the network`. */
  readonly why: string;
  /** Even a look at it may wait for ever. */
  readonly mayHang: boolean;
  /** Nobody expects it in an image. */
  readonly pseudo: boolean;
}

/**
 * What becomes of each file system that is mounted below a tree; pure. A bind mount that shows what lies there anyway
 * is not in the plan.
 * @param mounts in the order of /proc/self/mountinfo, names in any one encoding that the wishes have too
 */
export function planMounts(mounts: readonly MountEntry[], wishes: MountWishes): PlannedMount[] {
  const visible = visibleMounts(mounts);
  const bound = bindMounts(mounts);
  const byId = new Map(mounts.map((entry) => [entry.id, entry]));
  const plan: PlannedMount[] = [];
  for (const entry of visible.toSorted((a, b) => a.target.length - b.target.length)) {
    const path = pathBelow(wishes.root, entry.target);
    if (path === undefined || path === '') continue;
    if (plan.some(({ kind, path: outer }) => kind === 'leave' && path.startsWith(`${outer}/`))) continue;
    if (showsItself(entry, byId.get(entry.parent))) continue;
    plan.push({ path, target: entry.target, type: entry.type, ...verdict(entry, path, bound.has(entry.id), wishes) });
  }
  return plan;
}

function verdict(
  { type, major, minor }: MountEntry,
  path: string,
  isBind: boolean,
  wishes: MountWishes,
): Pick<PlannedMount, 'kind' | 'why' | 'mayHang' | 'pseudo'> {
  const kind = kindOfFileSystem(type);
  const { mayHang = false, pseudo = false } = kind ?? {};
  const isAsked = wishes.asked.some((name) => {
    const asked = pathBelow(wishes.root, name) ?? name.replace(/^\/+|\/+$/g, '');
    return asked === path || path.startsWith(`${asked}/`);
  });
  const leave = (why: string) => ({ kind: 'leave' as const, why: `${type}, ${why}`, mayHang, pseudo });
  const enter = (why: string) => ({ kind: 'enter' as const, why: `${type}, ${why}`, mayHang, pseudo });
  if (kind?.pseudo === true) return leave(kind.why);
  if (isAsked) return enter('asked for');
  if (kind !== undefined) return leave(kind.why);
  if (isBind) return leave('a directory that lies elsewhere (bind mount)');
  if (wishes.isRemovable(major, minor)) return leave('removable');
  if (wishes.crossAll) return enter('asked for');
  if (!wishes.isSystem) return leave('another file system; --cross or --with takes it along');
  if (OF_SYSTEM.includes(path.split('/')[0] ?? '')) return enter('part of the system');
  return leave('not part of the system; --with takes it along');
}

/** The name below `root`, without slashes around it; undefined when it lies elsewhere. */
export function pathBelow(root: string, path: string): string | undefined {
  const base = root.endsWith('/') ? root : `${root}/`;
  if (`${path}/` === base || path === root) return '';
  return path.startsWith(base) ? path.slice(base.length).replace(/\/+$/, '') : undefined;
}

/**
 * Of mounts over each other only the last can be reached, and of what is mounted below a hidden one nothing: a mount over
 * another one's root has that as its parent, one over a directory above it the same parent.
 */
function visibleMounts(mounts: readonly MountEntry[]): MountEntry[] {
  const byId = new Map(mounts.map((entry) => [entry.id, entry]));
  const position = new Map(mounts.map(({ id }, i) => [id, i]));
  const children = Map.groupBy(mounts, ({ parent }) => parent);
  const isCovered = ({ id, target }: MountEntry): boolean =>
    (children.get(id) ?? []).some((other) => other.id !== id && other.target === target);
  const isOver = (one: MountEntry, other: MountEntry): boolean =>
    (position.get(other.id) ?? 0) > (position.get(one.id) ?? 0) && pathBelow(other.target, one.target) !== undefined;
  const isBuried = (entry: MountEntry, depth = 0): boolean => {
    if ((children.get(entry.parent) ?? []).some((other) => isOver(entry, other))) return true;
    const parent = byId.get(entry.parent);
    if (parent === undefined || parent.id === entry.id || depth > mounts.length) return false;
    return (parent.target !== entry.target && isCovered(parent)) || isBuried(parent, depth + 1);
  };
  return mounts.filter((entry) => !isCovered(entry) && !isBuried(entry));
}

/** The btrfs subvolume that a mount says it is of. */
function subvolumeOf({ superOptions }: MountEntry): string | undefined {
  return superOptions.find((option) => option.startsWith('subvol='))?.slice('subvol='.length);
}

/** Mounts that show a part of a file system, or one that is mounted elsewhere as well, where it was first. */
function bindMounts(mounts: readonly MountEntry[]): ReadonlySet<number> {
  const seen = new Set<string>();
  const bound = new Set<number>();
  for (const entry of mounts) {
    const { id, major, minor, root } = entry;
    const whole = entry.type === 'btrfs' ? (subvolumeOf(entry) ?? '/') : '/';
    const key = `${major}:${minor} ${root}`;
    if (root !== whole || seen.has(key)) bound.add(id);
    seen.add(key);
  }
  return bound;
}

/** A directory that is mounted over itself: the same files, read-only or with other options maybe. */
function showsItself(entry: MountEntry, parent: MountEntry | undefined): boolean {
  if (parent === undefined || parent.major !== entry.major || parent.minor !== entry.minor) return false;
  const way = pathBelow(parent.target, entry.target);
  const base = parent.root === '/' ? '' : parent.root;
  return way !== undefined && way !== '' && entry.root === `${base}/${way}`;
}
