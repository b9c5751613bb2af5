import { definePlugin } from '../engine/plugin.ts';

/**
 * Packages of kernels and boot loaders write for the boot of an installed system: an initramfs, GRUB's menu, a boot
 * sector. Here these have no meaning, and on the union they fail (`grub-probe: failed to get canonical path of …`), so
 * that the package stays half installed. Programs of the same names come before them in the PATH of maintainer scripts,
 * say what an upgrade means here, and succeed. Nothing of the image is changed.
 */

const DIRECTORY = '/usr/local/lib/viver/boot-packages';

interface StandIn {
  readonly name: string;
  /** Where the program itself may be: none there, none is needed. */
  readonly at: readonly string[];
  readonly says: string;
}

const sbin = (name: string) => [`/usr/sbin/${name}`, `/sbin/${name}`, `/usr/bin/${name}`];

const MENU = 'GRUB is not what starts this system: no menu is written, no boot sector touched.';
const INITRAMFS =
  'This system boots by the kernel and initrd that lie beside its image, not by those in its /boot: no initramfs is made. A new kernel takes effect with a new image: viver image commit, then make initrd for that kernel.';

const STAND_INS: readonly StandIn[] = [
  ...['update-grub', 'update-grub2', 'grub-mkconfig', 'grub-install'].map((name) => ({
    name,
    at: sbin(name),
    says: MENU,
  })),
  ...['update-initramfs', 'mkinitramfs'].map((name) => ({ name, at: sbin(name), says: INITRAMFS })),
  { name: 'dracut', at: sbin('dracut'), says: INITRAMFS },
];

/** `VIVER_INSTALLED=1` runs the program itself: for who installs onto a disk from here. Pure. */
export function standIn({ name, says, at }: StandIn): string {
  return `#!/bin/sh
# VIVER: in place of ${name} for the scripts of packages (dpkg). VIVER_INSTALLED=1 runs the program itself.
if [ -n "\${DPKG_MAINTSCRIPT_PACKAGE:-}" ] && [ -z "\${VIVER_INSTALLED:-}" ]; then
  echo "${name}: ${says}" >&2
  exit 0
fi
for real in ${at.join(' ')}; do
  [ -x "$real" ] && exec "$real" "$@"
done
echo "${name}: not found" >&2
exit 127
`;
}

/** The PATH that apt gives to dpkg is its own setting. Pure. */
export const APT_PATH = `// VIVER: what packages call to change the boot of an installed system is found there first.
DPkg::Path "${DIRECTORY}:/usr/sbin:/usr/bin:/sbin:/bin";
`;

export default definePlugin({
  name: 'boot-packages',
  summary: 'kernel and GRUB packages can be upgraded: their scripts change no boot that is not this one',
  prepare(root) {
    if (!root.has('/usr/bin/dpkg')) return;
    const there = STAND_INS.filter(({ at }) => at.some((path) => root.has(path)));
    if (there.length === 0) return;
    for (const one of there) {
      root.write(`${DIRECTORY}/${one.name}`, standIn(one), 0o755);
      root.link(`/usr/local/sbin/${one.name}`, `${DIRECTORY}/${one.name}`);
    }
    root.write('/etc/apt/apt.conf.d/99viver', APT_PATH);
    root.note(`${there.map(({ name }) => name).join(', ')}: harmless when a package calls them`);
  },
});
