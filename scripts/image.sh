#!/bin/sh
# Makes a disk image of a base tar: kernel and viverrd go to /boot, so that every machine booted from it can boot others;
# what machines with Secure Boot on load before them to /boot/viver-net.
# usage: image.sh BASE.tar OUT.sqfs [LEVEL]      the chunk index, OUT.caibx, is made beside it; LEVEL: of compression
set -eu
base=$1 out=$2 level=${3:-}
here=$(cd "$(dirname "$0")/.." && pwd)
work=$out.part.tar
cp --reflink=auto "$base" "$work"
tar --append --file="$work" --owner=0 --group=0 --mode=0644 --mtime="@${SOURCE_DATE_EPOCH:-0}" \
  --transform='s|^|./boot/|' --directory="$here/build" vmlinuz viverrd.zst
if [ -e "$here/build/loaders/grubnetx64.efi" ]; then
  net=$out.part-net
  mkdir -p "$net/viver-net"
  cp "$here/build/loaders/BOOTX64.EFI" "$net/viver-net/shimx64.efi"
  cp "$here/build/loaders/grubnetx64.efi" "$net/viver-net/grubx64.efi"
  cp "$here/build/first-stage.zst" "$net/viver-net/"
  tar --append --file="$work" --owner=0 --group=0 --mode=u=rwX,go=rX --mtime="@${SOURCE_DATE_EPOCH:-0}" --sort=name \
    --transform='s|^|./boot/|' --directory="$net" viver-net
  rm -r "$net"
fi
"$here/build/viver" image create "$work" -o "$out" ${level:+--level "$level"}
rm "$work"
