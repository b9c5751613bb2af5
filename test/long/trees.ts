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
