import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GRUB_DIRECTORY } from './grub-script.ts';

/** A machine asks again within a second; what is older may no longer be so. */
const KEPT_MS = 20_000;
/** Anybody may ask. */
const MOST = 256;

/** The files that GRUB asks for by a machine's MAC: each is written when it is asked for, and goes again soon. */
export class GrubScripts {
  readonly #directory: string;
  readonly #kept = new Map<string, NodeJS.Timeout | undefined>();

  /** @param directory of TFTP, which has grub/mac */
  constructor(directory: string) {
    this.#directory = join(directory, GRUB_DIRECTORY, 'mac');
  }

  /** @throws what `make` does, and SyscallError when the file cannot be written */
  async write(mac: string, make: () => Promise<string>): Promise<void> {
    if (this.#kept.has(mac) || (this.#kept.size >= MOST && !this.#forgetOldest())) return;
    this.#kept.set(mac, undefined);
    const path = join(this.#directory, mac);
    try {
      await writeFile(`${path}.new`, await make());
      await rename(`${path}.new`, path);
      this.#kept.set(mac, setTimeout(() => this.#forget(mac), KEPT_MS).unref());
    } catch (error) {
      this.#kept.delete(mac);
      throw error;
    }
  }

  /** Who asks last has its file: made-up machines keep no real one out. @returns false when all are being written */
  #forgetOldest(): boolean {
    const [oldest] = [...this.#kept].find(([, timer]) => timer !== undefined) ?? [];
    if (oldest !== undefined) this.#forget(oldest);
    return oldest !== undefined;
  }

  #forget(mac: string): void {
    clearTimeout(this.#kept.get(mac));
    this.#kept.delete(mac);
    void rm(join(this.#directory, mac), { force: true });
  }

  close(): void {
    for (const timer of this.#kept.values()) clearTimeout(timer);
  }
}
