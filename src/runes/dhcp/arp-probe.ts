import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const PROBES = 2;
/** networking/arping.c of BusyBox: `Unicast reply from 10.0.0.1 [52:54:00:12:34:56] 0.215ms` */
const REPLY = /\[([0-9a-f]{2}(?::[0-9a-f]{2}){5})\]/i;

/**
 * Who else on the link has this IPv4 address (RFC 5227, section 2.1: ARP probes from no address).
 * @param own MACs of this machine: the kernel answers by each of its cards for the addresses of all of them, and two may be
 * plugged into one switch
 * @returns the MAC of the last that answered, in small letters; undefined: nobody did
 * @throws Error when the question cannot be asked
 */
export function findHolder(
  interfaceName: string,
  address: string,
  { busybox, own }: { readonly busybox: string; readonly own: readonly string[] },
): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const words = ['arping', '-D', '-c', `${PROBES}`, '-w', `${PROBES}`, '-I', interfaceName, address];
    const child = spawn(busybox, words, { stdio: ['ignore', 'pipe', 'ignore'] });
    const macs: string[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => {
      const mac = REPLY.exec(line)?.[1]?.toLowerCase();
      if (mac !== undefined) macs.push(mac);
    });
    child.once('error', (cause) => reject(new Error(`arping on ${interfaceName} cannot be started`, { cause })));
    // 0 when nobody answered a duplicate address probe
    child.once('close', (code) => resolve(code === 0 ? undefined : holderOf(macs, own)));
  });
}

/** Whether somebody on the link has this IPv4 address. @throws Error when the question cannot be asked */
export async function isAddressTaken(interfaceName: string, address: string, busybox: string): Promise<boolean> {
  return (await findHolder(interfaceName, address, { busybox, own: [] })) !== undefined;
}

/** Of those that answered, or of something that did. Pure. */
export function holderOf(macs: readonly string[], own: readonly string[]): string | undefined {
  if (macs.length === 0) return 'unknown';
  const ours = new Set(own.map((mac) => mac.toLowerCase()));
  return macs.findLast((mac) => !ours.has(mac));
}
