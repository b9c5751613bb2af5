import { execFileSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';
import { product, vmDirectory } from './products.ts';
import type { DirectKernel } from './scenario.ts';

/** What a file packed by xz begins with. */
const XZ = Buffer.from('fd377a585a00', 'hex');

/** VIVER's kernel and initrd handed over by QEMU, with these words on the command line beside the console's. */
export function viverKernel(...words: readonly string[]): DirectKernel {
  return directKernel(archive(), ...words);
}

/**
 * VIVER's kernel with any initrd. Without its workarounds for faults of processors: an emulated one has none of them,
 * and a tenth of a Debian's boot goes into the replaced indirect calls (retpolines).
 */
export function directKernel(initrd: string, ...words: readonly string[]): DirectKernel {
  return { kernel: kernelImage(), initrd, commandLine: ['console=ttyS0', 'mitigations=off', ...words].join(' ') };
}

/**
 * What is inside vmlinuz, the kernel as an ELF file that QEMU enters by PVH: an emulated processor would take 3 s of
 * each boot to unpack it. That it unpacks itself is seen wherever a machine boots from the ISO or by PXE. A kernel that
 * is not packed as Debian 12's is handed over as it is.
 */
function kernelImage(): string {
  const vmlinuz = product('vmlinuz');
  return unpacked(vmlinuz, 'vmlinux', (target) => {
    const bytes = readFileSync(vmlinuz);
    // Linux Documentation/x86/boot.rst: setup_sects, payload_offset and payload_length, whose last four bytes are a size.
    const start = (bytes.readUInt8(0x1f1) + 1) * 512 + bytes.readUInt32LE(0x248);
    const payload = bytes.subarray(start, start + bytes.readUInt32LE(0x24c) - 4);
    if (!payload.subarray(0, XZ.length).equals(XZ)) return copyFileSync(vmlinuz, target);
    const file = openSync(target, 'w');
    execFileSync('xz', ['-dc'], { input: payload, stdio: ['pipe', file, 'inherit'] });
    closeSync(file);
  });
}

/** The initrd's archive as `zstd -dc` gives it, for the same reason. */
function archive(): string {
  const initrd = product('viverrd.zst');
  return unpacked(initrd, 'viverrd.cpio', (target) => {
    execFileSync('zstd', ['-dqf', initrd, '-o', target], { stdio: ['ignore', 'ignore', 'inherit'] });
  });
}

/** The initrd's files, taken apart as docs/hacking.md says; without its device nodes, which only root can make. */
export function initrdTree(): string {
  const packed = archive();
  return unpacked(packed, 'initrd', (target) => {
    mkdirSync(target);
    const from = openSync(packed, 'r');
    execFileSync('cpio', ['-idm', '--quiet', '-f', 'dev/*'], { cwd: target, stdio: [from, 'ignore', 'inherit'] });
    closeSync(from);
  });
}

/** Where what is inside `packed` is kept, made by `unpack` unless it was there. */
function unpacked(packed: string, name: string, unpack: (target: string) => void): string {
  const { size, mtimeMs } = statSync(packed);
  const path = join(vmDirectory('made'), `${size}-${Math.round(mtimeMs)}-${name}`);
  if (!existsSync(path)) {
    const part = `${path}.${process.pid}`;
    unpack(part);
    renameSync(part, path);
  }
  // In use: not to be taken for stale (`made`).
  const now = new Date();
  utimesSync(path, now, now);
  return path;
}
