/**
 * A machine after its switch, as far as RUNES sees it: namespaces of its own, a kept initramfs, a boot report, the
 * field's daemon under its supervisor, and `viver runes`. Started by lab.ts; ends when its process 1 ends.
 */
import { copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCommand } from '../../../src/kit/main.ts';
import { bindMount, MS, mount } from '../../../src/linux/mount.ts';
import { setHostname } from '../../../src/linux/process.ts';
import { startSupervisor, UNTIL_NETWORK } from '../../../src/nbd/supervisor.ts';
import type { MachineRecord } from './lab.ts';

const root = join(import.meta.dirname, '../../..');
const {
  name,
  image,
  imageName = 'small',
  roles,
  key,
  plugins,
  signingKeys = {},
  hasProgram = false,
  hasFirstStage = false,
  ownField = false,
  words = '',
}: MachineRecord = JSON.parse(process.argv[2] ?? '');

mount({ source: 'none', target: '/run', type: 'tmpfs', flags: MS.NOSUID });
mount({ source: 'none', target: '/sys', type: 'sysfs' });
setHostname(name);
writeFileSync('/run/cmdline', `${words}\n`);
bindMount('/run/cmdline', '/proc/cmdline');

// The initramfs: the host's programs under its paths, and files of its own.
const kept = '/run/initramfs';
mkdirSync(`${kept}/bin`, { recursive: true });
if (hasProgram) symlinkSync(join(root, 'build/viver'), `${kept}/init`);
else writeFileSync(`${kept}/init`, '');
for (const directory of ['lib', 'lib64', 'usr', 'boot']) symlinkSync(`/${directory}`, `${kept}/${directory}`);
symlinkSync('/bin/busybox', `${kept}/bin/busybox`);
for (const applet of ['cat', 'ip', 'env', 'arping']) symlinkSync('busybox', `${kept}/bin/${applet}`);
copyFileSync(join(root, 'initrd/bin/dhcp-hook'), `${kept}/bin/dhcp-hook`);
mkdirSync(`${kept}/etc/RUNES/runes`, { recursive: true });
mkdirSync(`${kept}/etc/viver/keys`, { recursive: true });
for (const [file, text] of Object.entries(signingKeys)) writeFileSync(`${kept}/etc/viver/keys/${file}`, text);
for (const [file, text] of Object.entries(plugins ?? {})) writeFileSync(`${kept}/etc/RUNES/runes/${file}`, text);
const rolesFile = roles ?? (plugins === undefined ? undefined : 'role tested\n  plugins basic own\n  machines any\n');
if (rolesFile !== undefined) writeFileSync(`${kept}/etc/RUNES/roles`, rolesFile);

// What the image would have in /boot; large enough that it is worth giving away.
mkdirSync('/run/viver/lower/boot', { recursive: true });
mkdirSync('/run/viver/lower/etc', { recursive: true });
writeFileSync('/run/viver/lower/etc/hostname', 'pc\n');
writeFileSync('/run/viver/lower/boot/vmlinuz', Buffer.alloc(2 << 20, `kernel of ${name}\n`));
writeFileSync('/run/viver/lower/boot/viverrd.zst', Buffer.alloc(3 << 20, `initrd of ${name}\n`));
if (hasFirstStage) {
  mkdirSync('/run/viver/lower/boot/viver-net');
  writeFileSync('/run/viver/lower/boot/viver-net/first-stage.zst', `first stage of ${name}\n`);
}
const report = {
  ready: true,
  image: { name: imageName, id: null, path: image },
  medium: 'usb',
  seconds: 1,
  stages: [],
};
writeFileSync('/run/viver/boot.json', JSON.stringify(report));

const keyFile = `${kept}/etc/viver/field.key`;
if (key !== undefined) {
  mkdirSync(`${kept}/etc/viver`, { recursive: true });
  writeFileSync(keyFile, key, { mode: 0o600 });
}

while (!existsSync('/sys/class/net/eth0')) await sleep(20);
if (!ownField)
  startSupervisor({
    command: [
      process.execPath,
      join(root, 'src/init/main.ts'),
      ...['field', 'up', '--image', image, '--name', imageName, '--control', '/run/viver/field.sock'],
      ...(key === undefined ? [] : ['--key', keyFile]),
    ],
    name: '@viver-field',
    busybox: '/bin/busybox',
    log: '/dev/null',
    after: UNTIL_NETWORK,
  });
process.exitCode = await runCommand(['runes']);
