import { get } from 'node:http';
import type { FieldStatus } from '../field/status.ts';
import { type MachineStatus, parseMachineStatus } from './machine-status.ts';
import { HTTP_PORT } from './places.ts';

const LARGEST_STATUS = 16 << 20;

/** The host of `1.2.3.4:5` or `[::1]:5`. */
export function hostOf(address: string): string {
  return address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}

/**
 * Asks a machine for its status.
 * @param extent `brief` leaves out the field and the strip, which take it time
 * @throws Error when it does not answer in time, or with nonsense
 */
export function fetchStatus(host: string, timeoutMs: number, extent: 'brief' | 'whole'): Promise<MachineStatus> {
  const path = extent === 'brief' ? '/status.json?brief' : '/status.json';
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown) => reject(new Error(`no status from ${host}`, { cause }));
    const request = get({ host, port: HTTP_PORT, path, agent: false, signal: AbortSignal.timeout(timeoutMs) });
    request.once('error', fail);
    request.once('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('error', fail);
      response.on('data', (part: string) => {
        text += part;
        if (text.length > LARGEST_STATUS) request.destroy(new Error('a status without end'));
      });
      response.once('end', () => {
        try {
          resolve(parseMachineStatus(text));
        } catch (error) {
          fail(error);
        }
      });
    });
  });
}

/** The statuses of the machines of a field, this one not among them; those that do not answer are left out. */
export async function fetchStatuses(
  field: Pick<FieldStatus, 'peers'>,
  timeoutMs: number,
  extent: 'brief' | 'whole',
): Promise<readonly MachineStatus[]> {
  const asked = field.peers.map(({ address }) => fetchStatus(hostOf(address), timeoutMs, extent));
  const settled = await Promise.allSettled(asked);
  return settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}
