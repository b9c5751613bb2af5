import type { Recipe } from './variant-image.ts';

/** Brings a getty for the serial console by itself. */
const RUNIT: Recipe = { base: 'sysvinit', packages: ['runit-init'] };

/**
 * Void Linux' layout, of Debian's programs: /var/service leads into /run, all of /etc/runit is other scripts, no script
 * of sysvinit runs, and the last stage kills what is left before it unmounts.
 */
const VOID_FILES: Readonly<Record<string, string>> = {
  '/etc/sv/serial/run': '#!/bin/sh\nexec setsid /sbin/getty -L ttyS0 115200 vt100\n',
  '/etc/runit/1': `#!/bin/sh
PATH=/usr/bin:/usr/sbin:/bin:/sbin
for f in /etc/runit/core-services/*.sh; do [ -r "$f" ] && . "$f"; done
mkdir -p /run/runit
install -m000 /dev/null /run/runit.stopit
install -m000 /dev/null /run/runit.reboot
echo 'Initialization complete, running stage 2...'
`,
  '/etc/runit/core-services/00-pseudofs.sh': `mountpoint -q /proc || mount -t proc proc /proc
mountpoint -q /sys || mount -t sysfs sys /sys
mountpoint -q /run || mount -t tmpfs run /run
mkdir -p /dev/pts /dev/shm
mountpoint -q /dev/pts || mount -t devpts devpts /dev/pts
`,
  '/etc/runit/core-services/02-udev.sh': `if [ -x /lib/systemd/systemd-udevd ] && [ ! -d /run/systemd/system ]; then
  /lib/systemd/systemd-udevd --daemon
  udevadm trigger --action=add
  udevadm settle
fi
`,
  '/etc/runit/2': `#!/bin/sh
PATH=/usr/bin:/usr/sbin:/bin:/sbin
runsvchdir default > /dev/null
mkdir -p /run/runit/runsvdir
ln -s /etc/runit/runsvdir/current /run/runit/runsvdir/current
exec env - PATH=$PATH runsvdir -P /run/runit/runsvdir/current 'log: ...........................................................'
`,
  '/etc/runit/3': `#!/bin/sh
PATH=/usr/bin:/usr/sbin:/bin:/sbin
for f in /etc/runit/shutdown.d/*.sh; do [ -r "$f" ] && . "$f"; done
`,
  '/etc/runit/shutdown.d/10-sv-stop.sh': `echo 'Waiting for services to stop...'
sv force-stop /var/service/* > /dev/null
sv exit /var/service/* > /dev/null
`,
  '/etc/runit/shutdown.d/70-pkill.sh': `pkill --inverse -s0,1 -TERM
sleep 1
pkill --inverse -s0,1 -KILL
`,
  '/etc/runit/shutdown.d/80-filesystems.sh': `echo 'Unmounting filesystems, disabling swap...'
swapoff -a
umount -r -a -t nosysfs,noproc,nodevtmpfs,notmpfs
mount -o remount,ro /
`,
};
const VOID_SHELL = `rm -rf /etc/service /etc/rc?.d /etc/inittab /lib/lsb/init-functions.d /etc/runit/boot-run /etc/runit/runsvdir/*
mkdir -p /etc/runit/runsvdir/default /etc/runit/runsvdir/single
ln -s default /etc/runit/runsvdir/current
ln -s /etc/sv/serial /etc/runit/runsvdir/default/serial
ln -s /run/runit/runsvdir/current /var/service
`;

/** Init systems by name, as test systems: each has a login on the serial console. */
export const INIT_RECIPES = {
  openrc: { base: 'sysvinit', packages: ['openrc'] },
  runit: RUNIT,
  void: { ...RUNIT, files: VOID_FILES, shell: VOID_SHELL },
} as const satisfies Readonly<Record<string, Recipe>>;
