#!/bin/sh
# Makes the initrd by `viver initrd`, and lays the first stage (first-stage.zst) and the kernel beside it.
# usage: initrd.sh ROOTFS VERSION VIVER OUT COMPRESS [FIRMWARE]
#   ROOTFS    a tree with boot/vmlinuz-VERSION and lib/modules/VERSION (and lib/firmware)
#   VERSION   as in uname -r; empty: the newest there is
#   VIVER     the executable, build/viver
#   COMPRESS  zstd | gzip | xz | none; ZSTD_LEVEL=1..22, 19 unless set
#   FIRMWARE  a tree with more of lib/firmware
set -eu
# The secret of an earlier initrd: build/ is made by this script alone, and whoever took the key out has none.
rm -f "$(dirname "$4")/field-key.cpio"
rootfs=$1 version=$2 viver=$3 out=$4 compress=$5
made=$("$viver" initrd -o "$out.new" --first-stage "$(dirname "$out")/first-stage.zst" --json --root "$rootfs" ${version:+--kernel "$version"} --compress "$compress" \
  --level "${ZSTD_LEVEL:-19}" ${6:+--firmware "$6"})
version=$(echo "$made" | sed 's/.*"kernel":"\([^"]*\)".*/\1/')
kernel=$rootfs/boot/vmlinuz-$version
[ -e "$kernel" ] || { rm "$out.new"; echo "initrd: no $kernel: ROOTFS wants boot/vmlinuz-VERSION beside lib/modules/VERSION" >&2; exit 1; }
mv "$out.new" "$out"
cp "$kernel" "$(dirname "$out")/vmlinuz"
# Only when it changed: an image of another kernel has to be made anew, which takes minutes.
echo "$version" | cmp -s - "$(dirname "$out")/kernel-version" || echo "$version" > "$(dirname "$out")/kernel-version"
echo "initrd: $out: $made"
