import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const built = join(import.meta.dirname, '../../../build/kernel/lib/modules');

/**
 * The full distribution kernel's /lib/modules/VERSION, as the build unpacks it.
 * @throws Error telling to run make when it is not there
 */
export function kernelModules(): string {
  const version = existsSync(built) ? readdirSync(built)[0] : undefined;
  if (version === undefined)
    throw new Error(`no kernel under ${built}: run 'make build/kernel/version' (or make initrd)`);
  return join(built, version);
}
