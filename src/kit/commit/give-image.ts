import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { askStatus } from '../../field/control.ts';
import { parseAddress } from '../../field/wire/address.ts';
import { imagePaths } from '../../image/image-reference.ts';
import { fieldKeyWords, keptProgram } from '../../runes/kept-program.ts';
import { FIELD_SOCKET, givenSocket } from '../../runes/places.ts';

const LOOK_MS = 100;
const START_MS = 30_000;

/**
 * Gives an image to the field besides the one that this machine runs: by a daemon of its own, until the machine is
 * switched off.
 * @returns where its daemon listens; undefined: this machine takes part in no field
 * @throws Error when the daemon does not start
 */
export async function giveImage(path: string, signal: AbortSignal): Promise<string | undefined> {
  const own = await askStatus(FIELD_SOCKET).catch(() => undefined); // it has no network, or runs no daemon
  if (own === undefined) return undefined;
  const { name } = imagePaths(resolve(path));
  const control = givenSocket(name);
  const { host } = parseAddress(own.node.address);
  const listen = `${host.includes(':') ? `[${host}]` : host}:0`;
  const { command, args } = keptProgram('/init');
  const words = ['field', 'up', '--image', resolve(path), '--name', name, '--listen', listen, '--control', control];
  const daemon = spawn(command, [...args, ...words, ...fieldKeyWords()], { detached: true, stdio: 'ignore' });
  const ended = new Promise<never>((_, reject) => {
    daemon.once('error', reject);
    daemon.once('exit', (code) =>
      reject(new Error(`${path} is not given to the field: its daemon ended with ${code}`)),
    );
  });
  const address = await Promise.race([
    ended,
    addressOf(control, AbortSignal.any([signal, AbortSignal.timeout(START_MS)])),
  ]);
  daemon.removeAllListeners();
  daemon.unref();
  return address;
}

async function addressOf(control: string, signal: AbortSignal): Promise<string> {
  for (;;) {
    const status = await askStatus(control).catch(() => undefined); // it starts
    if (status !== undefined) return status.node.address;
    await sleep(LOOK_MS, undefined, { signal });
  }
}
