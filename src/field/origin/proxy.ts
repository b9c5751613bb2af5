import { BlockList, isIP } from 'node:net';
import { authorizationOf, hostOf, portOf } from './place.ts';

/** A proxy that the environment names. */
export interface HttpProxy {
  readonly host: string;
  readonly port: number;
  /** The value of Proxy-Authorization. */
  readonly authorization: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy for a URL, by the customs of curl: `http_proxy` (in small letters alone: a CGI script's client could set the
 * other), `https_proxy`, `all_proxy`, and `no_proxy`, a list of hosts, domains, addresses and networks.
 * @throws Error when the proxy is no http URL; no password is in its message
 */
export function proxyFor(url: URL, env: Environment): HttpProxy | undefined {
  const scheme = url.protocol === 'https:' ? 'https' : 'http';
  const own = scheme === 'http' ? env.http_proxy : (env.https_proxy ?? env.HTTPS_PROXY);
  const text = own || env.all_proxy || env.ALL_PROXY;
  if (text === undefined || text === '' || isExcepted(url, env.no_proxy ?? env.NO_PROXY ?? '')) return undefined;
  const full = text.includes('://') ? text : `http://${text}`;
  const proxy = URL.canParse(full) ? new URL(full) : undefined;
  if (proxy?.protocol !== 'http:') throw new Error(`the proxy that ${scheme}_proxy or all_proxy names is no http URL`);
  const authorization = authorizationOf(decodeURIComponent(proxy.username), decodeURIComponent(proxy.password));
  return { host: hostOf(proxy), port: portOf(proxy), authorization };
}

function isExcepted(url: URL, list: string): boolean {
  const host = hostOf(url).toLowerCase();
  for (const word of list.toLowerCase().split(/[\s,]+/)) {
    if (word === '') continue;
    if (word === '*' || isWithin(host, word)) return true;
    const [name, port] = /^\[?([^[\]]*?)\]?(?::(\d+))?$/.exec(word)?.slice(1) ?? [];
    if (port !== undefined && isIP(word) === 0 && Number(port) !== portOf(url)) continue;
    const bare = isIP(word) !== 0 ? word : (name ?? word).replace(/^\*?\./, '');
    if (host === bare || host.endsWith(`.${bare}`)) return true;
  }
  return false;
}

/** An address within ADDRESS/LENGTH. */
function isWithin(host: string, word: string): boolean {
  const [network = '', length = ''] = word.split('/');
  const family = isIP(network);
  if (family === 0 || isIP(host) !== family || !/^\d{1,3}$/.test(length)) return false;
  if (Number(length) > (family === 4 ? 32 : 128)) return false;
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const networks = new BlockList();
  networks.addSubnet(network, Number(length), type);
  return networks.check(host, type);
}
