/** RUNES before the switch, on a root of a few files; in namespaces of its own. Prints what the root has then. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { mount } from '../../../../src/linux/mount.ts';
import { beforeSwitch } from '../../../../src/runes/engine/before-switch.ts';

mount({ source: 'none', target: '/run', type: 'tmpfs' });
const target = mkdtempSync(join(tmpdir(), 'new-root-'));
const image = mkdtempSync(join(tmpdir(), 'image-'));
process.once('exit', () => {
  for (const directory of [target, image]) rmSync(directory, { recursive: true });
});
const FILES: Readonly<Record<string, string>> = {
  '/etc/hostname': 'debian\n',
  '/etc/hosts': '127.0.0.1\tlocalhost\n',
  '/etc/fstab': 'UUID=1 / ext4 defaults 0 1\n',
  '/etc/machine-id': '',
  '/etc/network/interfaces': 'auto eth0\niface eth0 inet dhcp\n',
  '/etc/RUNES/runes/motd.ts': `
    export default definePlugin({
      name: 'motd',
      summary: 'a plugin of the image',
      prepare(root) {
        root.write('/etc/motd', 'You are on ' + root.machine.booted + '\\n');
        root.note('motd');
      },
    });`,
  '/etc/RUNES/runes/bad.ts': `
    export default definePlugin({ name: 'bad', summary: '', prepare(root) { throw new Error('no luck'); } });`,
  '/etc/RUNES/roles': 'role tested\nplugins basic motd bad\nmachines host:debian-*\nrole other\nmachines any\n',
  '/usr/lib/systemd/systemd-networkd': '',
};
for (const [path, text] of Object.entries(FILES)) {
  for (const root of [target, image]) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}
// a link that leads out of the root: it is replaced, never followed
symlinkSync('/etc/hostname', join(target, 'etc/motd'));

const notes: string[] = [];
const warnings: string[] = [];
await beforeSwitch({
  target,
  image,
  init: 'systemd',
  booted: 'medium',
  note: (what, why) => notes.push(`${what}: ${why}`),
  warn: (text) => warnings.push(text),
});
const read = (path: string) => readFileSync(join(target, path), 'utf8');
const result = {
  hostname: hostname(),
  file: read('etc/hostname'),
  hosts: read('etc/hosts'),
  fstab: read('etc/fstab'),
  machineId: read('etc/machine-id'),
  interfaces: read('etc/network/interfaces'),
  motd: read('etc/motd'),
  resolv: readlinkSync(join(target, 'etc/resolv.conf')),
  unit: readFileSync('/run/systemd/system/viver-runes.service', 'utf8').includes('viver runes'),
  wanted: readlinkSync('/run/systemd/system/multi-user.target.wants/viver-runes.service'),
  networkd: readdirSync('/run/systemd/network'),
  fixed: readFileSync('/run/viver/role.json', 'utf8'),
  notes,
  warnings,
};
process.stdout.write(JSON.stringify(result));
