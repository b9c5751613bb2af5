import { lookup, Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';

/** One server behind a name. */
export interface Endpoint {
  /** The name it is asked for by (Host, and TLS's server name). */
  readonly host: string;
  /** Its address. */
  readonly address: string;
  readonly port: number;
  /** Of an SRV record; lower ones are asked first. */
  readonly priority: number;
}

export interface Answers {
  readonly endpoints: readonly Endpoint[];
  /** How long they are good for. */
  readonly ttlMs: number;
}

/** What DNS is asked; the tests have their own. Node's `Resolver` is one. */
export interface NameServer {
  resolve4(name: string, options: { ttl: true }): Promise<{ address: string; ttl: number }[]>;
  resolve6(name: string, options: { ttl: true }): Promise<{ address: string; ttl: number }[]>;
  resolveSrv(name: string): Promise<{ name: string; port: number; priority: number }[]>;
  /** The system's own way, with /etc/hosts. */
  lookup(name: string): Promise<{ address: string }[]>;
}

/** No server can have a name asked for more often, or have an old answer kept for longer. */
const TTL_LEAST_MS = 1000;
const TTL_MOST_MS = 300_000;
/** Of answers without a time to live: /etc/hosts, SRV (Node does not tell theirs). */
const TTL_UNKNOWN_MS = 10_000;
/** Servers behind one name. */
const ENDPOINTS_LIMIT = 64;
const SERVICES_LIMIT = 16;
const DNS_TIMEOUT_MS = 1500;

/** @param servers the network's name servers; none: those of /etc/resolv.conf */
export function systemNames(servers: readonly string[]): NameServer {
  // Made anew for each question: the network, and its servers, may have changed.
  const resolver = new Resolver({ timeout: DNS_TIMEOUT_MS, tries: 2 });
  if (servers.length > 0) resolver.setServers(servers);
  return {
    resolve4: (name, options) => resolver.resolve4(name, options),
    resolve6: (name, options) => resolver.resolve6(name, options),
    resolveSrv: (name) => resolver.resolveSrv(name),
    lookup: (name) => lookup(name, { all: true }),
  };
}

/**
 * The servers that a host name, an address, or the name of a service (SRV, RFC 2782) stands for.
 * @throws Error when nobody knows it
 */
export async function resolveHost(host: string, port: number, isService: boolean, names: NameServer): Promise<Answers> {
  if (!isService) return await resolveName(host, port, 0, names);
  const services = await names.resolveSrv(host);
  const found = await Promise.allSettled(
    services.slice(0, SERVICES_LIMIT).map(({ name, port, priority }) => resolveName(name, port, priority, names)),
  );
  const answers = found.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const endpoints = answers.flatMap(({ endpoints }) => endpoints).slice(0, ENDPOINTS_LIMIT);
  if (endpoints.length === 0) throw new Error(`none of the servers that ${host} names has an address`);
  return { endpoints, ttlMs: Math.min(TTL_UNKNOWN_MS, ...answers.map(({ ttlMs }) => ttlMs)) };
}

async function resolveName(host: string, port: number, priority: number, names: NameServer): Promise<Answers> {
  const endpoint = (address: string): Endpoint => ({ host, address, port, priority });
  if (isIP(host) !== 0) return { endpoints: [endpoint(host)], ttlMs: TTL_MOST_MS };
  const found = await Promise.allSettled([names.resolve4(host, { ttl: true }), names.resolve6(host, { ttl: true })]);
  const records = found.flatMap((each) => (each.status === 'fulfilled' ? each.value : [])).slice(0, ENDPOINTS_LIMIT);
  if (records.length > 0) {
    const ttlMs = Math.min(...records.map(({ ttl }) => ttl * 1000));
    return {
      endpoints: records.map(({ address }) => endpoint(address)),
      ttlMs: Math.max(TTL_LEAST_MS, Math.min(ttlMs, TTL_MOST_MS)),
    };
  }
  const addresses = await names.lookup(host);
  if (addresses.length === 0) throw new Error(`nobody knows ${host}`);
  const unique = [...new Set(addresses.map(({ address }) => address))].slice(0, ENDPOINTS_LIMIT);
  return { endpoints: unique.map(endpoint), ttlMs: TTL_UNKNOWN_MS };
}
