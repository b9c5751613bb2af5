import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readAllDevices } from '../hardware/device.ts';
import { classifyDevice } from '../hardware/device-class.ts';
import { type SysTree, sysTree } from '../hardware/sys-tree.ts';
import type { Link } from '../linux/netlink/rtnetlink.ts';

/**
 * Whether udev (or eudev) has still to see to a network card: to name one that is there (its data base then has it), or
 * to load the driver of one that has none, which is so only as long as events wait (/run/udev/queue, as `udevadm settle`
 * looks at it).
 */
export function udevIsAtCards(
  links: readonly Pick<Link, 'index'>[],
  run = '/run/udev',
  tree: SysTree = sysTree(),
): boolean {
  if (!existsSync(join(run, 'control'))) return false; // there is none
  if (links.some(({ index }) => !existsSync(join(run, `data/n${index}`)))) return true;
  if (!existsSync(join(run, 'queue'))) return false;
  return readAllDevices(tree).some(
    (device) => device.driver === undefined && classifyDevice(device).class === 'network',
  );
}
