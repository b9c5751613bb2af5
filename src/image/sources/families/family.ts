import { alpine } from './alpine.ts';
import { arch } from './arch.ts';
import { busybox } from './busybox.ts';
import { debian } from './debian.ts';
import { fedora } from './fedora.ts';
import { gentoo } from './gentoo.ts';
import { suse } from './suse.ts';
import { ubuntu } from './ubuntu.ts';
import { voidLinux } from './void.ts';

/**
 * What is assumed of a family of distributions. To add one: a file like those beside this one, and its name in FAMILIES.
 */
export interface Family {
  readonly name: string;
  /** What ID and ID_LIKE of os-release(5) say. */
  readonly ids: readonly string[];
  /** Files that a tree without os-release is known by. */
  readonly marks: readonly string[];
  /**
   * Where kernels lie, the place of their version as VERSION, `*` for what may stand there. Without VERSION in it the
   * version is what the kernel's own head says.
   */
  readonly kernels: readonly string[];
  /** What it leaves behind that is one machine's, beside what all do: lines as in rules/table.ts. */
  readonly excludes: string;
  /** How the boot keeps its services from acting for the machine they were installed on; where that is done. */
  readonly services: string;
}

/** The first that fits is taken: the special before the general. */
export const FAMILIES: readonly Family[] = [ubuntu, debian, fedora, suse, alpine, arch, voidLinux, gentoo, busybox];

/** Of a tree that none is known of: all places that any has, and nothing more is left out. */
export const UNKNOWN: Family = {
  name: 'unknown',
  ids: [],
  marks: [],
  kernels: [...new Set(FAMILIES.flatMap(({ kernels }) => kernels))],
  excludes: '',
  services: 'as its init system says',
};

/**
 * The family of a tree; pure.
 * @param osRelease the text of its /etc/os-release; undefined: it has none
 * @param has whether a path is there
 */
export function familyOf(osRelease: string | undefined, has: (path: string) => boolean): Family {
  const ids = osReleaseIds(osRelease ?? '');
  const byId = ids.map((id) => FAMILIES.find((family) => family.ids.includes(id))).find((one) => one !== undefined);
  return byId ?? FAMILIES.find(({ marks }) => marks.some(has)) ?? UNKNOWN;
}

/** ID, then what it is like, the nearest first. */
export function osReleaseIds(text: string): string[] {
  const value = (key: string): string => RegExp(`^${key}=["']?([^"'\\n]*)`, 'm').exec(text)?.[1] ?? '';
  return [value('ID'), ...value('ID_LIKE').split(/\s+/)].filter((id) => id !== '');
}
