import { readFileSync } from 'node:fs';
import { hasCode } from '../../linux/errno.ts';
import { type ChosenRole, chooseRole, type Role } from '../engine/roles.ts';
import { hostnameFor } from '../plugins/hostname.ts';

/** `52:54:00:12:34:56` of what iPXE says, with hyphens; undefined for what is none. */
export function macOf(text: string | null): string | undefined {
  const mac = text?.toLowerCase().replaceAll('-', ':');
  return mac !== undefined && /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac) ? mac : undefined;
}

/** The name that the image gives its machines, before each has its own. */
export function imageHostname(image: string): string | undefined {
  try {
    return readFileSync(`${image}/etc/hostname`, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EACCES')) return undefined;
    throw error;
  }
}

/**
 * The role of a machine that boots from here: by what it will be, so that it finds itself in the same role when it runs.
 * Pure.
 */
export function clientRole(
  roles: readonly Role[],
  { mac, address, hostname }: { readonly mac: string; readonly address: string; readonly hostname: string | undefined },
): ChosenRole {
  const machine = { ...factsOf(mac), addresses: [address], booted: 'network' as const, image: undefined };
  return chooseRole({ ...machine, hostname: clientHostname(mac, hostname) }, roles, undefined);
}

/** The name that a machine gives itself, where no DHCP server names it. Pure. */
export function clientHostname(mac: string, named: string | undefined): string {
  return hostnameFor(factsOf(mac), named);
}

function factsOf(mac: string) {
  return { commandLine: '', bootMac: mac, macs: [mac], uuid: undefined, chance: '' };
}
