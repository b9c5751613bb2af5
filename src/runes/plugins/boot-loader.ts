import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { definePlugin } from '../engine/plugin.ts';
import { keptFile } from '../kept-program.ts';

/** Debian's iPXE: one drives the card through the PXE or UEFI code that loaded it, so it needs no driver of its own. */
const FILES = { bios: 'undionly.kpxe', efi64: 'snponly.efi' } as const;

export default definePlugin({
  name: 'boot-loader',
  summary: 'iPXE for BIOS and UEFI, from the initramfs',
  provides: ['boot-loader'],
  start() {
    const directory = keptFile('/usr/lib/ipxe');
    const lacking = Object.values(FILES).filter((file) => !existsSync(join(directory, file)));
    if (lacking.length > 0) throw new Error(`${directory} has no ${lacking.join(', ')}`);
    return {
      'boot-loader': {
        directory: async () => directory,
        file: async (architecture) => FILES[architecture],
      },
    };
  },
});
