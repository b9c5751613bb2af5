import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { join } from 'node:path';
import type { Lease } from './lease.ts';

/** What a lease says beside addresses, for those who set up the image's system: it is written while the machine boots. */
export interface LeaseFacts {
  /** Option 12, else what DNS calls the address (reverse-name.ts). */
  readonly hostname: string | undefined;
  /** Time servers, option 42. */
  readonly ntp: readonly string[];
}

const FILE = 'lease.json';
const NOTHING: LeaseFacts = { hostname: undefined, ntp: [] };

/** @param directory /run/viver */
export function writeLeaseFacts(directory: string, { hostname, ntp }: Pick<Lease, 'hostname' | 'ntp'>): void {
  writeFileSync(join(directory, FILE), `${JSON.stringify({ hostname, ntp })}\n`);
}

/** @throws SyntaxError when somebody else wrote the file */
export function readLeaseFacts(directory: string): LeaseFacts {
  const path = join(directory, FILE);
  if (!existsSync(path)) return NOTHING;
  const { hostname, ntp } = JSON.parse(readFileSync(path, 'utf8')) as Partial<LeaseFacts>;
  return { hostname, ntp: (ntp ?? []).filter((address) => isIPv4(address)) };
}
