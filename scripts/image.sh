#!/bin/sh
# Makes a disk image of a base tar: kernel and viverrd go to /boot, so that every machine booted from it can boot others.
# usage: image.sh BASE.tar OUT.sqfs [LEVEL]      the chunk index, OUT.caibx, is made beside it; LEVEL: of compression
set -eu
base=$1 out=$2 level=${3:-}
here=$(cd "$(dirname "$0")/.." && pwd)
work=$out.part.tar
cp --reflink=auto "$base" "$work"
tar --append --file="$work" --owner=0 --group=0 --mode=0644 --mtime="@${SOURCE_DATE_EPOCH:-0}" \
  --transform='s|^|./boot/|' --directory="$here/build" vmlinuz viverrd.zst
"$here/build/viver" image create "$work" -o "$out" ${level:+--level "$level"}
rm "$work"
