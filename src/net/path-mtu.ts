import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { describeError } from '../linux/describe-error.ts';

const PROBING = '/proc/sys/net/ipv4/tcp_mtu_probing';

/**
 * Has TCP send smaller packets after some seconds where those of full size get lost without a word, as in a tunnel or behind
 * a bridge with a smaller MTU (RFC 4821; 1 of the kernel's ip-sysctl: only where that is noticed). By itself it would send
 * the same for ever. What somebody has set stays; the network works without it, so a kernel that refuses is only told of.
 */
export function probePathMtu(say: (line: string) => void): void {
  try {
    if (existsSync(PROBING) && readFileSync(PROBING, 'utf8').trim() === '0') writeFileSync(PROBING, '1\n');
  } catch (error) {
    say(describeError(error));
  }
}
