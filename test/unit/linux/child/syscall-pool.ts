import { tmpdir } from 'node:os';
import { readMounts } from '../../../../src/linux/mount.ts';
import { SyscallPool } from '../../../../src/linux/syscall-pool.ts';

const types = () => readMounts().flatMap(({ target, type }) => (target === tmpdir() ? type : []));
const pool = new SyscallPool();
await pool.mount({ source: 'none', target: tmpdir(), type: 'tmpfs' });
const mounted = types();
await pool.umount(tmpdir());
// Not closed: idle threads do not keep the process.
process.stdout.write(JSON.stringify({ mounted, after: types() }));
