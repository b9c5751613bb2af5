import { spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync } from 'node:fs';
import { describeError } from '../../linux/describe-error.ts';
import type { BootLog } from '../boot-log.ts';

/** The initrd's binary keymaps, `NAME.bmap` (scripts/keymaps.ts). */
export const KEYMAPS = '/lib/keymaps';

/** The names of what there is. */
export function keymapNames(files: readonly string[]): readonly string[] {
  return files.flatMap((file) => (file.endsWith('.bmap') ? [file.slice(0, -'.bmap'.length)] : [])).sort();
}

/** Says in one line that there is no such keymap, and what there is. */
export function noKeymap(name: string, names: readonly string[]): string {
  return `viver.keymap=${name}: no such keymap; there are: ${names.join(' ') || 'none'}`;
}

/**
 * Gives the keyboard of the screen another layout: for the prompt, and for the image until it sets its own. What cannot
 * be is warned of; never rejects.
 */
export async function loadKeymap(name: string, log: BootLog, directory = KEYMAPS): Promise<void> {
  try {
    const names = keymapNames(readdirSync(directory));
    if (!names.includes(name)) {
      log.warn(noKeymap(name, names));
      return;
    }
    await runLoadkmap(`${directory}/${name}.bmap`);
    log.choose('keymap', name);
  } catch (error) {
    log.warn(`viver.keymap=${name}: ${describeError(error)}`);
  }
}

function runLoadkmap(file: string): Promise<void> {
  const keymap = openSync(file, 'r');
  try {
    const child = spawn('/bin/busybox', ['loadkmap'], { stdio: [keymap, 'ignore', 'pipe'], detached: true });
    let words = '';
    child.stderr?.on('data', (piece: Buffer) => {
      words += piece.toString('utf8');
    });
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (status) => {
        if (status === 0) resolve();
        else reject(new Error(words.trim() || `loadkmap ended with status ${status}`));
      });
    });
  } finally {
    closeSync(keymap);
  }
}
