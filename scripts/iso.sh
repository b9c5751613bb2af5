#!/bin/sh
# Makes one file that boots by BIOS and UEFI (64 and 32 bits, Secure Boot too), from CD and, written by dd, from USB
# stick, SD card and hard disk. Its files copied onto one FAT32 partition boot by UEFI. Same inputs, same bytes.
# usage: iso.sh NAME.sqfs OUT [BOOT]
#   BOOT      directory of vmlinuz and viverrd.zst; build/ without it
set -eu
PATH=$PATH:/usr/sbin:/sbin # mkfs.vfat, where people have no sbin in theirs
here=$(cd "$(dirname "$0")/.." && pwd)
image=$(realpath -s "$1") out=$(realpath -m "$2") boot=$(realpath "${3:-$here/build}")
signed=/usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed
for file in /usr/lib/grub/i386-pc/boot_hybrid.img /usr/lib/grub/i386-efi/moddep.lst $signed \
  /usr/lib/shim/shimx64.efi.signed /usr/lib/shim/mmx64.efi.signed; do
  [ -e "$file" ] || { echo "iso: $file is missing: make setup" >&2; exit 1; }
done
work=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$work" "$out.part"' EXIT
tree=$work/tree
mkdir -p "$tree/boot/grub/i386-pc" "$tree/viver" "$tree/EFI/BOOT"
put() { ln -L "$1" "$2" 2>/dev/null || cp -L "$1" "$2"; } # another file system has no links to this one
put "$boot/vmlinuz" "$tree/boot/vmlinuz"
put "$boot/viverrd.zst" "$tree/boot/viverrd.zst"
# The kernel unpacks one archive after the other; each begins at a multiple of four bytes.
if [ -e "$boot/field-key.cpio" ]; then
  rm "$tree/boot/viverrd.zst"
  { cat "$boot/viverrd.zst"; head -c "$(((4 - $(stat -Lc %s "$boot/viverrd.zst") % 4) % 4))" /dev/zero; cat "$boot/field-key.cpio"; } > "$tree/boot/viverrd.zst"
fi
cp "$here/scripts/grub/grub.cfg" "$here/scripts/grub/loopback.cfg" "$tree/boot/grub/"
put "$image" "$tree/viver/$(basename "$image")"
for file in "${image%.sqfs}.caibx" "${image%.sqfs}.caibx.minisig"; do
  [ ! -e "$file" ] || put "$file" "$tree/viver/$(basename "$file")"
done

# A file that no other medium has: by it the boot loader finds this one, whatever else is plugged in.
id=$(cd "$tree" && { find boot viver -type f ! -name '*.sqfs' | LC_ALL=C sort | xargs sha256sum
  head -c 96 "$image" | sha256sum; sha256sum "$signed" /usr/lib/shim/shimx64.efi.signed; } | sha256sum | cut -c 1-16)
echo "$id" > "$tree/boot/grub/$id.id"
echo "set viver_id=$id" | cat - "$here/scripts/grub/find-medium.cfg" > "$work/find-medium.cfg"

# UEFI, 64 bits: shim is signed by Microsoft, GRUB (the build for CDs) by Debian, as the kernel is. Nothing has to be
# enrolled. This GRUB reads $prefix/grub.cfg, its prefix being /boot/grub on the file system it came from.
cp /usr/lib/shim/shimx64.efi.signed "$tree/EFI/BOOT/BOOTX64.EFI"
cp /usr/lib/shim/mmx64.efi.signed "$tree/EFI/BOOT/mmx64.efi"
cp $signed "$tree/EFI/BOOT/grubx64.efi"
# UEFI, 32 bits, and BIOS: the modules of the menu are inside. Debian has no shim for 32 bits in its amd64 archive.
modules='normal configfile linux search search_fs_file loopback probe regexp test echo sleep ls cat minicmd reboot halt
  serial part_msdos part_gpt iso9660 fat exfat ext2 ntfs'
grub-mkimage -O i386-efi -p /boot/grub -o "$tree/EFI/BOOT/BOOTIA32.EFI" $modules efi_gop efi_uga all_video
grub-mkimage -O i386-pc -p /boot/grub -o "$work/core.img" biosdisk $modules
cat /usr/lib/grub/i386-pc/cdboot.img "$work/core.img" > "$tree/boot/grub/i386-pc/eltorito.img"

# Same inputs, same bytes: the image's own date unless one is given, and a volume date (it is the UUID) of the contents.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(od -An -t u4 -j 8 -N 4 "$image" | tr -d ' ')}
export SOURCE_DATE_EPOCH TZ=UTC
find "$tree" -type d -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
volume_date=$(date -u -d "@$((SOURCE_DATE_EPOCH + 0x$(echo "$id" | cut -c 1-7) % 31536000))" +%Y%m%d%H%M%S)$((0x$(echo "$id" | cut -c 8-12) % 90 + 10))

# What UEFI sees of a CD or of a written stick is this FAT file system alone; its grub.cfg leads to the ISO.
mkdir -p "$work/efi/boot/grub"
cp -r "$tree/EFI" "$work/efi/"
cp "$work/find-medium.cfg" "$work/efi/boot/grub/grub.cfg"
find "$work/efi" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
kib=$(($(du -s --apparent-size -k "$work/efi" | cut -f 1) + 512))
truncate -s "$(((kib + 1023) / 1024))M" "$work/efi.img"
mkfs.vfat --invariant -i "$(echo "$id" | cut -c 1-8)" -n VIVER-EFI "$work/efi.img" > "$work/mkfs.log" || { cat "$work/mkfs.log" >&2; exit 1; }
(cd "$work/efi" && mcopy -s -m -i "$work/efi.img" EFI boot ::)

# An MBR and no GPT: a partition for the changes (viver.cow=keep) is then one sector more or less, and no second table
# is in the way at the end of a stick. Partition 1 is the ISO itself, 2 the EFI system partition.
xorriso -as mkisofs -quiet -r -J -joliet-long -iso-level 3 -V VIVER -o "$out.part" \
  --modification-date="$volume_date" --set_all_file_dates "=$SOURCE_DATE_EPOCH" \
  --grub2-mbr /usr/lib/grub/i386-pc/boot_hybrid.img -partition_offset 16 -iso_mbr_part_type 0x83 --mbr-force-bootable \
  -b boot/grub/i386-pc/eltorito.img -c boot/grub/boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table --grub2-boot-info \
  -append_partition 2 0xef "$work/efi.img" \
  -eltorito-alt-boot -e --interval:appended_partition_2:all:: -no-emul-boot "$tree"
# The disk's signature, which PARTUUIDs are made of.
for byte in 1-2 3-4 5-6 7-8; do
  printf "\\$(printf %03o "0x$(echo "$id" | cut -c $byte)")"
done | dd of="$out.part" bs=1 seek=440 conv=notrunc status=none
mv "$out.part" "$out"
echo "iso: $out $(stat -c %s "$out") bytes"
# The largest file of FAT32 has 4 GiB less one byte.
[ "$(stat -Lc %s "$image")" -lt 4294967296 ] || echo "iso: the image is 4 GiB or larger: the files cannot be copied onto FAT32, only the ISO be written by dd"
