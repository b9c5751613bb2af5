import { Resolver } from 'node:dns/promises';
import { isNetworkName } from './host-name.ts';

/** A server of the own network answers at once; nothing waits for this one's. */
const TRY_MS = 1500;
const TRIES = 2;
/** Of all servers together: a DHCP answer may name dozens. */
const IN_ALL_MS = 6000;
/** A machine has one name, or two. */
const MOST_NAMES = 4;

/**
 * What the name servers call an address (PTR, RFC 1035 section 3.5), as far as it can be a machine's name and leads back
 * to that address (RFC 1912 section 2.1): pools of addresses often have one name for all, which would be every machine's.
 * @param servers IPv4 addresses, a port after a colon where it is not 53; asked one after another
 * @returns undefined where none is known or nobody answers, after six seconds at most
 */
export async function reverseName(address: string, servers: readonly string[]): Promise<string | undefined> {
  if (servers.length === 0) return undefined;
  const resolver = new Resolver({ timeout: TRY_MS, tries: TRIES });
  resolver.setServers(servers);
  const late = setTimeout(() => resolver.cancel(), IN_ALL_MS);
  // Most addresses have no name, and some names no address: that is no error.
  const asked = async (answers: Promise<string[]>): Promise<readonly string[]> => await answers.catch(() => []);
  try {
    const names = (await asked(resolver.reverse(address))).filter(isNetworkName);
    // of several the same at each boot
    for (const name of [...new Set(names)].sort().slice(0, MOST_NAMES))
      if ((await asked(resolver.resolve4(name))).includes(address)) return name;
    return undefined;
  } finally {
    clearTimeout(late);
  }
}
