import { readFileSync } from 'node:fs';
import { setHostname } from '../../linux/process.ts';
import { sha256 } from '../../linux/sha256.ts';
import { type Machine, wordOf } from '../machine.ts';
import { definePlugin } from '../plugin.ts';

/** The name in the image, as far as it tells the machines of one image apart: not at all. */
const FALLBACK = 'viver';

/** What tells one machine from another; `macs` may be empty before the switch, when drivers of cards are not loaded. */
export interface Marks extends Pick<Machine, 'commandLine' | 'bootMac' | 'macs'> {
  /** The main board's UUID (SMBIOS 2.6, 7.2.1), by /sys/class/dmi/id/product_uuid. */
  readonly uuid: string | undefined;
  /** Where there is nothing else: six digits by chance, another name at each boot. */
  readonly chance: string;
}

function markOf({ bootMac, macs, uuid, chance }: Marks): string {
  const mac = bootMac ?? [...macs].sort()[0];
  if (mac !== undefined) return mac.replaceAll(':', '').slice(6);
  const isReal = uuid !== undefined && /^[0-9a-f-]{36}$/i.test(uuid) && !/^[0f-]+$/i.test(uuid);
  return isReal ? sha256(Buffer.from(uuid.toLowerCase())).toString('hex').slice(0, 6) : chance;
}

/**
 * A name no other machine of the network has: `viver.hostname=`, else the image's own name with six digits: the last half
 * of the MAC the machine was booted by (or the first it has), else of its main board's UUID. Pure.
 */
export function hostnameFor(marks: Marks, image: string | undefined): string {
  const asked = wordOf(marks.commandLine, 'viver.hostname');
  if (asked !== undefined && /^(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*$/.test(asked))
    return asked;
  // a disk that keeps what is written has the name of an earlier boot
  const base = (image?.trim().split('.')[0] ?? '').replace(/(?<=.)-[0-9a-f]{6}$/, '');
  // RFC 1123, section 2.1
  const name = /^(?!-)[A-Za-z0-9-]{1,50}(?<!-)$/.test(base) && base !== 'localhost' ? base : FALLBACK;
  return `${name}-${markOf(marks)}`;
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
  const id = sha256(Buffer.from(`viver machine ${mac} ${image}`))
    .toString('hex')
    .slice(0, 32)
    .split('');
  // as systemd makes them: a random UUID, version 4
  id[12] = '4';
  id[16] = '89ab'[Number.parseInt(id[16] ?? '0', 16) & 3] ?? '8';
  return id.join('');
}

function readUuid(path = '/sys/class/dmi/id/product_uuid'): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined; // no SMBIOS, or not for us: there are other marks
  }
}

/** Not node:crypto's: that waits until the kernel has gathered what keys need, a second and more without RDRAND. */
const readChance = () => readFileSync('/proc/sys/kernel/random/uuid', 'utf8').slice(0, 6);

export default definePlugin({
  name: 'hostname',
  summary: 'a host name and a machine id that no other machine of the same image has',
  prepare(root) {
    const { machine } = root;
    const marks = { ...machine, uuid: readUuid(), chance: readChance() };
    const name = hostnameFor(marks, root.read('/etc/hostname'));
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
