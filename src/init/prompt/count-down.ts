import { closeSync, readSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { readKeys } from '../../linux/terminal.ts';
import { type OpenConsole, openConsoles, writeConsole } from './consoles.ts';

const LOOK_MS = 100;

/**
 * Counts down on every console that works.
 * @param text what is said with so many seconds left
 * @returns whether a person pressed a key on one of them
 */
export async function countDown(seconds: number, text: (left: number) => string): Promise<boolean> {
  using end = new DisposableStack();
  const consoles = openConsoles().filter(({ path, fd }) => {
    end.defer(() => closeSync(fd));
    try {
      const keys = readKeys(path, fd);
      end.defer(() => {
        try {
          keys[Symbol.dispose]();
        } catch {
          // it has gone since
        }
      });
      return true;
    } catch {
      return false; // gone since it was opened
    }
  });
  const say = (words: string) => {
    for (const console of consoles) writeConsole(console, words);
  };
  const endMs = performance.now() + seconds * 1000;
  let said: number | undefined;
  for (;;) {
    const leftMs = endMs - performance.now();
    const left = Math.max(0, Math.ceil(leftMs / 1000));
    if (left !== said) say(`\r${text(left)} `);
    said = left;
    if (leftMs <= 0) break;
    if (consoles.some(hasKey)) {
      say('\r\n');
      return true;
    }
    await sleep(Math.min(LOOK_MS, leftMs));
  }
  say('\r\n');
  return false;
}

function hasKey({ fd }: OpenConsole): boolean {
  try {
    return readSync(fd, new Uint8Array(64)) > 0;
  } catch {
    return false; // EAGAIN: none yet; or the terminal has gone
  }
}
