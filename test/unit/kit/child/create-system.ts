/**
 * Run by system.test.ts in a mount namespace of its own: FOLDER. Puts an installed system together of several file
 * systems, changes into it and makes images of `/`; prints what the command said. The mounts go with the namespace.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { attachLoop } from '../../../../src/linux/block/loop.ts';
import { bindMount, MS, mount } from '../../../../src/linux/mount.ts';
import { setXattr } from '../../../../src/linux/xattr.ts';

const [folder = ''] = process.argv.slice(2);
const checkout = join(import.meta.dirname, '../../../..');
const root = join(folder, 'root');
const at = (path: string): string => join(root, path);

function mountDisk(name: string, type: string, target: string, megabytes: number): void {
  const file = join(folder, `${name}.disk`);
  execFileSync('truncate', ['-s', `${megabytes}M`, file]);
  execFileSync(`mkfs.${type}`, ['-q', file]);
  using loop = attachLoop({ file, readOnly: false, autoclear: true });
  mkdirSync(target, { recursive: true });
  mount({ source: loop.path, target, type });
}

function write(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(at(path), '..'), { recursive: true });
    writeFileSync(at(path), text);
  }
}

mountDisk('root', 'ext4', root, 96);
write({
  'etc/machine-id': '0123456789abcdef0123456789abcdef\n',
  'etc/os-release': 'ID=debian\n',
  'etc/hostname': 'installed\n',
  'etc/ssh/ssh_host_rsa_key': 'secret',
  'boot/hidden': 'below the mount',
  'srv/data': 'served',
  'srv/large': randomBytes(200_000).toString('base64'),
  swapfile: 'swap',
  'root/.bash_history': 'rm -rf /',
});
setXattr(at('etc/hostname'), 'security.selinux', Buffer.from('system_u:object_r:hostname_etc_t:s0\0'));
for (const name of ['dev', 'proc', 'sys', 'run', 'tmp', 'usr', 'home', 'mnt/again', 'mnt/stick', 'mnt/code']) {
  mkdirSync(at(name), { recursive: true });
}
execFileSync('mknod', ['-m', '600', at('dev/console'), 'c', '5', '1']);
for (const [name, target] of Object.entries({ bin: 'usr/bin', lib: 'usr/lib', lib64: 'usr/lib64', sbin: 'usr/sbin' })) {
  symlinkSync(target, at(name));
}
mountDisk('boot', 'ext2', at('boot'), 8);
mountDisk('home', 'ext4', at('home'), 8);
mountDisk('data', 'ext4', at('mnt/stick'), 8);
const hasBtrfs = /\bbtrfs$/m.test(readFileSync('/proc/filesystems', 'utf8'));
if (hasBtrfs) {
  mountDisk('var', 'btrfs', at('var'), 128);
  execFileSync('btrfs', ['-q', 'subvolume', 'create', at('var/machines')]);
}
write({
  'boot/vmlinuz-6.1.0-test': 'a kernel',
  'home/me/letter': 'private',
  'mnt/stick/photo': 'private',
  'var/log/syslog': 'who did what',
  'var/log/nginx/access.log': 'who read what',
  'var/lib/dpkg/status': 'packages',
  'var/machines/one': 'a container',
});
if (hasBtrfs) execFileSync('btrfs', ['-q', 'subvolume', 'snapshot', at('var/machines'), at('var/before')]);
bindMount('/dev', at('dev'), true);
mount({ source: 'proc', target: at('proc'), type: 'proc' });
for (const name of ['run', 'tmp']) mount({ source: 'tmpfs', target: at(name), type: 'tmpfs', data: 'mode=1777' });
write({ 'run/secret': 'x', 'tmp/secret': 'x' });
bindMount('/usr', at('usr'));
bindMount(root, at('mnt/again'), true);
bindMount(checkout, at('mnt/code'), true);
mount({ source: '', target: at('mnt/code'), flags: MS.BIND | MS.REMOUNT });

// A tree of somebody without rights, who cannot look below mounts: the walk must not go round in it, nor into /proc.
write({ 'srv/tree/file': 'x', 'srv/tree/proc/hidden': 'x', 'srv/tree/loop/hidden': 'x' });
mount({ source: 'proc', target: at('srv/tree/proc'), type: 'proc' });
bindMount(at('srv'), at('srv/tree/loop'), true);
mkdirSync(at('mnt/small'));
mount({ source: 'tmpfs', target: at('mnt/small'), type: 'tmpfs', data: 'size=64k' });

const create = (...words: string[]) => viver([], 'image', 'create', '/', ...words);

function viver(as: readonly string[], ...words: string[]) {
  const node = process.execPath.replace(checkout, '/mnt/code');
  const args = [...as, root, node, '/mnt/code/test/unit/kit/child/viver.ts', ...words];
  const { status, stdout, stderr } = spawnSync('chroot', args, {
    encoding: 'utf8',
    env: { PATH: '/usr/sbin:/usr/bin' },
  });
  return { status, stdout, stderr: stderr.split('\n').filter((line) => line !== '') };
}

const common = ['--no-kernel', '--level', '1', '--json'];
const system = create('-o', '/srv/system.sqfs', ...common);
const home = create('-o', '/srv/home.sqfs', ...common, '--with', '/home', '--no-excludes');
const nothing = create('-o', '/srv/nothing.sqfs', ...common, '--with', '/opt');
const noKernel = create('-o', '/srv/kernel.sqfs', '--level', '1');
const NOBODY = ['--userspec=65534:65534'];
const user = viver(NOBODY, 'image', 'create', '/srv/tree', '-o', '/tmp/user.sqfs', ...common);
const userOfAll = viver(NOBODY, 'image', 'create', '/', '-o', '/tmp/all.sqfs');
const full = viver([], 'image', 'create', '/srv', '-o', '/mnt/small/full.sqfs', ...common);
const left = [...readdirSync(at('mnt/small')), ...readdirSync(at('srv')).filter((name) => name.includes('.part'))];
if (existsSync(at('tmp/user.sqfs'))) execFileSync('cp', [at('tmp/user.sqfs'), folder]);
for (const name of ['system', 'home']) {
  if (existsSync(at(`srv/${name}.sqfs`))) execFileSync('cp', [at(`srv/${name}.sqfs`), folder]);
}
process.stdout.write(JSON.stringify({ system, home, nothing, noKernel, user, userOfAll, full, left, hasBtrfs }));
