import { readFileSync } from 'node:fs';
import { hasCode } from '../linux/errno.ts';

/**
 * Links that have an IPv6 address for more than the link itself: a router or a DHCPv6 server has told them. Pure.
 * @param text of /proc/net/if_inet6: address, index, prefix length, scope, flags (all hexadecimal), name
 */
export function parseIpv6Links(text: string): ReadonlySet<string> {
  const rows = text.split('\n').map((row) => row.trim().split(/\s+/));
  // Scope 0: global, include/net/ipv6.h; a link's own is 20, the loopback's 10.
  return new Set(
    rows.flatMap(([address, , , scope, , name]) => (address !== '' && scope === '00' && name ? [name] : [])),
  );
}

export function readIpv6Links(path = '/proc/net/if_inet6'): ReadonlySet<string> {
  try {
    return parseIpv6Links(readFileSync(path, 'utf8'));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return new Set(); // a kernel without IPv6
    throw error;
  }
}
