import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { resolvConf } from '../../net/address-plan.ts';
import { RUN_DIRECTORY } from '../places.ts';
import { definePlugin } from '../plugin.ts';

const RESOLV = '/etc/resolv.conf';
/** Written before the switch or after it, whichever knows the servers; the image's file is a link to it. */
const OURS = `${RUN_DIRECTORY}/resolv.conf`;

/** Whether a program of the image keeps the file by itself, so that it is left alone. */
function isKept(has: (path: string) => boolean): boolean {
  return [
    '/lib/systemd/systemd-resolved',
    '/usr/lib/systemd/systemd-resolved',
    '/sbin/resolvconf',
    '/usr/sbin/resolvconf',
  ].some(has);
}

export default definePlugin({
  name: 'resolv',
  summary: "the network's name servers in /etc/resolv.conf, unless a program of the image keeps that file",
  requires: ['address'],
  prepare(root) {
    if (isKept((path) => root.has(path))) return;
    const text = root.read(RESOLV);
    // what somebody put into the image on purpose stays
    if (text !== undefined && /^\s*nameserver\s/m.test(text)) return;
    root.link(RESOLV, OURS);
    root.note(`${RESOLV} leads to ${OURS}`);
  },
  async start(context) {
    const { dns } = await context.ask('address').network();
    const text = resolvConf({ dns, search: [] });
    if (text !== undefined) await writeFile(OURS, text);
    else if (!existsSync(OURS)) await writeFile(OURS, '# VIVER: this network has no name server\n');
    return {};
  },
});
