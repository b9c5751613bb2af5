import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describeError } from '../linux/describe-error.ts';
import { useConsole } from '../linux/process.ts';
import { CARRIED } from '../root/again.ts';
import { enforce } from '../root/selinux.ts';
import { freeModules, KEPT_INITRAMFS, keepInitramfs, prepareSwitch, switchRoot } from '../root/switch.ts';
import { loadWritten, makeDirectories, noteWritten, saveWritten, WRITTEN_FILE } from '../root/written.ts';
import { beforeSwitch } from '../runes/engine/before-switch.ts';
import { RUN_DIRECTORY } from '../runes/places.ts';
import type { BootLog, StageDone } from './boot-log.ts';
import { type BuiltRoot, nothingWritten } from './build-root.ts';
import type { BootOptions } from './command-line.ts';
import { type Drivers, isDriven } from './drivers/drivers.ts';
import { type FirmwareFit, firmwareInImage, imageFirmware, leaveToImage, unload } from './drivers/image-firmware.ts';
import { explainUnfit, findImageModules, runningKernel, showModules } from './drivers/image-modules.ts';
import type { Undo } from './failing/undo.ts';
import { watchHealth } from './health-watch.ts';
import { knowMachine } from './known-machine.ts';
import { type FieldDaemon, localDaemon, startFieldDaemon } from './source/field-daemon.ts';
import type { Network } from './source/network.ts';
import { isBegunAgain, tellServer } from './take-up.ts';
import type { SoundImage } from './trust/first-sound-image.ts';
import { labelWritten } from './trust/label-written.ts';

/** A card whose firmware is slow takes a second or two. */
const REST_MS = 5000;

/** Where the running system finds the command: on everyone's PATH, and in no package's way. */
const COMMAND = '/usr/local/bin/viver';

/**
 * The executable of the initramfs with the initramfs's own loader and libraries: the image may have another libc, or
 * another machine's.
 */
const WRAPPER = `#!/bin/sh
# VIVER from the initramfs that booted this system.
r=${KEPT_INITRAMFS}
for loader in "$r"/lib64/ld-linux-*.so.* "$r"/lib/ld-linux-*.so.*; do
  [ -e "$loader" ] && exec "$loader" --library-path "$r/lib:$(echo "$r"/lib/*-linux-gnu):$(echo "$r"/usr/lib/*-linux-gnu)" "$r/init" "$@"
done
echo "viver: no loader in $r" >&2
exit 1
`;

/** What takes over, ready to. */
export interface PreparedSwitch {
  readonly root: BuiltRoot;
  readonly drivers: Drivers;
  /** The image has no others for this kernel. */
  readonly keepsModules: boolean;
  /** What drivers lack here, and the image may have. */
  readonly firmware: readonly FirmwareFit[];
}

/**
 * Stage `handover`: all that outlives the switch is made ready. What of it must not stay when this fails, or anything
 * after it, is registered with `undo`.
 */
export async function prepareHandOver(
  image: SoundImage,
  root: BuiltRoot,
  options: BootOptions,
  drivers: Drivers,
  network: Network,
  undo: Undo,
  log: BootLog,
): Promise<StageDone<PreparedSwitch>> {
  undo.add('the initramfs at its new place', keepInitramfs());
  const written = new Set(root.written);
  writeIntoRoot(root, written);
  const modules = findImageModules(root.target, runningKernel());
  const here = drivers.problem === undefined;
  if (!modules.fits) {
    log.warn(explainUnfit(modules, here));
    if (here) undo.add('the modules in the root', showModules(root.target, modules.running));
  }
  if (!modules.fits) await driveRest(drivers, 'the image has no modules for this kernel', true, log);
  else if (root.hasUdev) log.choose('other devices', "the image's udev drives what holds no disk");
  else await driveRest(drivers, 'the image has no udev', false, log);
  const firmware = firmwareInImage(drivers.firmwareLacks(), imageFirmware(root.target, modules.running));
  if (root.hasUdev && modules.fits) {
    for (const [module, why] of leaveToImage(firmware, { isDriven, unload })) log.choose(`driver ${module}`, why);
  }
  await knowMachine(drivers, log);
  const field = serveImage(image, root, options);
  if (field.daemon !== undefined) undo.add('the field daemon for others', () => field.daemon?.stop());
  log.choose('field', field.why);
  // Nobody takes over what the system before had of its image.
  if (image.daemon?.request.carried === undefined) rmSync(CARRIED, { recursive: true, force: true });
  if (options.isTrial) {
    const watch = watchHealth();
    undo.add('the watch over a new version', () => void watch.kill());
    log.choose('new version', 'it has five minutes to become healthy, or the machine starts anew');
    if (isBegunAgain() && options.bootMac !== undefined) await tellServer(options.bootMac, log);
  }
  // From here on nothing fails: what goes wrong is warned of.
  await network.handOver();
  await beforeSwitch({
    target: root.target,
    image: root.lower,
    init: root.init.system,
    booted: image.candidate.device.medium === 'net' ? 'network' : 'medium',
    note: (what, why) => log.choose(what, why),
    warn: (text) => log.warn(text),
    wrote: (path) => written.add(path),
  });
  noteWhatIsOurs(root, written, log);
  if (root.selinux !== undefined) labelWritten(root.selinux, log);
  return { value: { root, drivers, keepsModules: !modules.fits, firmware }, note: '' };
}

/**
 * The switch: this process becomes the image's init. Nothing of it can be taken back.
 * @throws what the kernel refuses, although all was made ready
 */
export function commitHandOver(
  { root, drivers, keepsModules }: PreparedSwitch,
  args: readonly string[],
  log: BootLog,
): never {
  drivers.close();
  // Not awaited: what is left of it runs under the image's init.
  if (!keepsModules)
    freeModules('/lib/modules').catch((error) => log.warn(`modules stay in RAM: ${describeError(error)}`));
  useConsole();
  // systemd turns it on by itself
  if (root.selinux !== undefined && root.init.system !== 'systemd') enforce(root.selinux.selinux);
  switchRoot(root.target, root.init.path, args, root.environment);
}

/** The first things written over the image: a disk for changes that is full, or cannot be written to, shows here. */
function writeIntoRoot({ target, cow }: BuiltRoot, written: Set<string>): void {
  try {
    prepareSwitch(target);
    const command = join(target, COMMAND);
    if (existsSync(command)) return;
    for (const made of makeDirectories(target, dirname(COMMAND))) written.add(made);
    written.add(COMMAND);
    writeFileSync(command, WRAPPER);
    chmodSync(command, 0o755);
  } catch (cause) {
    throw nothingWritten(cow, cause);
  }
}

/** For `viver image commit`, and, where what is written is kept, for the one of a later boot. Nobody needs it to boot. */
function noteWhatIsOurs({ target, cow }: BuiltRoot, paths: Iterable<string>, log: BootLog): void {
  const kept = join(dirname(cow.upper), WRITTEN_FILE);
  try {
    const written = noteWritten(target, paths, loadWritten(kept));
    if (cow.kind !== 'ram') saveWritten(kept, written);
    saveWritten(join(RUN_DIRECTORY, WRITTEN_FILE), written);
  } catch (error) {
    log.warn(`viver image commit will not know what VIVER wrote: ${describeError(error)}`);
  }
}

/**
 * Whatever of the machine VIVER does not drive, nobody will: without udev there is no network, perhaps no keyboard.
 * @param alone there are no other modules either
 */
async function driveRest(drivers: Drivers, why: string, alone: boolean, log: BootLog): Promise<void> {
  log.choose('other devices', `${why}: their drivers are loaded before it takes over`);
  if (!(await drivers.driveRest(REST_MS, alone)))
    log.warn(`drivers still start after ${REST_MS / 1000} s: not waited for`);
}

/**
 * Every machine gives the image it runs to others. One that has it on a medium of its own begins when it has a network,
 * and so takes nothing of the time until its login.
 */
function serveImage(
  { name, id, candidate, daemon }: SoundImage,
  root: BuiltRoot,
  options: BootOptions,
): { readonly why: string; readonly daemon?: FieldDaemon } {
  if (daemon !== undefined) return { why: 'the daemon below the root gives the image to others' };
  if (id === undefined || candidate.indexPath === undefined)
    return { why: 'not given to others: the image has no index' };
  return {
    daemon: startFieldDaemon(localDaemon({ name, id, path: root.imagePath }, options, false), 'with the network'),
    why: 'the image is given to others as soon as there is a network',
  };
}
