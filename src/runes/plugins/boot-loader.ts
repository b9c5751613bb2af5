import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { definePlugin } from '../engine/plugin.ts';
import { keptFile } from '../kept-program.ts';
import { RUN_DIRECTORY } from '../places.ts';
import { findBootFiles } from '../web/boot-files.ts';
import { layTftpTree, secureLack } from '../web/tftp-tree.ts';

/** Debian's iPXE: one drives the card through the PXE or UEFI code that loaded it, so it needs no driver of its own. */
const FILES = { bios: 'undionly.kpxe', efi64: 'snponly.efi' } as const;
const SHIM = 'shimx64.efi';
const DIRECTORY = `${RUN_DIRECTORY}/tftp`;

export default definePlugin({
  name: 'boot-loader',
  summary: 'iPXE for BIOS and UEFI, from the initramfs; shim and GRUB for Secure Boot, from the image',
  provides: ['boot-loader'],
  start(context) {
    const kept = keptFile('/usr/lib/ipxe');
    const lacking = Object.values(FILES).filter((file) => !existsSync(join(kept, file)));
    if (lacking.length > 0) throw new Error(`${kept} has no ${lacking.join(', ')}`);
    const files = findBootFiles();
    const lack = secureLack(files);
    if (lack !== undefined) context.log(`machines with Secure Boot on cannot boot from here: ${lack}`);
    const links = Object.fromEntries(Object.values(FILES).map((file) => [file, join(kept, file)]));
    layTftpTree(DIRECTORY, links, lack === undefined ? files : undefined);
    return {
      'boot-loader': {
        directory: async () => DIRECTORY,
        file: async (architecture) => {
          if (architecture !== 'secure64') return FILES[architecture];
          return lack === undefined ? SHIM : '';
        },
      },
    };
  },
});
