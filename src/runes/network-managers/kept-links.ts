import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RUN_DIRECTORY } from '../places.ts';

/** A network interface that VIVER itself has set up before the switch, or what such a one lies on (a VLAN's card). */
export interface KeptLink {
  readonly name: string;
  readonly mac: string;
}

/** The file by which /init and its DHCP client say which interface has which address. */
const ADDRESS_FILE = /^address-(?<name>.+)$/;

/**
 * What the image must leave alone from its first moment to the last: the links that have the address of the boot. None
 * on a machine whose root lies on a medium, unless `viver.ip=` asked for an address.
 */
export function readKeptLinks(directory = RUN_DIRECTORY, links = '/sys/class/net'): readonly KeptLink[] {
  if (!existsSync(directory)) return [];
  const named = readdirSync(directory).flatMap((file) => ADDRESS_FILE.exec(file)?.groups?.name ?? []);
  const found = new Map<string, KeptLink>();
  const see = (name: string) => {
    const address = join(links, name, 'address');
    if (found.has(name) || !existsSync(address)) return;
    found.set(name, { name, mac: readFileSync(address, 'utf8').trim() });
    for (const file of readdirSync(join(links, name))) if (file.startsWith('lower_')) see(file.slice('lower_'.length));
  };
  for (const name of named) see(name);
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
