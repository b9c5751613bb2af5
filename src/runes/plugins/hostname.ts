import { createHash } from 'node:crypto';
import { setHostname } from '../../linux/process.ts';
import { type Machine, wordOf } from '../machine.ts';
import { definePlugin } from '../plugin.ts';

/** The name in the image, as far as it tells the machines of one image apart: not at all. */
const FALLBACK = 'viver';

/**
 * A name no other machine of the network has: `viver.hostname=`, else the image's own name with the last half of the
 * MAC the machine was booted by (or the first it has). Pure.
 */
export function hostnameFor(
  machine: Pick<Machine, 'commandLine' | 'bootMac' | 'macs'>,
  image: string | undefined,
): string {
  const asked = wordOf(machine.commandLine, 'viver.hostname');
  if (asked !== undefined && /^(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*$/.test(asked))
    return asked;
  const base = image?.trim().split('.')[0] ?? '';
  const mac = machine.bootMac ?? [...machine.macs].sort()[0];
  const suffix = mac?.replaceAll(':', '').slice(6);
  // RFC 1123, section 2.1
  const name = /^(?!-)[A-Za-z0-9-]{1,50}(?<!-)$/.test(base) && base !== 'localhost' ? base : FALLBACK;
  // a disk that keeps what is written has the name of an earlier boot
  return suffix === undefined || name.endsWith(`-${suffix}`) ? name : `${name}-${suffix}`;
}

/** /etc/hosts with the new name instead of the old one, so that it resolves without a network. Pure. */
export function hostsWith(hosts: string | undefined, name: string): string {
  const rows = (hosts ?? '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n')
    .split('\n')
    .filter((row) => !/^\s*127\.0\.1\.1\s/.test(row));
  const at = rows.findIndex((row) => /^\s*127\.0\.0\.1\s/.test(row));
  rows.splice(at + 1, 0, `127.0.1.1\t${name}`);
  return `${rows.join('\n').replace(/\n*$/, '')}\n`;
}

/** A machine id of the MAC and the image: the same at every boot, another on each machine (machine-id(5)). */
export function machineIdFor(mac: string, image: string): string {
  const id = createHash('sha256').update(`viver machine ${mac} ${image}`).digest('hex').slice(0, 32).split('');
  // as systemd makes them: a random UUID, version 4
  id[12] = '4';
  id[16] = '89ab'[Number.parseInt(id[16] ?? '0', 16) & 3] ?? '8';
  return id.join('');
}

export default definePlugin({
  name: 'hostname',
  summary: 'a host name and a machine id that no other machine of the same image has',
  prepare(root) {
    const { machine } = root;
    const name = hostnameFor(machine, root.read('/etc/hostname'));
    root.write('/etc/hostname', `${name}\n`);
    root.write('/etc/hosts', hostsWith(root.read('/etc/hosts'), name));
    // For init systems that set it late or never.
    setHostname(name);
    const mac = machine.bootMac ?? [...machine.macs].sort()[0];
    const id = root.read('/etc/machine-id')?.trim() ?? '';
    const isNew = mac !== undefined && !/^[0-9a-f]{32}$/.test(id);
    if (isNew) root.write('/etc/machine-id', `${machineIdFor(mac, machine.image?.name ?? '')}\n`, 0o444);
    root.note(`host name ${name}${isNew ? ', a machine id of its MAC' : ''}`);
  },
});
