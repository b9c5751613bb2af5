#!/bin/sh
# Lays Debian's non-free firmware out as a tree: OUT/lib/firmware, from the packages of initrd/firmware-packages.list
# that this machine's apt sources have.
# usage: firmware.sh OUT
set -eu
out=$1
here=$(cd "$(dirname "$0")/.." && pwd)
rm -rf "$out.part"
mkdir -p "$out.part/lib/firmware" "$out.part/download"
had=
for package in $(sed 's/[[:space:]]*#.*//; /^[[:space:]]*$/d' "$here/initrd/firmware-packages.list"); do
  apt-cache show "$package" > "$out.part/about" 2>/dev/null || continue
  [ -s "$out.part/about" ] || continue
  (cd "$out.part/download" && apt-get -o APT::Sandbox::User=root download -q "$package" > /dev/null)
  had="$had $package"
done
for deb in "$out.part"/download/*.deb; do
  [ ! -e "$deb" ] || dpkg-deb -x "$deb" "$out.part"
done
# Where /lib is part of /usr, packages have their files there.
[ ! -d "$out.part/usr/lib/firmware" ] || cp -a "$out.part/usr/lib/firmware/." "$out.part/lib/firmware/"
rm -rf "$out.part/download" "$out.part/about" "$out.part/usr"
echo "${had# }" > "$out.part/packages"
rm -rf "$out"
mv "$out.part" "$out"
if [ -z "$had" ]; then
  echo "firmware: the apt sources of this machine have no firmware packages: add the component non-free-firmware (Debian 12 and 13)" >&2
else
  echo "firmware:$had"
fi
