import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '../linux/errno.ts';

/** UEFI 2.10, section 3.3: a byte behind four of attributes, by the namespace of global variables. */
const VARIABLE = 'firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c';

/**
 * Whether the firmware started this machine with Secure Boot on. Undefined: it has no UEFI, or nobody has mounted efivarfs
 * and securityfs. A kernel that is locked down without it (lockdown= on its command line) cannot be told apart then.
 */
export function isSecureBoot(sys = '/sys'): boolean | undefined {
  if (!existsSync(join(sys, 'firmware/efi'))) return undefined;
  const variable = unlessMissing(() => readFileSync(join(sys, VARIABLE)));
  if (variable?.length === 5) return variable[4] === 1;
  const lockdown = unlessMissing(() => readFileSync(join(sys, 'kernel/security/lockdown'), 'latin1'));
  return lockdown === undefined ? undefined : !lockdown.includes('[none]');
}

function unlessMissing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EACCES', 'EIO')) return undefined;
    throw error;
  }
}
