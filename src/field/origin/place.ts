/** A web server that has images, as a person names it: `http[s]://[USER:PASSWORD@]HOST[:PORT]/PATH`. */
export interface OriginPlace {
  /** Without user and password; ends with `/` unless it names one image. */
  readonly url: URL;
  /** What is said of it in logs and status: never a secret. */
  readonly name: string;
  /** The value of the header of that name; undefined: it asks for none. */
  readonly authorization: string | undefined;
  /** `store`: chunk files below the URL; `image`: the URL is the image itself, which ranges are asked of. */
  readonly kind: 'store' | 'image';
  /** The host is a DNS service name (`_http._tcp.example.org`), whose SRV records name the servers. */
  readonly isService: boolean;
}

/**
 * With a user, a password is sent as HTTP Basic (RFC 7617); with an empty user (`https://:TOKEN@host/`) it is a bearer token
 * (RFC 6750).
 * @throws Error when it is no http or https URL; no secret is in its message
 */
export function parseOrigin(text: string): OriginPlace {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new Error(`'${hideSecret(text)}' is no http or https URL`);
  if (url.search !== '' || url.hash !== '') throw new Error(`'${hideSecret(text)}': an origin has no ? and no #`);
  const authorization = authorizationOf(decode(url.username), decode(url.password));
  url.username = '';
  url.password = '';
  const kind = url.pathname.endsWith('.sqfs') ? 'image' : 'store';
  if (kind === 'store' && !url.pathname.endsWith('/')) url.pathname += '/';
  return { url, name: url.href, authorization, kind, isService: url.hostname.startsWith('_') };
}

export function authorizationOf(user: string, password: string): string | undefined {
  if (user === '') return password === '' ? undefined : `Bearer ${password.replace(/[^\x21-\x7e]/g, '')}`;
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

/** The port that a URL means. */
export function portOf(url: URL): number {
  return url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
}

/** The host, an IPv6 address without its brackets. */
export function hostOf(url: URL): string {
  return url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
}

function hideSecret(text: string): string {
  return text.replace(/[^/@]*@/, '…@').replace(/[?#].*$/s, '?…');
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a % that stands for itself
  }
}
