/** What the tests of the server share: servers in a directory of their own, closed after each test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import type { BlockSource } from '../../../src/nbd/block-source.ts';
import type { ConnectionLimits } from '../../../src/nbd/connection.ts';
import { type NbdAddress, NbdServer } from '../../../src/nbd/server.ts';

export const SIZE = 1 << 20;
export const BYTES = Buffer.alloc(SIZE);
for (let i = 0; i < SIZE; i += 4) BYTES.writeUInt32LE((i * 2654435761) % 2 ** 32, i);

export const fromMemory: BlockSource = {
  size: SIZE,
  read: (offset, length) => BYTES.subarray(offset, offset + length),
};

export let directory: string;
const open: NbdServer[] = [];
export const logged: string[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'viver-nbd-'));
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
  rmSync(directory, { recursive: true });
  logged.length = 0;
});

export async function serve(
  source: BlockSource,
  limits: Partial<ConnectionLimits> = {},
): Promise<[NbdServer, NbdAddress]> {
  const server = new NbdServer({ source, name: 'debian', limits, log: (line) => void logged.push(line) });
  open.push(server);
  return [server, await server.listen({ path: join(directory, 'nbd.sock') })];
}

/** A source whose reads complete when the test says so. */
export function heldSource(size = SIZE) {
  const waiting: { offset: number; length: number; signal: AbortSignal; release(): void }[] = [];
  const source: BlockSource = {
    size,
    read: (offset, length, signal = new AbortController().signal) =>
      new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
        const bytes = size === SIZE ? BYTES.subarray(offset, offset + length) : Buffer.alloc(length, offset % 251);
        waiting.push({ offset, length, signal, release: () => resolve(bytes) });
      }),
  };
  return { source, waiting };
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Long enough for anything that is going to happen by itself to have happened. */
export async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 50));
}
