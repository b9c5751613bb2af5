#!/bin/sh
# Makes the tar of a small Debian without VIVER in it: the slow part of an image, made again only when this file or
# the kernel changes.
# usage: image-base.sh FLAVOUR VERSION OUT.tar      FLAVOUR: debian (systemd) | sysvinit; VERSION: of the kernel
# Mirror and suite are this machine's own (its apt sources); no root is needed where user namespaces are there.
set -eu
flavour=$1 version=$2 out=$3
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
sources=$(apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian')
[ -n "$sources" ] || { echo "image: this machine's apt sources name no Debian mirror (apt-get update?)" >&2; exit 1; }
serial_login=true # systemd starts a getty on the kernel's console by itself
masked=
case $flavour in
  debian)
    init=systemd-sysv,dbus # dbus: systemd-logind needs it, for the power button
    # Work that is gone at power-off (lists of packages, a copy of dpkg's database), or for LVM, which is not in it.
    masked='apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service'
    ;;
  sysvinit)
    init=sysvinit-core,sysv-rc,initscripts,orphan-sysvinit-scripts
    serial_login='echo "T0:2345:respawn:/sbin/getty -L ttyS0 115200 vt100" >> "$1/etc/inittab"'
    ;;
  *) echo "image: no flavour '$flavour': debian or sysvinit" >&2; exit 2 ;;
esac
packages=$init,udev,iproute2,kmod,procps,less,nano-tiny,e2fsprogs,linux-image-$version

# initramfs-tools comes with the kernel package but makes nothing: this system's initrd is VIVER's.
# root has no password, on the consoles only: nothing listens on the network.
# The dpkg options serve the making only: path-exclude for size, force-confold for the file written before its package.
mmdebstrap --variant=minbase --include="$packages" \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-include=/usr/share/locale/locale.alias' \
  --dpkgopt=force-confold \
  --essential-hook='mkdir -p "$1/etc/initramfs-tools" && echo update_initramfs=no > "$1/etc/initramfs-tools/update-initramfs.conf"' \
  --customize-hook='chroot "$1" passwd -d root >/dev/null' \
  --customize-hook="$serial_login" \
  --customize-hook="for unit in $masked; do ln -sf /dev/null \"\$1/etc/systemd/system/\$unit\"; done" \
  --customize-hook='echo viver > "$1/etc/hostname"' \
  --customize-hook='rm -f "$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap" "$1/etc/resolv.conf" "$1"/boot/initrd.img*; : > "$1/etc/machine-id"' \
  "$suite" "$out.part.tar" - <<END
$sources
END
mv "$out.part.tar" "$out"
