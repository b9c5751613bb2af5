import { Resolver } from 'node:dns/promises';
import { isNetworkName } from './host-name.ts';

/** A server of the own network answers at once; nothing waits for this one's. */
const TRY_MS = 1500;
const TRIES = 2;
/** Of all servers together: a DHCP answer may name dozens. */
const IN_ALL_MS = 6000;

/**
 * What the name servers call an address (PTR, RFC 1035 section 3.5), as far as it can be a machine's name.
 * @param servers IPv4 addresses, a port after a colon where it is not 53; asked one after another
 * @returns undefined where none is known or nobody answers, after six seconds at most
 */
export async function reverseName(address: string, servers: readonly string[]): Promise<string | undefined> {
  if (servers.length === 0) return undefined;
  const resolver = new Resolver({ timeout: TRY_MS, tries: TRIES });
  resolver.setServers(servers);
  const late = setTimeout(() => resolver.cancel(), IN_ALL_MS);
  // Most addresses have no name: that is no error.
  const names: string[] = await resolver.reverse(address).catch(() => []);
  clearTimeout(late);
  return names.filter(isNetworkName).sort()[0]; // of several the same at each boot
}
