import { writeFileSync } from 'node:fs';
import { call, libc } from './libc.ts';

/** reboot(2), include/uapi/linux/reboot.h, as the signed 32-bit numbers glibc's reboot takes. */
const COMMANDS = {
  restart: 0x0123_4567,
  halt: 0xcdef_0123 | 0,
  poweroff: 0x4321_fedc,
  /** Into the kernel that kexec has loaded. */
  kexec: 0x4558_4543,
} as const;

export type RebootVerb = keyof typeof COMMANDS;

/** Writes every file system's dirty data and waits for it (sync(2)). */
export function syncAll(): void {
  libc().sync();
}

/**
 * Ends the machine at once. Nothing is unmounted or written: call syncAll before.
 * In a PID namespace it ends that namespace.
 * @throws SyscallError: EPERM, or EINVAL for kexec without a loaded kernel
 */
export function reboot(verb: RebootVerb): never {
  call('reboot', verb, (c) => c.reboot(COMMANDS[verb]));
  throw new Error(`reboot ${verb} returned`);
}

/** Keys of the kernel's magic SysRq (Documentation/admin-guide/sysrq.rst). */
const SYSRQ = { sync: 's', remountReadOnly: 'u' } as const;

/**
 * Asks the kernel for an emergency action. It is done a little later, by a kernel thread: look at readMounts for the
 * effect of remountReadOnly, which makes every block device's file system read-only however busy it is.
 */
export function sysrq(action: keyof typeof SYSRQ, trigger = '/proc/sysrq-trigger'): void {
  writeFileSync(trigger, SYSRQ[action]);
}
