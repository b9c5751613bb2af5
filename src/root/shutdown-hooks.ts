import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { InitSystem } from './find-init.ts';
import { KEPT_INITRAMFS } from './switch.ts';
import { makeDirectories } from './written.ts';

/**
 * systemd goes back to the initramfs at the end; other init systems end the machine from the root they run on. The disk
 * of the upper layer is then still in use below the union, so it would be left with a dirty journal. For these a file
 * is put where each init system looks for things to do at the very end, after it has made the root read-only.
 */

/** A file in the image's root; it goes to the upper layer. */
export interface HookFile {
  readonly path: string;
  readonly content: { readonly text: string; readonly executable: boolean } | { readonly link: string };
}

export interface HookPlan {
  readonly files: readonly HookFile[];
  /** What was done or why nothing could be, for boot.json. */
  readonly note: string;
}

/** Reads a file of the image's root; undefined when there is none. `has` is also true for directories. */
export interface HookReader {
  text(path: string): string | undefined;
  has(path: string): boolean;
}

/**
 * In the root and with the root's own tools: some init systems unmount all they see before the end, /run/initramfs too,
 * but none can unmount what it runs on.
 */
const CLEAN_COW_PATH = '/usr/local/lib/viver/clean-cow';

/**
 * The last step: root and upper layer read-only, then what the upper layer lies on, then the kernel's emergency remount,
 * whatever those came to: what is in use (a loop device's file is), or no longer to be seen, or said to be done by a
 * mount that was not, is read-only when the kernel says that it is over. Safe to run twice.
 * @param mountpoints the upper layer's, then that of the medium that holds it in a file
 */
export function cleanCowScript(mountpoints: readonly string[]): string {
  const remounts = mountpoints.map((mountpoint) => `mount -o remount,ro ${mountpoint} 2>/dev/null\n`).join('');
  return `#!/bin/sh
# VIVER: leaves the disk that keeps this system's writes clean.
PATH=/sbin:/bin:/usr/sbin:/usr/bin
sync
mount -o remount,ro / 2>/dev/null
${remounts}[ -e /proc/sysrq-trigger ] || mount -t proc proc /proc
[ -e /proc/sysrq-trigger ] || exit 0
remounts() { dmesg | grep -c 'Emergency Remount complete'; }
before=$(remounts)
echo u > /proc/sysrq-trigger
for i in 1 2 3 4 5; do
  [ "$(remounts)" = "$before" ] || exit 0
  sleep 1
done
exit 0
`;
}

/**
 * What the rest of a shutdown reads must be in memory before its init kills all that is left, the daemon below the root
 * among it: from then on a page that has to be read is never there, and the machine would not go off.
 */
const KEEP_INIT = `while read -r range permissions offset device inode path; do
  case $path in /*) cat "$path" > /dev/null 2>&1 ;; esac
done < /proc/1/maps
`;

/** What the end of a machine depends on. */
export interface EndNeeds {
  /** Where the disk with the upper layer is mounted; undefined: it is in RAM. */
  readonly cowMountpoint: string | undefined;
  /** Where the medium is mounted that holds the upper layer in a file. */
  readonly holder?: string | undefined;
  /** The root is read through a daemon. */
  readonly daemon: boolean;
}

/** The program that all hooks run, for what this machine needs. */
export function lastStepsScript({ cowMountpoint, holder, daemon }: EndNeeds): string {
  const clean =
    cowMountpoint === undefined ? '#!/bin/sh\nexit 0\n' : cleanCowScript([cowMountpoint, holder ?? []].flat());
  if (!daemon) return clean;
  const [head = '', ...rest] = clean.split('\n');
  return [head, KEEP_INIT, ...rest].join('\n');
}

/**
 * Debian's init scripts all read these files first. halt and reboot are the last of a shutdown, after umountroot; they
 * are called so under sysvinit (with startpar as `/etc/init.d/halt`, without as `/etc/rc0.d/K08halt`), OpenRC and runit.
 */
const LSB_HOOK: HookFile = {
  path: '/lib/lsb/init-functions.d/99-viver',
  content: {
    text: `# VIVER: at the end of a shutdown, the disk that keeps this system's writes is left clean.
case "\${0##*/}:\${1:-}" in
  *halt:stop | *reboot:stop) [ ! -x ${CLEAN_COW_PATH} ] || ${CLEAN_COW_PATH} ;;
esac
`,
    executable: false,
  },
};

const OPENRC_SERVICE: HookFile = {
  path: '/etc/init.d/viver-cow',
  content: {
    text: `#!/sbin/openrc-run
description="VIVER: leaves the disk that keeps this system's writes clean"

depend() {
  after killprocs mount-ro savecache
}

start() {
  [ ! -x ${CLEAN_COW_PATH} ] || ${CLEAN_COW_PATH}
}
`,
    executable: true,
  },
};

const RUNIT_HOOK: HookFile = {
  path: '/etc/runit/shutdown.d/85-viver.sh',
  content: { text: `[ ! -x ${CLEAN_COW_PATH} ] || ${CLEAN_COW_PATH}\n`, executable: false },
};

/**
 * OpenRC's own killprocs gives these to its kill_all: processes to omit. Debian's sendsigs knows the directory by itself.
 */
const OPENRC_OMITS: HookFile = {
  path: '/etc/conf.d/killprocs',
  content: {
    text: `# VIVER: the daemon below the root is not killed.
killall5_opts="$(for file in /run/sendsigs.omit.d/*; do [ -s "$file" ] && read -r id < "$file" && printf ' -o %s' "$id"; done)"
`,
    executable: false,
  },
};

/**
 * Void's stage 3 kills all that is left before it unmounts, and needs programs of the root for that. VIVER ends the machine
 * in its stead, as stage 3 itself: runit ends the machine when that ends. Whether it is to start again is told as to runit(8).
 */
const RUNIT_END: HookFile = {
  path: '/etc/runit/shutdown.d/65-viver.sh',
  content: {
    text: `# VIVER: the root hangs on a daemon, which what comes next would kill.
verb=poweroff
for file in /run/runit/reboot /run/runit.reboot /etc/runit/reboot; do
  [ ! -x "$file" ] && [ "$(stat -c %a "$file" 2> /dev/null)" != 100 ] || verb=reboot
done
exec /usr/local/bin/viver shutdown "$verb" --now
`,
    executable: false,
  },
};

/** What BusyBox' init does when there is no inittab (init/init.c, parse_inittab). */
const BUSYBOX_DEFAULTS = `::sysinit:/etc/init.d/rcS
::askfirst:-/bin/sh
tty2::askfirst:-/bin/sh
tty3::askfirst:-/bin/sh
tty4::askfirst:-/bin/sh
::ctrlaltdel:reboot
::shutdown:swapoff -a
::shutdown:umount -a -r
::restart:init
`;

/**
 * BusyBox' init runs the shutdown lines in their order and kills what is left only after the last one. Ours comes before
 * the usual `umount -a -r`, which would take /proc and the sight of the upper layer away.
 */
function busyboxInittab(before: string): string {
  if (before.includes(CLEAN_COW_PATH)) return before;
  const lines = before.replace(/\n$/, '').split('\n');
  const unmounting = lines.findIndex((line) => /^[^#]*:shutdown:.*umount/.test(line));
  lines.splice(unmounting < 0 ? lines.length : unmounting, 0, `::shutdown:${CLEAN_COW_PATH}`);
  return `${lines.join('\n')}\n`;
}

const whenThere = (directory: string, file: HookFile) => (reader: HookReader) => (reader.has(directory) ? [file] : []);
const lsb = whenThere('/lib/lsb/init-functions.d', LSB_HOOK);

/** What goes where for each init system; an empty list when the image has no such place. */
const HOOKS: Readonly<Record<Exclude<InitSystem, 'systemd' | 'unknown'>, (reader: HookReader) => readonly HookFile[]>> =
  {
    sysvinit: lsb,
    openrc: (reader) => [
      OPENRC_SERVICE,
      ...['shutdown', 'reboot']
        .filter((level) => level === 'shutdown' || reader.has(`/etc/runlevels/${level}`))
        .map((level) => ({ path: `/etc/runlevels/${level}/viver-cow`, content: { link: OPENRC_SERVICE.path } })),
      ...lsb(reader),
    ],
    runit: (reader) => [...whenThere('/etc/runit/shutdown.d', RUNIT_HOOK)(reader), ...lsb(reader)],
    busybox: (reader) => [
      {
        path: '/etc/inittab',
        content: { text: busyboxInittab(reader.text('/etc/inittab') ?? BUSYBOX_DEFAULTS), executable: false },
      },
    ],
  };

/** More, where the root is read through a daemon. */
function daemonHooks(system: InitSystem, reader: HookReader): readonly HookFile[] {
  if (system === 'openrc' && reader.has('/etc/init.d/killprocs')) return [OPENRC_OMITS];
  return system === 'runit' && reader.has('/etc/runit/shutdown.d') ? [RUNIT_END] : [];
}

/**
 * What to put into the root so that a disk with the upper layer is left clean, and a daemon below the root outlives its
 * users. Pure.
 */
export function planShutdownHooks(system: InitSystem, reader: HookReader, daemon = false): HookPlan {
  if (system === 'systemd') return { files: [], note: `systemd ends in ${KEPT_INITRAMFS}/shutdown` };
  const files = system === 'unknown' ? [] : [...HOOKS[system](reader), ...(daemon ? daemonHooks(system, reader) : [])];
  if (files.length > 0) return { files, note: `${system}: ${files.map((file) => file.path).join(', ')}` };
  return {
    files,
    note: `no place in the shutdown of this ${system === 'unknown' ? 'init' : system} is known: end the machine by 'viver shutdown', or its disk is left to be repaired by its journal`,
  };
}

export function rootHookReader(root: string): HookReader {
  return {
    text: (path) => (existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : undefined),
    has: (path) => existsSync(join(root, path)),
  };
}

/**
 * systemd would unmount at the end of a shutdown what the root lies on, and call each FAILED. Without default
 * dependencies its mount units are let be until the initramfs unmounts them (systemd.unit(5): a drop-in directory whose
 * name ends in a dash counts for all units that begin so).
 * @param run the directory that will be /run
 */
export function keepMountsFromSystemd(run: string): void {
  const directory = join(run, 'systemd/system/run-viver-.mount.d');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'viver.conf'), '[Unit]\nDefaultDependencies=no\n');
}

/** The same for single mounts, which a soft-reboot would take down and nobody mount again. */
export function keepMountUnits(run: string, units: readonly string[]): void {
  for (const unit of units) {
    const directory = join(run, `systemd/system/${unit}.d`);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'viver.conf'), '[Unit]\nDefaultDependencies=no\n');
  }
}

/**
 * Writes the plan and the script it runs into the root.
 * @returns what was written or made, below the root
 */
export function installShutdownHooks(plan: HookPlan, root: string, needs: EndNeeds): string[] {
  if (plan.files.length === 0) return [];
  const written: string[] = [];
  const script: HookFile = {
    path: CLEAN_COW_PATH,
    content: { text: lastStepsScript(needs), executable: true },
  };
  for (const { path, content } of [script, ...plan.files]) {
    const target = join(root, path);
    written.push(...makeDirectories(root, dirname(path)), path);
    if ('link' in content) {
      rmSync(target, { force: true }); // from an earlier boot of the same upper layer
      symlinkSync(content.link, target);
    } else {
      writeFileSync(target, content.text);
      chmodSync(target, content.executable ? 0o755 : 0o644);
    }
  }
  return written;
}
