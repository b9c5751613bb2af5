import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { SyscallPool } from '../../../src/linux/syscall-pool.ts';
import { readBlockDevices, sysfs } from '../../../src/media/block-devices.ts';
import { mediaAccess } from '../../../src/media/media-access.ts';
import { findImages } from '../../../src/media/search.ts';

/** Run by real-disks.test.ts: FOLDER DISK… [-- COMMAND…] → what was found, as JSON; then runs the command. */
const words = process.argv.slice(2);
const end = words.includes('--') ? words.indexOf('--') : words.length;
const [folder = '', ...disks] = words.slice(0, end);
const [command, ...args] = words.slice(end + 1);
const also = disks.flatMap((disk) => [
  disk,
  ...sysfs.list(`/sys/class/block/${disk}`).filter((name) => name.startsWith(disk)),
]);
const devices = readBlockDevices('/sys', { also }).devices.filter((device) => also.includes(device.name));
using pool = new SyscallPool();
const access = mediaAccess(pool);
const reports = await findImages(devices, { access, mountRoot: join(folder, 'media'), ensureModules: async () => {} });
const rows = reports.map(({ device, seen, candidates }) => ({
  name: device.name,
  seen,
  candidates: candidates.map(({ name, squashfs }) => ({ name, bytes: squashfs.sizeBytes })),
}));
process.stdout.write(`${JSON.stringify(rows.sort((left, right) => left.name.localeCompare(right.name)))}\n`);
if (command !== undefined) process.stdout.write(execFileSync(command, args));
