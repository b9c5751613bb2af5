import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { InitSystem } from './find-init.ts';
import { KEPT_INITRAMFS } from './switch.ts';

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
 * The last step: root and upper layer read-only; where that cannot be (in use, or no longer to be seen) the kernel's
 * emergency remount, which is over when the kernel says so. Safe to run twice.
 */
export function cleanCowScript(cowMountpoint: string): string {
  return `#!/bin/sh
# VIVER: leaves the disk that keeps this system's writes clean.
PATH=/sbin:/bin:/usr/sbin:/usr/bin
sync
mount -o remount,ro / 2>/dev/null
mount -o remount,ro ${cowMountpoint} 2>/dev/null && exit 0
[ -e /proc/sysrq-trigger ] || mount -t proc proc /proc
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

/** What to put into the root so that a disk with the upper layer is left clean. Pure. */
export function planShutdownHooks(system: InitSystem, reader: HookReader): HookPlan {
  if (system === 'systemd') return { files: [], note: `systemd ends in ${KEPT_INITRAMFS}/shutdown` };
  const files = system === 'unknown' ? [] : HOOKS[system](reader);
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

/** Writes the plan and the script it runs into the root. */
export function installShutdownHooks(plan: HookPlan, root: string, cowMountpoint: string): void {
  if (plan.files.length === 0) return;
  const script: HookFile = {
    path: CLEAN_COW_PATH,
    content: { text: cleanCowScript(cowMountpoint), executable: true },
  };
  for (const { path, content } of [script, ...plan.files]) {
    const target = join(root, path);
    mkdirSync(dirname(target), { recursive: true, mode: 0o755 });
    if ('link' in content) {
      rmSync(target, { force: true }); // from an earlier boot of the same upper layer
      symlinkSync(content.link, target);
    } else {
      writeFileSync(target, content.text);
      chmodSync(target, content.executable ? 0o755 : 0o644);
    }
  }
}
