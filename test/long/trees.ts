import type { Image } from '../vm/harness/images.ts';
import { variantImage } from '../vm/harness/variant-image.ts';

/** Systems that several files of the long set boot: each is put together once. */

/**
 * Debian 13 with XFCE, its login screen and NetworkManager, as on a person's machine. The serial console logs root in
 * beside it.
 */
export function desktopImage(): Promise<Image> {
  return variantImage('desktop', {
    base: { suite: 'trixie' },
    packages: [
      ...['xfce4-session', 'xfwm4', 'xfce4-panel', 'xfdesktop4', 'xfce4-settings', 'lightdm', 'lightdm-gtk-greeter'],
      ...['xserver-xorg-core', 'xserver-xorg-input-libinput', 'x11-xserver-utils', 'dbus-x11', 'fonts-dejavu-core'],
      ...['network-manager', 'network-manager-applet', 'polkitd', 'libpam-systemd', 'iputils-ping', 'apparmor'],
    ],
    shell: `useradd -m -s /bin/bash person
printf 'person:person\\n' | chpasswd
systemctl set-default graphical.target
`,
  });
}

/** Debian 12 with both container engines; its image of the distribution has nothing of theirs but their programs. */
export function containersImage(): Promise<Image> {
  return variantImage('containers', {
    base: 'debian',
    packages: ['docker.io', 'podman', 'crun', 'netavark', 'iptables', 'apparmor', 'busybox-static'],
    shell: 'systemctl disable podman-auto-update.timer podman-auto-update.service || true\n',
  });
}

/**
 * Debian 12 under SELinux as `selinux-activate` leaves it, enforcing, every file labelled. The labels are set where the
 * tree is made, as an installed system has them.
 */
export function selinuxImage(): Promise<Image> {
  return variantImage('selinux', {
    base: 'debian',
    packages: ['selinux-policy-default', 'selinux-basics', 'selinux-utils', 'policycoreutils', 'auditd', 'attr'],
    shell: `sed -i 's/^SELINUX=.*/SELINUX=enforcing/' /etc/selinux/config
rm -f /.autorelabel
setfiles -F -e /proc -e /sys -e /dev /etc/selinux/default/contexts/files/file_contexts /
getfattr -n security.selinux /etc/passwd
`,
  });
}

/**
 * Debian 12 with every network manager of a server that goes with the others, each told to have the first card: ifupdown
 * by interfaces.d with a bridge and a bond, NetworkManager, systemd-networkd; Debian's resolvconf; GRUB, snapd.
 */
export function serverImage(): Promise<Image> {
  return variantImage('server', {
    base: 'debian',
    packages: [
      ...['ifupdown', 'isc-dhcp-client', 'bridge-utils', 'ifenslave', 'network-manager', 'resolvconf', 'iputils-ping'],
      ...['grub-pc', 'apparmor', 'snapd'],
    ],
    files: {
      '/etc/network/interfaces':
        'source /etc/network/interfaces.d/*\nsource-directory /etc/network/more\nauto lo\niface lo inet loopback\n',
      '/etc/network/interfaces.d/lan.cfg': 'auto eth0 enp9s9\niface eth0 inet dhcp\niface enp9s9 inet dhcp\n',
      '/etc/network/more/bridge': 'auto br0\niface br0 inet dhcp\n  bridge_ports eth0\n',
      '/etc/network/more/bond': 'auto bond0\niface bond0 inet static\n  address 10.99.0.1/24\n  bond-slaves eth0\n',
      '/etc/systemd/network/00-all.network': '[Match]\nName=e*\n\n[Network]\nDHCP=yes\nBridge=br7\n',
      '/etc/systemd/network/br7.netdev': '[NetDev]\nName=br7\nKind=bridge\n',
      '/etc/NetworkManager/conf.d/zz-own.conf':
        '[keyfile]\nunmanaged-devices=interface-name:docker*\n\n[ifupdown]\nmanaged=true\n',
      '/boot/grub/grub.cfg': '# of an installed system\n',
      // a kernel package as small as can be: what counts is what its script runs
      '/root/kernel/DEBIAN/control':
        'Package: linux-image-6.1.0-999-amd64\nVersion: 1\nArchitecture: amd64\nMaintainer: x <x@example.org>\nDescription: a kernel\n',
      '/root/kernel/DEBIAN/postinst':
        '#!/bin/sh\nset -e\nexport DEB_MAINT_PARAMS="$*"\nrun-parts --report --exit-on-error --arg=6.1.0-999-amd64 --arg=/boot/vmlinuz-6.1.0-999-amd64 /etc/kernel/postinst.d\n',
      '/root/kernel/boot/vmlinuz-6.1.0-999-amd64': 'a kernel\n',
      '/root/kernel/boot/config-6.1.0-999-amd64': 'CONFIG_RD_ZSTD=y\n',
    },
    shell: `dpkg-deb --root-owner-group --build /root/kernel /root/kernel.deb
systemctl enable systemd-networkd NetworkManager networking
rm -f /etc/resolv.conf
ln -s /run/resolvconf/resolv.conf /etc/resolv.conf
systemctl mask snapd.seeded.service snapd.snap-repair.timer
`,
  });
}

/** Debian 12 with netplan for systemd-networkd, and systemd-resolved. */
export function netplanImage(): Promise<Image> {
  return variantImage('netplan', {
    base: 'debian',
    packages: ['netplan.io', 'systemd-resolved', 'iputils-ping'],
    files: {
      '/etc/netplan/50.yaml':
        'network:\n  version: 2\n  renderer: networkd\n  ethernets:\n    eth0: {dhcp4: true}\n  bridges:\n    br0: {interfaces: [eth0], dhcp4: true}\n',
    },
    shell: 'systemctl enable systemd-networkd systemd-resolved\nchmod 600 /etc/netplan/50.yaml\n',
  });
}
