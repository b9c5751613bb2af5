import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { createSecureContext, rootCertificates, type SecureContext, type TLSSocket } from 'node:tls';

/** Certificates that a person has put into the initrd, or that the environment names. */
const OWN_ROOTS = '/etc/viver/ca.pem';
/** What OpenSSL says of a certificate that is sound but for its dates. */
const DATES: ReadonlySet<string> = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);
/** Certificates from the server's own to its root. */
const CHAIN_LIMIT = 8;

let roots: readonly string[] | undefined;
let context: SecureContext | undefined;

/** For connections to all servers: to read the roots takes some milliseconds. */
export function trustContext(): SecureContext {
  context ??= createSecureContext({ ca: [...trustedRoots()] });
  return context;
}

/** Who may say that a server is who it says: Node's list and a person's own. */
export function trustedRoots(): readonly string[] {
  if (roots !== undefined) return roots;
  const own: string[] = [];
  for (const path of [process.env.SSL_CERT_FILE, OWN_ROOTS]) {
    if (path === undefined) continue;
    try {
      own.push(
        ...(readFileSync(path, 'latin1').match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []),
      );
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
  }
  roots = [...own, ...rootCertificates];
  return roots;
}

/**
 * Whether a server is who it should be. What it gives is checked by its hash, so that a wrong date (a machine with a dead
 * clock has one) is no reason to refuse it. OpenSSL names the last fault alone, and dates are looked at last: with such a
 * fault the rest is checked here.
 * @returns `sound`, `date`: all but that; else why not, in words
 */
export function judgeCertificate(socket: TLSSocket, host: string, trusted = trustedRoots()): 'sound' | 'date' | string {
  if (socket.authorized) return 'sound';
  const fault = String(socket.authorizationError);
  if (fault === 'ERR_TLS_CERT_ALTNAME_INVALID') return `is not for ${host}`;
  if (!DATES.has(fault)) return fault;
  const leaf = socket.getPeerX509Certificate();
  if (leaf === undefined) return fault;
  const isFor = isIP(host) === 0 ? leaf.checkHost(host) : leaf.checkIP(host);
  if (isFor === undefined) return `is not for ${host}`;
  return isTrusted(leaf, trusted) ? 'date' : 'is signed by nobody who is trusted';
}

function isTrusted(leaf: X509Certificate, trusted: readonly string[]): boolean {
  const roots = trusted.map((pem) => new X509Certificate(pem));
  let certificate = leaf;
  for (let depth = 0; depth < CHAIN_LIMIT; depth++) {
    for (const root of roots) {
      if (root.fingerprint256 === certificate.fingerprint256) return true;
      if (isIssuer(root, certificate)) return true;
    }
    const issuer = certificate.issuerCertificate;
    if (issuer === undefined || issuer.fingerprint256 === certificate.fingerprint256) return false;
    if (!isIssuer(issuer, certificate)) return false;
    certificate = issuer;
  }
  return false;
}

function isIssuer(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}
