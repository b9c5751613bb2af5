#!/bin/sh
# Lays Debian's kernel out as a tree: OUT/boot/vmlinuz-VERSION, OUT/lib/modules/VERSION with depmod's tables.
# usage: kernel.sh OUT [VERSION]      VERSION: as in uname -r; without it the one linux-image-amd64 stands for
set -eu
out=$1
version=${2:-}
arch=$(dpkg --print-architecture)
# Package lists may be missing on a machine that has everything installed already.
apt-cache show "linux-image-$arch" >/dev/null 2>&1 || if [ "$(id -u)" = 0 ]; then apt-get update -q; else sudo apt-get update -q; fi
if [ -z "$version" ]; then
  version=$(apt-cache depends "linux-image-$arch" | sed -n 's/.*Depends: linux-image-\([0-9].*\)$/\1/p' | head -n 1)
fi
[ -n "$version" ] || { echo "kernel: no package linux-image-$arch in this machine's apt sources" >&2; exit 1; }

rm -rf "$out.part"
mkdir -p "$out.part/download"
(cd "$out.part/download" && apt-get download -q "linux-image-$version")
dpkg-deb -x "$out.part"/download/*.deb "$out.part"
rm -r "$out.part/download"
# Newer packages have their files where /lib leads to.
[ -e "$out.part/lib" ] || ln -s usr/lib "$out.part/lib"
depmod -b "$out.part" "$version"
echo "$version" > "$out.part/version"
rm -rf "$out"
mv "$out.part" "$out"
echo "kernel: $version"
