import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { detachLoop } from '../linux/block/loop.ts';
import { type MountEntry, MS, mount, moveMount, readMounts, umount } from '../linux/mount.ts';
import { type RebootVerb, reboot, syncAll } from '../linux/reboot.ts';
import { emergencyRemount } from './emergency-remount.ts';
import { endProcesses } from './processes.ts';

/**
 * The end of a machine that runs from here: after the image's init has stopped everything it knows of and gone back to
 * the initramfs (systemd's `/run/initramfs/shutdown`), the union, the image, the upper layer's disk and the medium are
 * unmounted in that order. systemd: https://systemd.io/INITRD_INTERFACE
 */

/** What init systems call the ends of a machine → what the kernel calls them. */
const VERBS: Readonly<Record<string, RebootVerb>> = {
  poweroff: 'poweroff',
  halt: 'halt',
  reboot: 'restart',
  kexec: 'kexec',
};

/** @throws Error for a word that is none of poweroff, reboot, halt, kexec */
export function parseShutdownVerb(word: string | undefined): RebootVerb {
  const verb = word !== undefined && Object.hasOwn(VERBS, word) ? VERBS[word] : undefined;
  if (verb === undefined) throw new Error(`shutdown: ${word ?? 'nothing'} is none of ${Object.keys(VERBS).join(', ')}`);
  return verb;
}

/** The kernel's own file systems: they hold no data, and the shutdown itself reads /proc and writes to the console. */
const KERNEL_MOUNTS = new Set(['/', '/dev', '/proc', '/sys', '/run']);

/** File systems without a device or a server behind them: losing them loses nothing. */
const NOTHING_TO_LOSE = new Set([
  'tmpfs',
  'ramfs',
  'rootfs',
  'devtmpfs',
  'proc',
  'sysfs',
  'devpts',
  'cgroup',
  'cgroup2',
]);

/** What to unmount, in this order: what was mounted last first, so that nothing is below what goes. Pure. */
export function planUnmounts(mounts: readonly MountEntry[]): readonly string[] {
  return mounts
    .map((entry) => entry.target)
    .filter((target) => !KERNEL_MOUNTS.has(target))
    .reverse();
}

/** Of what is still mounted: what may still be written to and would be left unclean. Pure. */
export function planRemounts(mounts: readonly MountEntry[]): readonly MountEntry[] {
  return mounts.filter(
    (entry) => !NOTHING_TO_LOSE.has(entry.type) && !entry.superOptions.includes('ro') && !entry.options.includes('ro'),
  );
}

/** Mounts that lie directly on a union and so keep it in use. Pure. */
export function planMoves(mounts: readonly MountEntry[]): readonly MountEntry[] {
  const unions = new Set(
    mounts.filter((entry) => entry.type === 'overlay' && entry.target !== '/').map(({ id }) => id),
  );
  return mounts.filter((entry) => unions.has(entry.parent));
}

/** What the shutdown does to the system; a test gives its own. */
export interface ShutdownSystem {
  mounts(): readonly MountEntry[];
  umount(target: string): void;
  /** Moves a mount with all below it to a place of its own. */
  setAside(target: string): void;
  remountReadOnly(target: string): void;
  /** Whether the kernel did it in time. */
  emergencyRemount(): Promise<boolean>;
  /** Loop devices with a file behind them. */
  loops(): readonly string[];
  detachLoop(path: string): void;
  sync(): void;
  end(which: 'ordinary' | 'storage'): Promise<readonly string[]>;
  reboot(verb: RebootVerb): void;
  say(line: string): void;
}

export interface ShutdownTimes {
  /** For what the image's init has left running. */
  readonly ordinaryMs: number;
  /** For the storage daemons: the field hands over what only this machine holds. */
  readonly storageMs: number;
}

/** On the tmpfs of /run: systemd has made the initramfs itself read-only by then. */
const ASIDE = '/run/viver-shutdown';

const TIMES: ShutdownTimes = { ordinaryMs: 2000, storageMs: 30_000 };

export function shutdownSystem(say: (line: string) => void, times: ShutdownTimes = TIMES): ShutdownSystem {
  return {
    mounts: readMounts,
    umount,
    setAside(target) {
      mkdirSync(ASIDE, { recursive: true });
      moveMount(target, mkdtempSync(`${ASIDE}/`));
    },
    remountReadOnly: (target) => mount({ source: 'none', target, flags: MS.REMOUNT | MS.RDONLY }),
    emergencyRemount,
    loops: () => readdirSync('/sys/block').flatMap((name) => (backingFile(name) === undefined ? [] : [`/dev/${name}`])),
    detachLoop,
    sync: syncAll,
    async end(which) {
      const graceMs = which === 'storage' ? times.storageMs : times.ordinaryMs;
      const left = await endProcesses((entry) => entry.storage === (which === 'storage'), { graceMs });
      return left.map((entry) => `${entry.name} (${entry.pid})`);
    },
    reboot,
    say,
  };
}

function backingFile(name: string): string | undefined {
  if (!name.startsWith('loop')) return undefined;
  try {
    return readFileSync(`/sys/block/${name}/loop/backing_file`, 'utf8');
  } catch {
    return undefined; // no file behind it: the attribute is there only with one
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Unmounts as much as goes, again and again while something goes: a mount is free when what lay on it is gone.
 * The medium of an image is in use by the union and lies below it in the tree: such a circle is broken by moving what
 * lies on a union out of it.
 */
function unmountAll(system: ShutdownSystem): readonly string[] {
  const aside = new Set<number>();
  for (let round = 1; ; round++) {
    const before = stateOf(system);
    const failures = unmountOnce(system);
    const mounts = system.mounts();
    if (planUnmounts(mounts).length === 0) return [];
    // by what there is and not by what succeeded: taking the file from a loop device in use succeeds and changes nothing
    if (stateOf(system) !== before && round < MOST_ROUNDS) continue;
    const circle = planMoves(mounts).filter((entry) => !aside.has(entry.id));
    if (circle.length === 0) return failures;
    for (const { id, target } of circle) {
      aside.add(id);
      failures.push(...attempt(() => system.setAside(target)));
    }
  }
}

/** Far more than mounts lie on each other; a machine ends also when something mounts anew all the time. */
const MOST_ROUNDS = 50;

function stateOf(system: ShutdownSystem): string {
  return [...system.mounts().map((entry) => `${entry.id} ${entry.target}`), ...system.loops()].join('\n');
}

function unmountOnce(system: ShutdownSystem): string[] {
  return [
    ...planUnmounts(system.mounts()).flatMap((target) => attempt(() => system.umount(target))),
    ...system.loops().flatMap((path) => attempt(() => system.detachLoop(path))),
  ];
}

function attempt(action: () => void): readonly string[] {
  try {
    action();
    return [];
  } catch (error) {
    return [messageOf(error)];
  }
}

/**
 * Leaves every file system clean, then ends the machine, whatever happens. What cannot be unmounted is made read-only,
 * at last by the kernel's emergency remount; each such thing is said.
 */
export async function shutDown(verb: RebootVerb, system: ShutdownSystem): Promise<void> {
  try {
    await leaveClean(system);
  } catch (error) {
    system.say(messageOf(error));
  }
  system.sync();
  system.reboot(verb);
}

async function leaveClean(system: ShutdownSystem): Promise<void> {
  for (const name of await system.end('ordinary')) system.say(`does not end: ${name}`);
  system.sync();
  unmountAll(system);
  for (const name of await system.end('storage')) system.say(`does not end: ${name}`);
  // What only now fails is worth telling: a medium is in use until the daemon that reads it has ended.
  for (const failure of unmountAll(system)) system.say(failure);
  for (const { target, source } of [...planRemounts(system.mounts())].reverse()) {
    try {
      system.remountReadOnly(target);
      system.say(`${target} (${source}) is still in use, made read-only`);
    } catch (error) {
      system.say(messageOf(error));
    }
  }
  // always: a root that is still in use, or was hidden by a mount on top of it, keeps a disk that no path leads to
  if (!(await system.emergencyRemount())) system.say('the kernel does not make its file systems read-only');
  for (const { target, source } of planRemounts(system.mounts())) system.say(`${target} (${source}) is left unclean`);
}
