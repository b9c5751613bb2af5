import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { askStatus } from '../../field/control.ts';
import { parseAddress } from '../../field/wire/address.ts';
import { imagePaths } from '../../image/image-reference.ts';
import { describeError } from '../../linux/describe-error.ts';
import { fieldKeyWords, keptProgram } from '../../runes/kept-program.ts';
import { FIELD_SOCKET, givenSocket, ROLL_SOCKET } from '../../runes/places.ts';
import { askOffer } from '../../runes/roll/known.ts';

const LOOK_MS = 100;
const START_MS = 30_000;

/** Where an image can be had. */
export interface Given {
  /** `ADDRESS:PORT` of the node that has all of it. */
  readonly address: string;
  /** Machines can boot it: its kernel and initrd are served too, by the plugins of this machine's role. */
  readonly isOffered: boolean;
  /** Why its plugins do not; empty when they were not asked. */
  readonly why: string;
}

/**
 * Gives an image to the field besides the one that this machine runs, until the machine is switched off: offered by its
 * plugins, so that others can boot it and `viver roll` knows its name; where those do not run, or refuse it, by a daemon
 * of its own.
 * @param sockets of the plugins and of this machine's own node; a test has its own
 * @returns undefined: this machine takes part in no field
 * @throws Error when the daemon does not start
 */
export async function giveImage(
  path: string,
  signal: AbortSignal,
  { roll, field }: { readonly roll: string; readonly field: string } = { roll: ROLL_SOCKET, field: FIELD_SOCKET },
): Promise<Given | undefined> {
  let why = '';
  if (existsSync(roll)) {
    try {
      return { address: (await askOffer(resolve(path), roll)).peer, isOffered: true, why };
    } catch (error) {
      why = describeError(error);
    }
  }
  const address = await giveByDaemon(path, signal, field);
  return address === undefined ? undefined : { address, isOffered: false, why };
}

async function giveByDaemon(path: string, signal: AbortSignal, field: string): Promise<string | undefined> {
  const own = await askStatus(field).catch(() => undefined); // it has no network, or runs no daemon
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
