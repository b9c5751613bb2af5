import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Device, readAllDevices } from '../hardware/device.ts';
import { classifyDevice } from '../hardware/device-class.ts';
import { type SysTree, sysTree } from '../hardware/sys-tree.ts';
import type { Link } from '../linux/netlink/rtnetlink.ts';

const RUN = '/run/udev';

/** udev's (or eudev's) data base has each network device that it has seen to. Where there is no udev nobody names any. */
export function isNamedByUdev({ index }: Pick<Link, 'index'>, run = RUN): boolean {
  return !existsSync(join(run, 'control')) || existsSync(join(run, `data/n${index}`));
}

/**
 * Whether nothing has come of a network card yet: it has no driver, or one that still sets it up, as those do that load
 * firmware first. A virtio card's interface lies below a child of the card. Of USB's interfaces only some are cards.
 */
function isUnfinished(device: Device, interfaces: readonly string[]): boolean {
  if (classifyDevice(device).class !== 'network') return false;
  if (device.driver === undefined) return true;
  return device.bus !== 'usb' && !interfaces.some((path) => path.startsWith(`/sys${device.path}/`));
}

/**
 * Whether udev has still to see to a network card: to name one that is there, or to load the driver of one, which is so
 * only as long as events wait (/run/udev/queue, as `udevadm settle` looks at it).
 */
export function udevIsAtCards(
  links: readonly Pick<Link, 'index'>[],
  run: string = RUN,
  tree: SysTree = sysTree(),
): boolean {
  if (links.some((link) => !isNamedByUdev(link, run))) return true;
  if (!existsSync(join(run, 'control')) || !existsSync(join(run, 'queue'))) return false;
  const interfaces = tree.list('/sys/class/net').flatMap((name) => tree.link(`/sys/class/net/${name}`) ?? []);
  return readAllDevices(tree).some((device) => isUnfinished(device, interfaces));
}
