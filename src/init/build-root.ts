import { readFileSync } from 'node:fs';
import { attachLoop } from '../linux/block/loop.ts';
import { describeError } from '../linux/describe-error.ts';
import { MS, mount, umount } from '../linux/mount.ts';
import { mountsOf } from '../media/candidate.ts';
import { type Beside, mountBeside, mountUnit } from '../root/beside.ts';
import { type Cow, cowModules, mountDeviceCow, mountRamCow } from '../root/cow.ts';
import { type FoundInit, findInit, hasUdev } from '../root/find-init.ts';
import { resolveBelow } from '../root/resolve-below.ts';
import { rootReader } from '../root/root-reader.ts';
import { mountInContext, startSelinux } from '../root/selinux.ts';
import {
  installShutdownHooks,
  keepMountsFromSystemd,
  keepMountUnits,
  planShutdownHooks,
  rootHookReader,
} from '../root/shutdown-hooks.ts';
import { mountUnion } from '../root/union.ts';
import type { BootLog, StageDone } from './boot-log.ts';
import type { BootOptions } from './command-line.ts';
import { type Drivers, ROOT_MODULES } from './drivers/drivers.ts';
import { BootFailure } from './failing/failure.ts';
import { keepCow } from './keep/keep-cow.ts';
import { findCowDevice } from './source/find-cow-device.ts';
import { openField, waitOf } from './source/join-field.ts';
import type { SoundImage } from './trust/first-sound-image.ts';
import type { LabelledRoot } from './trust/label-written.ts';
import { PRIVATE_DIRECTORY } from './trust/private-directory.ts';

export interface BuiltRoot {
  readonly target: string;
  /** Where the image itself is mounted. */
  readonly lower: string;
  readonly cow: Cow;
  readonly init: FoundInit;
  /** The image's policy is loaded, and what VIVER writes is to be labelled. */
  readonly selinux: LabelledRoot | undefined;
  /** The image loads drivers by itself. */
  readonly hasUdev: boolean;
  readonly environment: Readonly<Record<string, string>>;
  /** What was written into the root already, or made there: paths below it. */
  readonly written: readonly string[];
  /** The image's file or device, where it is now. */
  readonly imagePath: string;
}

/** Outside of what is moved into the root (/run, /dev …), where overlayfs could not follow. */
const TARGET = '/root-union';
const LOWER = `${PRIVATE_DIRECTORY}/lower`;
const COW = `${PRIVATE_DIRECTORY}/cow`;

/**
 * Stage `root`: the image below, an upper layer above, and in it the init that takes over.
 * What was mounted is unmounted again when a step fails.
 */
export async function buildRoot(
  image: SoundImage,
  options: BootOptions,
  drivers: Drivers,
  log: BootLog,
): Promise<StageDone<BuiltRoot>> {
  await drivers.ensureModules(ROOT_MODULES);
  using undo = new DisposableStack();
  const { cow, imagePath, undo: unmountCow } = await mountCow(image, options, drivers, log);
  undo.defer(unmountCow ?? (() => umount(cow.mountpoint)));
  let device = imagePath;
  if (!image.isDevice) {
    const loop = attachLoop({ file: imagePath, readOnly: true, autoclear: true });
    device = loop.path;
    undo.defer(() => loop[Symbol.dispose]());
  }
  let selinux: LabelledRoot | undefined;
  mountUnion({
    device,
    lower: LOWER,
    cow,
    target: TARGET,
    mountOverlay: (request) => {
      selinux = startLabels(cow, options.init, log);
      const context = selinux?.selinux.initContext;
      if (context === undefined) mount(request);
      else mountInContext(context, request);
    },
  });
  undo.defer(() => umount(LOWER));
  undo.defer(() => umount(TARGET));
  const init = initOf(image, options);
  const { mounted: beside, made } = containerStores(cow, log);
  const written = [...made];
  for (const path of beside) undo.defer(() => umount(TARGET + path));
  const needs = {
    cowMountpoint: cow.kind === 'ram' ? undefined : cow.mountpoint,
    holder: cow.holder,
    daemon: image.daemon !== undefined,
  };
  if (needs.cowMountpoint !== undefined || needs.daemon) {
    const hooks = planShutdownHooks(init.system, rootHookReader(TARGET), needs.daemon);
    try {
      written.push(...installShutdownHooks(hooks, TARGET, needs));
    } catch (cause) {
      throw nothingWritten(cow, cause);
    }
    log.choose('clean end', hooks.note);
  }
  if (init.system === 'systemd') {
    keepMountsFromSystemd('/run');
    keepMountUnits('/run', beside.map(mountUnit));
  }
  undo.move();
  // Not awaited: it goes on while the handover is made ready, and ends with this process.
  drivers.readAhead(LOWER, init.path).catch((error) => log.detail(`reading ahead: ${describeError(error)}`));
  log.choose(`cow ${cow.kind}`, cow.note);
  // What the kernel gave this process is the init's.
  const { UV_THREADPOOL_SIZE: _ours, ...kernels } = process.env;
  const environment = Object.fromEntries(
    Object.entries(kernels).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
  return {
    value: {
      selinux,
      target: TARGET,
      lower: LOWER,
      cow,
      init,
      hasUdev: hasUdev(TARGET),
      environment,
      imagePath,
      written,
    },
    note: `${init.system} at ${init.path}; ${cow.note}`,
  };
}

/** The upper layer is full, or cannot be written to. */
export function nothingWritten(cow: Cow, cause: unknown): BootFailure {
  const where = cow.kind === 'ram' ? 'RAM' : cow.kind;
  return new BootFailure(`what is written goes to ${where}, and nothing can be written there`, {
    cause,
    tryThis:
      cow.kind === 'ram'
        ? ['free memory, or more of it']
        : [
            `make room on ${cow.kind}, or mend its file system, and type exit`,
            'viver.cow=ram keeps what is written in RAM, for this time',
          ],
  });
}

/** @throws Error when the policy cannot be loaded: a system that is to enforce it does not run without */
function startLabels(cow: Cow, asked: string | undefined, log: BootLog): LabelledRoot | undefined {
  const sinceMs = Date.now();
  const init = () => LOWER + (resolveBelow(LOWER, findInit(LOWER, asked).path, rootReader) ?? '');
  const selinux = startSelinux(LOWER, init, readFileSync('/proc/cmdline', 'utf8'));
  if (selinux === undefined) return undefined;
  log.choose('SELinux', `the policy ${selinux.config.type} of the image, ${selinux.config.mode}`);
  return { selinux, target: TARGET, upper: cow.upper, sinceMs };
}

/** The init is known to run before anything is handed over to it. */
function initOf({ name }: SoundImage, options: BootOptions): FoundInit {
  try {
    return findInit(TARGET, options.init);
  } catch (error) {
    throw new BootFailure(`image ${name}: ${describeError(error)}`, {
      tryThis: [
        'an image that is made for this machine, and whole',
        options.init === undefined
          ? 'init=/PATH, if the image has another program to begin with'
          : 'boot without init=',
      ],
    });
  }
}

/** Without them the system boots as well: its containers get a slower kind of layers. */
function containerStores(cow: Cow, log: BootLog): Pick<Beside, 'mounted' | 'made'> {
  try {
    const { notes, ...beside } = mountBeside(TARGET, LOWER, cow);
    for (const note of notes) log.choose('containers', note);
    return beside;
  } catch (error) {
    log.warn(`containers will have no overlay: ${describeError(error)}`);
    return { mounted: [], made: [] };
  }
}

async function mountCow(
  image: SoundImage,
  options: BootOptions,
  drivers: Drivers,
  log: BootLog,
): Promise<{ readonly cow: Cow; readonly imagePath: string; readonly undo?: () => void }> {
  if (options.cow === 'keep') return { ...(await keepCow(image, COW, options, drivers, log)), imagePath: image.path };
  if (options.cow === 'ram') return { cow: mountRamCow(COW), imagePath: image.path };
  const waitMs = options.waitSeconds === undefined ? undefined : options.waitSeconds * 1000;
  const device = await findCowDevice(options.cow, drivers, waitMs);
  await drivers.ensureModules(cowModules(device));
  const { squashfs, device: medium, mountpoint, iso } = image.candidate;
  const of = { name: image.name, id: image.id, superblock: squashfs.superblock };
  // one file system for both cannot be mounted read-only for the image and writable for what is written: EBUSY
  const { daemon } = image;
  const source = daemon?.request.imagePath ?? image.path;
  const shared = mountpoint !== undefined && medium.path === device.path && source.startsWith(`${mountpoint}/`);
  if (!shared) return { cow: mountDeviceCow(device, of, COW), imagePath: image.path };
  // inside an ISO the image stays where it is: the ISO is mounted again from where its file is now
  const now = iso === undefined ? COW + source.slice(mountpoint.length) : source;
  await daemon?.stop();
  for (const path of mountsOf(image.candidate)) umount(path);
  const cow = mountDeviceCow(device, of, COW);
  if (iso !== undefined) mountIso(COW + iso.path.slice(iso.mountpoint.length), mountpoint);
  if (daemon === undefined) return { cow, imagePath: now };
  await daemon.moveTo(now);
  await openField(daemon, drivers, waitOf(options), log);
  return { cow, imagePath: image.path };
}

function mountIso(file: string, target: string): void {
  using loop = attachLoop({ file, readOnly: true, autoclear: true });
  const flags = MS.RDONLY | MS.NOSUID | MS.NODEV | MS.NOEXEC | MS.NOSYMFOLLOW;
  mount({ source: loop.path, target, type: 'iso9660', flags });
}
