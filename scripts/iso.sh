#!/bin/sh
# Makes one file that boots by BIOS and UEFI, from CD and, written by dd, from USB stick, SD card and hard disk.
# usage: iso.sh NAME.sqfs OUT
set -eu
image=$1 out=$2
here=$(cd "$(dirname "$0")/.." && pwd)
tree=$here/build/iso
rm -rf "$tree"
mkdir -p "$tree/boot/grub" "$tree/viver"
ln "$here/build/vmlinuz" "$here/build/viverrd.zst" "$tree/boot/"
cp "$here/scripts/grub.cfg" "$tree/boot/grub/"
ln "$image" "${image%.sqfs}.caibx" "$tree/viver/"
# grub-mkrescue puts in every GRUB platform it finds: BIOS (grub-pc-bin) and UEFI (grub-efi-amd64-bin) are both wanted.
for platform in i386-pc x86_64-efi; do
  [ -d "/usr/lib/grub/$platform" ] || { echo "iso: GRUB for $platform is missing: make setup" >&2; exit 1; }
done
grub-mkrescue -o "$out.part" --locales= --fonts= --themes= --compress=xz "$tree" -- -volid VIVER
mv "$out.part" "$out"
rm -rf "$tree"
echo "iso: $out $(stat -c %s "$out") bytes"
