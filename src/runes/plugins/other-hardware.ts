import { linkFileFor, netRulesFor } from '../../root/installed/device-names.ts';
import {
  adjtimeFor,
  FOREIGN_GENERATORS,
  FOREIGN_SERVICES,
  type ForeignService,
  HARDWARE_STATES,
} from '../../root/installed/services.ts';
import { DROP_INS } from '../../root/installed/units.ts';
import { disableService } from '../disable-service.ts';
import { definePlugin } from '../engine/plugin.ts';
import type { NewRoot } from '../new-root.ts';

const RULES = '/etc/udev/rules.d';
const LINKS = '/etc/systemd/network';
const ADJTIME = '/etc/adjtime';
/** Which swap an initramfs made in the running system would wake up from. */
const RESUME = '/etc/initramfs-tools/conf.d/resume';

function forgetNames(root: NewRoot): void {
  for (const name of root.names(RULES)) {
    const path = `${RULES}/${name}`;
    const before = name.endsWith('.rules') && root.isOfImage(path) ? root.read(path) : undefined;
    const { text, dropped } = netRulesFor(before ?? '');
    if (dropped === 0) continue;
    root.write(path, text);
    root.note(`${path}: ${dropped} names of network interfaces`);
  }
  for (const name of root.names(LINKS)) {
    const path = `${LINKS}/${name}`;
    const before = name.endsWith('.link') && root.isOfImage(path) ? root.read(path) : undefined;
    const text = before === undefined ? undefined : linkFileFor(before);
    if (text === undefined) continue;
    root.write(path, text);
    root.note(`${path}: a name of a network interface`);
  }
}

/** Whether what a service works by is as the image has it, or not there at all. */
function isOfOther(root: NewRoot, { by }: ForeignService): boolean {
  if (by === undefined || !root.has(by)) return true;
  const names = root.names(by).map((name) => `${by}/${name}`);
  return (names.length > 0 ? names : [by]).every((path) => root.isOfImage(path));
}

function disableServices(root: NewRoot): void {
  for (const service of FOREIGN_SERVICES) {
    if (!isOfOther(root, service) || !disableService(root, service.name)) continue;
    root.note(`${service.name} is not started: ${service.why}`);
  }
  if (root.init !== 'systemd') return;
  for (const generator of FOREIGN_GENERATORS) {
    const isThere = ['/usr/lib', '/lib', '/etc'].some((at) =>
      root.has(`${at}/systemd/system-generators/${generator.name}`),
    );
    if (!isThere || !isOfOther(root, generator)) continue;
    root.link(`/run/systemd/system-generators/${generator.name}`, '/dev/null');
    root.note(`${generator.name} is not asked: ${generator.why}`);
  }
  // A driver for hardware of another machine refuses to start here, which systemd takes for a failure of the service.
  if (root.has('/etc/modules') || root.names('/etc/modules-load.d').length > 0)
    root.write(`${DROP_INS}/systemd-modules-load.service.d/viver.conf`, '[Service]\nSuccessExitStatus=1\n');
}

function forgetResume(root: NewRoot): void {
  if (root.read(RESUME) === undefined || !root.isOfImage(RESUME)) return;
  root.write(RESUME, '# VIVER: there is nothing to wake up from.\nRESUME=none\n');
  root.note(`${RESUME}: no swap of another machine`);
}

function forgetStates(root: NewRoot): void {
  for (const { directory, name, why } of HARDWARE_STATES) {
    const paths = root.names(directory).filter((one) => name.test(one));
    const own = paths.map((one) => `${directory}/${one}`).filter((path) => root.isOfImage(path));
    for (const path of own) root.remove(path);
    if (own.length > 0) root.note(`${directory}: not used, ${why}`);
  }
  const adjtime = root.isOfImage(ADJTIME) ? adjtimeFor(root.read(ADJTIME) ?? '') : undefined;
  if (adjtime === undefined) return;
  root.write(ADJTIME, adjtime);
  root.note(`${ADJTIME}: not used, the drift of another clock`);
}

export default definePlugin({
  name: 'other-hardware',
  summary:
    'names, services and settings for the boards, cards and pools of the machine the image was installed on are left aside',
  prepare(root) {
    forgetNames(root);
    disableServices(root);
    forgetResume(root);
    forgetStates(root);
  },
});
