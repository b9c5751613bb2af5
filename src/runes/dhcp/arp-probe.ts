import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const PROBES = 2;
/** networking/arping.c of BusyBox: `Unicast reply from 10.0.0.1 [52:54:00:12:34:56] 0.215ms` */
const REPLY = /\[([0-9a-f]{2}(?::[0-9a-f]{2}){5})\]/i;

/**
 * Who else on the link has this IPv4 address (RFC 5227, section 2.1: ARP probes from no address).
 * @returns the MAC of the last that answered, in small letters; undefined: nobody did
 * @throws Error when the question cannot be asked
 */
export function findHolder(interfaceName: string, address: string, busybox: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const words = ['arping', '-D', '-c', `${PROBES}`, '-w', `${PROBES}`, '-I', interfaceName, address];
    const child = spawn(busybox, words, { stdio: ['ignore', 'pipe', 'ignore'] });
    let mac: string | undefined;
    createInterface({ input: child.stdout }).on('line', (line) => {
      mac = REPLY.exec(line)?.[1]?.toLowerCase() ?? mac;
    });
    child.once('error', (cause) => reject(new Error(`arping on ${interfaceName} cannot be started`, { cause })));
    // 0 when nobody answered a duplicate address probe
    child.once('close', (code) => resolve(code === 0 ? undefined : (mac ?? 'unknown')));
  });
}

/** Whether somebody on the link has this IPv4 address. @throws Error when the question cannot be asked */
export async function isAddressTaken(interfaceName: string, address: string, busybox: string): Promise<boolean> {
  return (await findHolder(interfaceName, address, busybox)) !== undefined;
}

/**
 * Whether this machine gives up an address that another one has taken in the same moment. Both find out, and one of them
 * must stay: the one with the lower MAC does. Pure.
 */
export function givesWay(mac: string, holder: string): boolean {
  return holder !== 'unknown' && holder < mac.toLowerCase();
}
