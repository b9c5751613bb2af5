#!/bin/sh
# Collects the boot loaders of an ISO: Debian's signed ones as they are, and GRUB for BIOS and for UEFI of 32 bits, with
# the modules that the menu needs inside.
# usage: loaders.sh OUT
set -eu
out=$1
lib=/usr/lib/grub
for file in $lib/i386-pc/boot_hybrid.img $lib/i386-efi/moddep.lst $lib/x86_64-efi-signed/gcdx64.efi.signed \
  /usr/lib/shim/shimx64.efi.signed /usr/lib/shim/mmx64.efi.signed; do
  [ -e "$file" ] || { echo "loaders: $file is missing: make setup" >&2; exit 1; }
done
rm -rf "$out"
mkdir -p "$out"
# UEFI, 64 bits: shim is signed by Microsoft, GRUB (the build for CDs) by Debian, as the kernel is. Nothing has to be
# enrolled. This GRUB reads $prefix/grub.cfg, its prefix being /boot/grub on the file system it came from.
cp /usr/lib/shim/shimx64.efi.signed "$out/BOOTX64.EFI"
cp /usr/lib/shim/mmx64.efi.signed "$out/mmx64.efi"
cp $lib/x86_64-efi-signed/gcdx64.efi.signed "$out/grubx64.efi"
# Debian has no shim for 32 bits in its amd64 archive.
modules='normal configfile linux search search_fs_file loopback probe regexp test echo sleep ls cat minicmd reboot halt
  serial part_msdos part_gpt iso9660 fat exfat ext2 ntfs'
grub-mkimage -O i386-efi -p /boot/grub -o "$out/BOOTIA32.EFI" $modules efi_gop efi_uga all_video
grub-mkimage -O i386-pc -p /boot/grub -o "$out/core.img" biosdisk $modules
cat $lib/i386-pc/cdboot.img "$out/core.img" > "$out/eltorito.img"
rm "$out/core.img"
cp $lib/i386-pc/boot_hybrid.img "$out/"
# The same for machines that boot by network: GRUB's build for that. Where Debian's package lacks it, only they go without.
network=$lib/x86_64-efi-signed/grubnetx64.efi.signed
if [ -e "$network" ]; then cp "$network" "$out/grubnetx64.efi"
else echo "loaders: no $network: machines with Secure Boot on cannot boot by network" >&2; fi
