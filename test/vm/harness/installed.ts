/**
 * A system as its installer leaves it on a machine with many disks, none of which is in any other; and as `docker export`
 * leaves it.
 */
import type { Step } from './scenario.ts';

/** By the disks' names; the last three lines are as good anywhere. */
const FSTAB = `# /etc/fstab: static file system information.
UUID=0b9e7c1a-6c1e-4b7d-9f0e-6a9f3a9b0001 /               ext4    errors=remount-ro 0       1
UUID=0B9E-0002                            /boot/efi       vfat    umask=0077      0       1
UUID=0b9e7c1a-6c1e-4b7d-9f0e-6a9f3a9b0003 /home           ext4    defaults        0       2
LABEL=My\\040Data\t/srv/My\\040Data\text4\tdefaults,nofail\t0\t2
/dev/mapper/vg-var                        /var/backups    xfs     defaults        0       0
UUID=0b9e7c1a-6c1e-4b7d-9f0e-6a9f3a9b0004 none            swap    sw              0       0
/swapfile                                 none            swap    sw              0       0
/home/shared                              /srv/shared     none    bind            0       0
overlay /opt/merged overlay lowerdir=/usr/share,upperdir=/var/upper,workdir=/var/work 0 0
/dev/sr0                                  /media/cdrom0   udf,iso9660 user,noauto 0       0
tmpfs\t/srv/scratch\ttmpfs\tsize=10M\t0\t0
/usr/share /srv/share none bind,ro 0 0
`;

export const INSTALLED_FILES: Readonly<Record<string, string>> = {
  '/etc/fstab': FSTAB,
  '/etc/crypttab': `home_crypt UUID=0b9e7c1a-6c1e-4b7d-9f0e-6a9f3a9b0005 none luks,discard
swap_crypt /dev/sda5 /dev/urandom swap,cipher=aes-xts-plain64
later LABEL=archive none luks,nofail
`,
  '/etc/systemd/system/srv-archive.mount': `[Mount]
What=/dev/disk/by-uuid/0b9e7c1a-6c1e-4b7d-9f0e-6a9f3a9b0006
Where=/srv/archive
Type=ext4
[Install]
WantedBy=multi-user.target
`,
  '/etc/systemd/system/swap2.swap': '[Swap]\nWhat=/swap2\n[Install]\nWantedBy=multi-user.target\n',
  '/etc/systemd/system/disk-watch.service': `[Unit]
BindsTo=dev-disk-by\\x2duuid-0b9e7c1a.device
After=dev-disk-by\\x2duuid-0b9e7c1a.device
[Service]
ExecStart=/bin/sleep 1d
[Install]
WantedBy=multi-user.target
`,
  '/etc/modules': 'nct6775\nno_such_driver\n',
  '/etc/udev/rules.d/70-persistent-net.rules':
    'SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", KERNEL=="eth*|en*", NAME="wan0"\n',
  '/etc/systemd/network/10-lan.link': '[Match]\nPath=*\n\n[Link]\nName=lan0\n',
  '/etc/initramfs-tools/conf.d/resume': 'RESUME=UUID=0b9e7c1a-6c1e-4b7d-9f0e-6a9f3a9b0004\n',
};

export const INSTALLED_FILES_SHELL = `mkdir -p /srv/scratch /srv/share /srv/shared /opt/merged /var/upper /var/work
touch /.dockerenv; echo c0ffee00c0ffee00c0ffee00c0ffee00 > /etc/machine-id
dd if=/dev/zero of=/swapfile bs=1M count=4 && chmod 600 /swapfile && mkswap /swapfile && cp /swapfile /swap2
`;

/** Units as `systemctl enable` leaves them, too. */
export const INSTALLED_SHELL = `systemctl enable srv-archive.mount swap2.swap disk-watch.service
${INSTALLED_FILES_SHELL}`;

/** In such a system's shell: what must not be is not, and what is as good here is there. */
export const NOTHING_OF_ANOTHER: readonly Step[] = [
  { run: 'systemctl is-system-running --wait', output: /^running$/, within: 60 },
  { run: 'systemctl --failed --no-legend', output: /^$/ },
  // "Startup finished in 4.1s (kernel) + 12.3s (userspace) = 16.5s": a wait for a disk that never comes takes 90 s.
  { run: 'systemd-analyze time', output: /\+ (1min [12]?\d(\.\d+)?s|\d+(\.\d+)?m?s) \(userspace\)/ },
  { run: 'systemctl list-jobs --no-legend', output: /^(No jobs.*)?$/ },
  { run: 'systemd-detect-virt --container', status: 1, output: /^none$/ },
  { run: 'swapon --noheadings', output: /^$/ },
  { run: 'findmnt -no FSTYPE /srv/scratch', output: /^tmpfs$/ },
  { run: 'ls /srv/share/base-files', output: /\S/ },
  { run: 'findmnt /srv/archive; findmnt /home; findmnt /srv/shared; findmnt /opt/merged', status: 1, output: /^$/ },
  { run: 'ls /sys/class/net', output: /^(?!.*(wan0|lan0))/s },
  { run: 'cat /etc/initramfs-tools/conf.d/resume', output: /RESUME=none/ },
];
