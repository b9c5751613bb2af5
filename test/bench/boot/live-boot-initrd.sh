#!/bin/sh
# Makes Debian live-boot's own initrd for a kernel, as update-initramfs makes it in a small Debian.
# usage: live-boot-initrd.sh KERNEL_VERSION OUT
# The mirror is this machine's own (its apt sources).
set -eu
version=$1 out=$2
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
sources=$(apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian')
mmdebstrap --variant=minbase --quiet --format=null --include="live-boot,zstd,udev,kmod,systemd-sysv,linux-image-$version" \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --customize-hook='chroot "$1" update-initramfs -c -k '"$version"' || chroot "$1" update-initramfs -u -k '"$version" \
  --customize-hook='cp "$1/boot/initrd.img-'"$version"'" '"'$out'" \
  "$suite" /dev/null - <<END
$sources
END
