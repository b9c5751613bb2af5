import { spawn } from 'node:child_process';

const PROBES = 2;

/**
 * Whether somebody on the link has this IPv4 address (RFC 5227, section 2.1: ARP probes from no address).
 * @throws Error when the question cannot be asked
 */
export function isAddressTaken(interfaceName: string, address: string, busybox: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      busybox,
      ['arping', '-D', '-q', '-c', `${PROBES}`, '-w', `${PROBES}`, '-I', interfaceName, address],
      {
        stdio: 'ignore',
      },
    );
    child.once('error', (cause) => reject(new Error(`arping on ${interfaceName} cannot be started`, { cause })));
    // networking/arping.c: 0 when nobody answered a duplicate address probe
    child.once('exit', (code) => resolve(code !== 0));
  });
}
