import { readFileSync } from 'node:fs';
import { setHostname } from '../../linux/process.ts';
import { sha256 } from '../../linux/sha256.ts';
import { isHostName, isNetworkName } from '../../net/host-name.ts';
import { readLeaseFacts } from '../../net/lease-facts.ts';
import {
  type HardwareMarks,
  hardwareMark,
  isMachineId,
  isRealUuid,
  machineIdOf,
} from '../../root/installed/machine-id.ts';
import { definePlugin } from '../engine/plugin.ts';
import { readHardwareMarks } from '../hardware-marks.ts';
import { type Machine, wordOf } from '../machine.ts';
import type { NewRoot } from '../new-root.ts';
import { RUN_DIRECTORY } from '../places.ts';

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
  return isRealUuid(uuid) ? sha256(Buffer.from(uuid.toLowerCase())).toString('hex').slice(0, 6) : chance;
}

/**
 * A name no other machine of the network has: `viver.hostname=`, else what the network calls this machine (option 12 of
 * DHCP, else DNS by its address), else the image's own name with six digits: the last half of the MAC the machine was
 * booted by (or the first it has), else of its main board's UUID. Pure.
 */
export function hostnameFor(marks: Marks, image: string | undefined, leased?: string): string {
  const asked = wordOf(marks.commandLine, 'viver.hostname');
  if (asked !== undefined && isHostName(asked)) return asked;
  if (leased !== undefined && isNetworkName(leased)) return leased;
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

/**
 * The machine id: what the kernel's word says, else of the hardware, so that it is the same at every boot and on no other
 * machine, whatever the image has. A machine without marks keeps what it has on a disk of its own. Pure.
 * @param kept what earlier boots left, if that is not the image's own
 */
export function machineIdFor(
  commandLine: string,
  marks: HardwareMarks,
  kept: string | undefined,
  chance: string,
): string {
  const asked = wordOf(commandLine, 'systemd.machine_id')?.replaceAll('-', '');
  if (asked !== undefined && isMachineId(asked)) return asked;
  const mark = hardwareMark(marks);
  if (mark !== undefined) return machineIdOf(mark);
  return kept !== undefined && isMachineId(kept) ? kept : chance;
}

const MACHINE_ID = '/etc/machine-id';
const DBUS_ID = '/var/lib/dbus/machine-id';

export function writeMachineId(root: NewRoot, marks: HardwareMarks): void {
  const kept = root.isOfImage(MACHINE_ID) ? undefined : root.read(MACHINE_ID)?.trim();
  const id = machineIdFor(root.machine.commandLine, marks, kept, machineIdOf(readChance()));
  root.write(MACHINE_ID, `${id}\n`, 0o444);
  // Mostly a link to the other one; dbus-uuidgen(1) made a file of its own where there was none.
  if (root.read(DBUS_ID) !== undefined) root.write(DBUS_ID, `${id}\n`, 0o444);
  root.note(
    `machine id by its ${hardwareMark(marks)?.split(' ')[0] ?? 'chance: it has neither a UUID nor a network card'}`,
  );
}

/** Not node:crypto's: that waits until the kernel has gathered what keys need, a second and more without RDRAND. */
const readChance = () => readFileSync('/proc/sys/kernel/random/uuid', 'utf8').trim();

export default definePlugin({
  name: 'hostname',
  summary: 'a host name and a machine id that no other machine of the same image has',
  prepare(root) {
    const { machine } = root;
    const marks = readHardwareMarks(machine);
    const name = hostnameFor(
      { ...machine, uuid: marks.uuid, chance: readChance().slice(0, 6) },
      root.read('/etc/hostname'),
      readLeaseFacts(RUN_DIRECTORY).hostname,
    );
    root.write('/etc/hostname', `${name}\n`);
    root.write('/etc/hosts', hostsWith(root.read('/etc/hosts'), name));
    // For init systems that set it late or never.
    setHostname(name);
    root.note(`host name ${name}`);
    writeMachineId(root, marks);
  },
});
