import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describeError } from '../linux/describe-error.ts';
import { freeModules, KEPT_INITRAMFS, keepInitramfs } from '../root/switch.ts';
import { beforeSwitch } from '../runes/before-switch.ts';
import type { BootLog, StageDone } from './boot-log.ts';
import type { BuiltRoot } from './build-root.ts';
import type { BootOptions } from './command-line.ts';
import type { Drivers } from './drivers.ts';
import { localDaemon, startFieldDaemon } from './field-daemon.ts';
import type { SoundImage } from './first-sound-image.ts';
import type { Network } from './network.ts';

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

/** Stage `handover`: what outlives the switch, and nothing else. */
export async function handOver(
  image: SoundImage,
  root: BuiltRoot,
  options: BootOptions,
  drivers: Drivers,
  network: Network,
  log: BootLog,
): Promise<StageDone<undefined>> {
  await network.handOver();
  const field = serveImage(image, root, options);
  log.choose('field', field);
  if (root.hasUdev) log.choose('other devices', "the image's udev drives what holds no disk");
  else await driveRest(drivers, log);
  drivers.close();
  keepInitramfs();
  // Not awaited: what is left of it runs under the image's init.
  freeModules('/lib/modules').catch((error) => log.warn(`modules stay in RAM: ${describeError(error)}`));
  const command = join(root.target, COMMAND);
  if (!existsSync(command)) {
    mkdirSync(dirname(command), { recursive: true });
    writeFileSync(command, WRAPPER);
    chmodSync(command, 0o755);
  }
  await beforeSwitch({
    target: root.target,
    image: root.lower,
    init: root.init.system,
    booted: image.candidate.device.medium === 'net' ? 'network' : 'medium',
    note: (what, why) => log.choose(what, why),
    warn: (text) => log.warn(text),
  });
  return { value: undefined, note: '' };
}

/** Whatever of the machine VIVER does not drive, nobody will: without udev there is no network, perhaps no keyboard. */
async function driveRest(drivers: Drivers, log: BootLog): Promise<void> {
  log.choose('other devices', 'the image has no udev: their drivers are loaded before it takes over');
  if (!(await drivers.driveRest(REST_MS))) log.warn(`drivers still start after ${REST_MS / 1000} s: not waited for`);
}

/**
 * Every machine gives the image it runs to others. One that has it on a medium of its own begins when it has a network,
 * and so takes nothing of the time until its login.
 */
function serveImage({ name, id, candidate, daemon }: SoundImage, root: BuiltRoot, options: BootOptions): string {
  if (daemon !== undefined) return 'the daemon below the root gives the image to others';
  if (id === undefined || candidate.indexPath === undefined) return 'not given to others: the image has no index';
  startFieldDaemon(localDaemon({ name, id, path: root.imagePath }, options, false), 'with the network');
  return 'the image is given to others as soon as there is a network';
}
