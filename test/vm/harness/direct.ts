import { execFileSync } from 'node:child_process';
import { existsSync, renameSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { product, vmDirectory } from './products.ts';
import type { DirectKernel } from './scenario.ts';

/** VIVER's kernel and initrd handed over by QEMU, with these words on the command line beside the console's. */
export function viverKernel(...words: readonly string[]): DirectKernel {
  return {
    kernel: product('vmlinuz'),
    initrd: archive(),
    commandLine: ['console=ttyS0', ...words].join(' '),
  };
}

/**
 * The initrd's archive as `zstd -dc` gives it: an emulated processor would take 3 s of each boot to unpack it. That the
 * kernel unpacks it itself is seen wherever a machine boots from the ISO or by PXE.
 */
function archive(): string {
  const initrd = product('viverrd.zst');
  const { size, mtimeMs } = statSync(initrd);
  const path = join(vmDirectory('made'), `viverrd-${size}-${Math.round(mtimeMs)}.cpio`);
  if (!existsSync(path)) {
    const part = `${path}.${process.pid}`;
    execFileSync('zstd', ['-dqf', initrd, '-o', part], { stdio: ['ignore', 'ignore', 'inherit'] });
    renameSync(part, path);
  }
  // In use: not to be taken for stale (`made`).
  const now = new Date();
  utimesSync(path, now, now);
  return path;
}
