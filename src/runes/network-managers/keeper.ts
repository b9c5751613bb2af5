import { readdirSync, readFileSync } from 'node:fs';
import { hasCode } from '../../linux/errno.ts';

/** Programs that give every wire an address by themselves, as a desktop has them, by the name of their process. */
const KEEPERS: Readonly<Record<string, string>> = { NetworkManager: 'NetworkManager', connmand: 'ConnMan' };

/** Which of them runs here. */
export function findKeeper(proc = '/proc'): string | undefined {
  for (const pid of readdirSync(proc).filter((name) => /^\d+$/.test(name))) {
    try {
      const keeper = KEEPERS[readFileSync(`${proc}/${pid}/comm`, 'utf8').trim()];
      if (keeper !== undefined) return keeper;
    } catch (error) {
      if (!(hasCode(error, 'ENOENT') || hasCode(error, 'ESRCH'))) throw error; // it has ended meanwhile
    }
  }
  return undefined;
}
