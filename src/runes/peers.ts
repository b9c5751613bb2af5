import { type Agent, get } from 'node:http';
import { isIPv4 } from 'node:net';
import type { FieldStatus } from '../field/status.ts';
import { checkMachineStatus, type MachineStatus } from './machine-status.ts';
import { HTTP_PORT } from './places.ts';

/** How much is asked: who it is; what the status page shows of it, which is small; all, its view of the field too. */
export type Extent = 'brief' | 'row' | 'whole';

/** A machine that answers with more does not get it read. */
export const LARGEST_BYTES: Readonly<Record<Extent, number>> = { brief: 1 << 18, row: 1 << 17, whole: 16 << 20 };

const PATHS: Readonly<Record<Extent, string>> = {
  brief: '/status.json?brief',
  row: '/status.json?row',
  whole: '/status.json',
};

/** The host of `1.2.3.4:5` or `[::1]:5`. */
export function hostOf(address: string): string {
  return address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}

/** Why there is no status: nobody listens there, nobody answers, or what is answered is none. */
export class NoStatusError extends Error {
  override readonly name = 'NoStatusError';
  readonly kind: 'refused' | 'silent' | 'broken';

  constructor(host: string, kind: NoStatusError['kind'], cause: unknown) {
    super(`no status from ${host}`, { cause });
    this.kind = kind;
  }
}

const isRefusal = (error: unknown) => error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';

function parseAnswer(text: string): MachineStatus {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('no JSON'); // the parser's own words quote what it read
  }
  return checkMachineStatus(value);
}

/**
 * Asks a machine for its status.
 * @param extent anything but `whole` leaves out what takes it time
 * @param agent keeps connections for who asks again and again; without one each question has its own
 * @throws NoStatusError when it does not answer in time, or with nonsense
 */
export function fetchStatus(
  host: string,
  timeoutMs: number,
  extent: Extent,
  agent: Agent | false = false,
): Promise<MachineStatus> {
  return new Promise((resolve, reject) => {
    const none = (kind: NoStatusError['kind']) => (cause: unknown) => reject(new NoStatusError(host, kind, cause));
    const [broken, silent, refused] = [none('broken'), none('silent'), none('refused')];
    const signal = AbortSignal.timeout(timeoutMs);
    const request = get({ host, port: HTTP_PORT, path: PATHS[extent], agent, signal });
    request.once('error', (error: Error) => {
      // what follows an answer that began is no HTTP, or has no end in time
      if (isRefusal(error)) refused(error);
      else if ('code' in error && String(error.code).startsWith('HPE_')) broken(error);
      else silent(signal.aborted ? new Error(`no answer within ${timeoutMs / 1000} s`) : error);
    });
    request.once('response', (response) => {
      const parts: Buffer[] = [];
      let size = 0;
      response.on('error', (error) =>
        signal.aborted ? silent(new Error('an answer that never ends')) : broken(error),
      );
      response.on('data', (part: Buffer) => {
        parts.push(part);
        size += part.length;
        if (size <= LARGEST_BYTES[extent]) return;
        broken(new Error('a status without end'));
        request.destroy();
      });
      response.once('end', () => {
        try {
          if (response.statusCode !== 200) throw new Error(`it answers ${response.statusCode}`);
          resolve(parseAnswer(Buffer.concat(parts).toString()));
        } catch (error) {
          broken(error);
        }
      });
    });
  });
}

/** A field has thousands of machines; the fewest of them are needed to give boot files. */
const MOST_ASKED = 256;

/**
 * The statuses of the machines of a field, this one not among them; those that do not answer are left out. Each is at the
 * address where it was asked, whatever it says: boot files are loaded from there.
 */
export async function fetchStatuses(
  field: Pick<FieldStatus, 'peers'>,
  timeoutMs: number,
  extent: Extent,
): Promise<readonly MachineStatus[]> {
  const hosts = new Set(field.peers.map(({ address }) => hostOf(address)).filter((host) => isIPv4(host)));
  const asked = [...hosts].slice(0, MOST_ASKED).map(async (host) => {
    return { ...(await fetchStatus(host, timeoutMs, extent)), address: host };
  });
  const settled = await Promise.allSettled(asked);
  return settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}
