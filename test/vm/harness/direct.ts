import { product } from './products.ts';
import type { DirectKernel } from './scenario.ts';

/** VIVER's kernel and initrd handed over by QEMU, with these words on the command line beside the console's. */
export function viverKernel(...words: readonly string[]): DirectKernel {
  return {
    kernel: product('vmlinuz'),
    initrd: product('viverrd.zst'),
    commandLine: ['console=ttyS0', ...words].join(' '),
  };
}
