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
/** The boot server may hear of the release later, or of a machine that has the image: until then it has nothing new. */
const AGAIN_MS = 30_000;
const MOST_TIMES = 20;

/** Has this machine's system end cleanly and start anew, in a while; without its firmware where that can be. */
export function startAnew(context: Pick<Context, 'log' | 'defer' | 'signal'>, mac: string, why: string): void {
  const waitMs = WARNING_MS + placeOf('start anew', mac) * OVER_MS;
  context.log(`${why}; this machine starts anew in ${Math.round(waitMs / 1000)} s`);
  let times = 0;
  let timer = setTimeout(change, waitMs);
  context.defer(() => clearTimeout(timer));
  function change(): void {
    times++;
    const { command, args } = keptProgram('/init');
    const child = spawn(command, [...args, 'roll', 'change'], {
      ...{ stdio: ['ignore', 'pipe', 'pipe'], detached: true, cwd: '/' },
    });
    child.once('error', (error) => context.log(`this machine cannot be started anew: ${error.message}`));
    // When its system ends, this process is told to, and the timer goes.
    child.once('exit', () => {
      if (times < MOST_TIMES && !context.signal.aborted) timer = setTimeout(change, AGAIN_MS);
    });
    // Why it is the firmware that does it, or why nothing does.
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on('line', (line) => {
        if (times === 1) context.log(line);
      });
    child.unref();
  }
  if (existsSync('/usr/bin/wall'))
    spawn('/usr/bin/wall', [`VIVER: ${why}. This machine starts anew in ${Math.round(waitMs / 1000)} seconds.`], {
      stdio: 'ignore',
    }).once('error', () => undefined); // nobody is logged in
}
