import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Context } from '../engine/plugin.ts';
import { keptProgram } from '../kept-program.ts';
import { placeOf } from './whom.ts';

/** Machines that are told to change at once do so over this time, each at its place, so that not all load together. */
const OVER_MS = 30_000;
/** Whoever works at it reads that it ends. */
const WARNING_MS = 10_000;

/** Has this machine's system end cleanly and start anew, in a while; without its firmware where that can be. */
export function startAnew(context: Pick<Context, 'log' | 'defer' | 'signal'>, mac: string, why: string): void {
  const waitMs = WARNING_MS + placeOf('start anew', mac) * OVER_MS;
  context.log(`${why}; this machine starts anew in ${Math.round(waitMs / 1000)} s`);
  const timer = setTimeout(() => {
    const { command, args } = keptProgram('/init');
    const child = spawn(command, [...args, 'roll', 'change'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      cwd: '/',
    });
    // Why it is the firmware that does it, or why nothing does.
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on('line', (line) => context.log(line));
    child.once('error', (error) => context.log(`this machine cannot be started anew: ${error.message}`));
    child.unref();
  }, waitMs);
  context.defer(() => clearTimeout(timer));
  if (existsSync('/usr/bin/wall'))
    spawn('/usr/bin/wall', [`VIVER: ${why}. This machine starts anew in ${Math.round(waitMs / 1000)} seconds.`], {
      stdio: 'ignore',
    }).once('error', () => undefined); // nobody is logged in
}
