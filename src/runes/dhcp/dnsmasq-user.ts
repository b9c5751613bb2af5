import { readFileSync } from 'node:fs';

/** Whom dnsmasq becomes once it has its ports. */
const UNPRIVILEGED = 'nobody';

/**
 * dnsmasq ends at once where the image does not know its user. Such an image (BusyBox alone, most often) has nobody else
 * it could become: it stays root there.
 * @param passwd passwd(5) of the running system; undefined when there is none
 */
export function dnsmasqUser(passwd: string | undefined = readPasswd()): readonly string[] {
  const isKnown = passwd?.split('\n').some((line) => line.startsWith(`${UNPRIVILEGED}:`)) ?? false;
  return isKnown ? [] : ['--user=root', '--group=root'];
}

function readPasswd(): string | undefined {
  try {
    return readFileSync('/etc/passwd', 'utf8');
  } catch {
    return undefined; // an image without users has none of that name
  }
}
