import { existsSync, mkdirSync } from 'node:fs';
import { SyscallError } from '../linux/errno.ts';
import { MS, mount } from '../linux/mount.ts';

/** What must be there before anything else can be seen. The image's init finds them mounted and leaves them. */
const PSEUDO_FILE_SYSTEMS = [
  { type: 'proc', target: '/proc', flags: MS.NOSUID | MS.NODEV | MS.NOEXEC, data: '' }, // the command line, mounts
  { type: 'sysfs', target: '/sys', flags: MS.NOSUID | MS.NODEV | MS.NOEXEC, data: '' }, // devices
  { type: 'devtmpfs', target: '/dev', flags: MS.NOSUID, data: 'mode=0755' }, // their nodes
  { type: 'tmpfs', target: '/run', flags: MS.NOSUID | MS.NODEV, data: 'mode=0755,size=50%' }, // what outlives the switch
  { type: 'devpts', target: '/dev/pts', flags: MS.NOSUID | MS.NOEXEC, data: 'mode=0620,gid=5,ptmxmode=0666' }, // the rescue shell's job control
] as const;

/**
 * Mounts what is not mounted yet: a kernel with CONFIG_DEVTMPFS_MOUNT did /dev itself, and a container all of them.
 * @throws SyscallError
 */
export function mountPseudoFileSystems(): void {
  for (const { type, target, flags, data } of PSEUDO_FILE_SYSTEMS) {
    mkdirSync(target, { recursive: true });
    try {
      mount({ source: type, target, type, flags, data });
    } catch (error) {
      if (!(error instanceof SyscallError && error.code === 'EBUSY')) throw error;
    }
  }
  if (!existsSync('/dev/console'))
    throw new Error('/dev has no console: is devtmpfs in this kernel (CONFIG_DEVTMPFS)?');
}
