#!/bin/sh
# Lays out the initrd's tree from the lists in initrd/ and packs it: the same inputs give the same bytes.
# usage: initrd.sh ROOTFS VERSION VIVER TREE OUT COMPRESS [FIRMWARE]
#   ROOTFS    a tree with boot/vmlinuz-VERSION and lib/modules/VERSION (and lib/firmware)
#   VERSION   as in uname -r; empty: the newest there is
#   VIVER     the executable that becomes /init
#   TREE      where the tree is laid out
#   COMPRESS  zstd | gzip | xz | none
#   FIRMWARE  a tree with more of lib/firmware
set -eu
rootfs=$(realpath "$1") version=$2 viver=$(realpath "$3") tree=$(realpath -m "$4") out=$(realpath -m "$5") compress=$6
firmware=${7:+$(realpath "$7")}
here=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "$version" ]; then # the newest the tree has
  version=$(cd "$rootfs/lib/modules" && ls | sort -V | tail -n 1)
fi
modules=$rootfs/lib/modules/$version
kernel=$rootfs/boot/vmlinuz-$version
[ -e "$kernel" ] || { echo "initrd: no $kernel: ROOTFS wants boot/vmlinuz-VERSION beside lib/modules/VERSION" >&2; exit 1; }
[ -e "$modules/modules.dep" ] || { echo "initrd: no $modules/modules.dep: run depmod -b $rootfs $version" >&2; exit 1; }

# A secret: this archive is served to whoever asks, so it goes into one of its own, which only boot media carry.
key=etc/viver/field.key

rows() { # the rows of a list without comments
  sed 's/[[:space:]]*#.*//; /^[[:space:]]*$/d' "$here/initrd/$1"
}

libraries() { # the files a dynamic program is linked with, its loader among them
  ldd "$1" 2>/dev/null | sed -n 's/.*=> \(\/[^ ]*\) (.*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) (.*/\1/p'
}

install_program() { # FROM TO, libraries at their own paths
  mkdir -p "$tree$(dirname "$2")"
  cp -L "$1" "$tree$2"
  libraries "$1" | while read -r library; do
    mkdir -p "$tree$(dirname "$library")"
    [ -e "$tree$library" ] || cp -L "$library" "$tree$library"
  done
}

rm -rf "$tree"
mkdir -p "$tree"
# oldroot: where systemd puts the root when it comes back here at the end; it can make no directory by then.
for directory in bin dev etc lib oldroot proc root run sbin sys tmp usr/bin usr/sbin; do mkdir -p "$tree/$directory"; done

# Files as they are, then programs.
(cd "$here/initrd" && find . -mindepth 1 -type d) | while read -r directory; do mkdir -p "$tree/$directory"; done
(cd "$here/initrd" && find . -mindepth 2 \( -type f -o -type l \) ! -name .gitkeep ! -path "./$key") | while read -r file; do
  cp -P "$here/initrd/$file" "$tree/$file"
done
install_program "$viver" /init
ln -s ../../init "$tree/usr/bin/viver"
ln -s init "$tree/shutdown" # systemd hands the machine over to /run/initramfs/shutdown at its end
for name in early-random early-streams; do
  gcc -Os -Wall -Werror -shared -fPIC -nostdlib -s -Wl,--build-id=none -o "$tree/lib/$name.so" "$here/initrd/$name.c"
  echo "/lib/$name.so" >> "$tree/etc/ld.so.preload"
done
keymaps=$here/build/keymaps
if [ ! -e "$keymaps/.done" ] || [ -n "$(find "$here/initrd/keymaps.list" "$here/scripts/keymaps.ts" -newer "$keymaps/.done")" ]; then
  "$here/node_modules/.bin/node" "$here/scripts/keymaps.ts" "$here/initrd/keymaps.list" "$keymaps"
  touch "$keymaps/.done"
fi
mkdir -p "$tree/lib/keymaps"
cp -P "$keymaps"/*.bmap "$tree/lib/keymaps/"
rows binaries.list | while read -r from to; do install_program "$from" "${to:-$from}"; done
"$tree/bin/busybox" --list | while read -r applet; do
  [ -e "$tree/bin/$applet" ] || ln -s busybox "$tree/bin/$applet"
done

# Modules: rows to files, then the closure over modules.dep (one line names all a module needs, not only the next).
target=$tree/lib/modules/$version
mkdir -p "$target"
"$here/node_modules/.bin/node" "$here/scripts/choose-modules.ts" "$modules" "$here/initrd/modules.list" > "$target.chosen"
(cd "$modules" && tar -cf - --files-from="$target.chosen") | tar -C "$target" -xf -
# The kernel that unpacks the archive gives it half of the memory: modules are compressed, save those nearly every boot
# loads. However a distribution packs its modules, their own bytes, and so their signatures, stay.
"$here/node_modules/.bin/node" "$here/scripts/choose-modules.ts" "$modules" "$here/initrd/uncompressed.list" | sed 's/\.ko\..*/.ko/' > "$target.plain"
find "$target" -name '*.ko.xz' -exec unxz {} +
find "$target" -name '*.ko.gz' -exec gunzip {} +
find "$target" -name '*.ko.zst' -exec unzstd -q --rm {} +
(cd "$target" && find . -name '*.ko' | sed "s|^\./||" | LC_ALL=C sort | LC_ALL=C comm -23 - "$target.plain" | xargs -P "$(nproc)" -n 32 zstd -q --rm "-${ZSTD_LEVEL:-19}")
rm "$target.chosen" "$target.plain"
for table in modules.order modules.builtin modules.builtin.modinfo modules.weakdep; do
  [ ! -e "$modules/$table" ] || cp "$modules/$table" "$target/"
done
# Where modules are, depmod knows from how it was built.
[ -e "$tree/usr/lib/modules" ] || { mkdir -p "$tree/usr/lib" && ln -s ../../lib/modules "$tree/usr/lib/modules"; }
depmod -b "$tree" "$version"
rm -f "$target/modules.symbols" "$target/modules.devname"

# Firmware: what the chosen modules name, and the rows; Debian's non-free packages are a tree of their own (firmware.sh).
"$here/node_modules/.bin/node" "$here/scripts/firmware-table.ts" "$target" > "$target/modules.firmware"
for tree_of in "$rootfs" ${firmware:+"$firmware"}; do
  [ -d "$tree_of/lib/firmware" ] || continue
  { sed 's/^[^:]*: //' "$target/modules.firmware" | tr ' ' '\n'
    rows firmware.list | while read -r glob; do (cd "$tree_of/lib/firmware" && find . -path "./$glob" -type f | sed 's|^\./||'); done
  } | sort -u | while read -r file; do
    for found in "$file" "$file.xz" "$file.zst"; do
      [ ! -e "$tree_of/lib/firmware/$found" ] || (cd "$tree_of" && cp -L --parents "lib/firmware/$found" "$tree/")
    done
  done
done

# The kernel unpacks firmware by itself, if it was built so (CRC-32 is the only sum it knows).
if [ -d "$tree/lib/firmware" ] && grep -qs '^CONFIG_FW_LOADER_COMPRESS_XZ=y' "$rootfs/boot/config-$version"; then
  find "$tree/lib/firmware" -type f ! -name '*.xz' ! -name '*.zst' -size +16k -exec xz -T1 --check=crc32 {} +
fi

# What sbin/init says when it was not enough: the archive may fill half of the memory, and the kernel takes some.
mkdir -p "$tree/etc/viver"
echo $(($(du -sk "$tree" | cut -f 1) * 2 / 1024 + 32)) > "$tree/etc/viver/memory-needed"

# Same inputs, same bytes: one time stamp, one owner, sorted names, inode numbers counted anew.
find "$tree" -exec touch -h -d "@${SOURCE_DATE_EPOCH:-0}" {} +
chmod -R u=rwX,go=rX "$tree"
# BusyBox and its /sbin/init first, the loader of everything else last: the kernel then tells by itself, through that
# script, that the archive did not fit into the memory.
in_order() {
  awk '{ late = /^\.\/lib[^\/]*\/(.*\/)?ld-linux[^\/]*$/ ? 3 : $0 == "./init" ? 2 : /^\.\/lib\/(modules|firmware)\// ? 1 : 0; print late $0 }' |
    LC_ALL=C sort | sed 's/^.//'
}
tree_archive() { (cd "$tree" && find . -mindepth 1 | in_order | cpio --quiet --create --format=newc --reproducible --owner=0:0); }
# What the kernel opens before /init: device nodes, which only root could make and pack, so they are written here. An
# archive of their own, behind the tree's: who unpacks that one need not be root.
newc_entry() { # INODE MODE MAJOR MINOR NAME: a node, or a directory
  printf '070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\0' "$1" "$2" 0 0 1 0 0 0 0 "$3" "$4" $((${#5} + 1)) 0 "$5"
  head -c $(((4 - (110 + ${#5} + 1) % 4) % 4)) /dev/zero
}
nodes_archive() {
  newc_entry 1 $((0040755)) 0 0 dev
  newc_entry 2 $((0020600)) 5 1 dev/console
  newc_entry 3 $((0020666)) 1 3 dev/null
  newc_entry 0 0 0 0 'TRAILER!!!'
}
# A file of its own first: a pipe would say of a failure only what its last program thinks of it.
trap 'rm -f "$tree.cpio" "$out.part"' EXIT
tree_archive > "$tree.cpio"
nodes_archive >> "$tree.cpio"
case $compress in
  # A window of 16 MB, memory that the kernel takes while it unpacks: modules are alike over long distances.
  zstd) zstd -q "-${ZSTD_LEVEL:-19}" --zstd=wlog=24 -T0 < "$tree.cpio" > "$out.part" ;;
  gzip) gzip -9n < "$tree.cpio" > "$out.part" ;;
  xz) xz -T0 --check=crc32 < "$tree.cpio" > "$out.part" ;;
  none) cp "$tree.cpio" "$out.part" ;;
  *) echo "initrd: COMPRESS=$compress is not one of zstd, gzip, xz, none" >&2; exit 2 ;;
esac
mv "$out.part" "$out"
key_archive=$(dirname "$out")/field-key.cpio
rm -f "$key_archive"
if [ -e "$here/initrd/$key" ]; then
  mkdir -p "$tree.key/${key%/*}"
  install -m 0400 "$here/initrd/$key" "$tree.key/$key"
  find "$tree.key" -exec touch -h -d "@${SOURCE_DATE_EPOCH:-0}" {} +
  (umask 077 && cd "$tree.key" && echo "$key" | cpio --quiet --create --format=newc --reproducible --owner=0:0 > "$key_archive")
  rm -r "$tree.key"
  echo "initrd: $key is not in $out, which is served, but in $key_archive: make iso puts it on the medium"
fi
cp "$kernel" "$(dirname "$out")/vmlinuz"
# Only when it changed: an image of another kernel has to be made anew, which takes minutes.
echo "$version" | cmp -s - "$(dirname "$out")/kernel-version" || echo "$version" > "$(dirname "$out")/kernel-version"
echo "initrd: $out $(stat -c %s "$out") bytes, $(find "$target" -name '*.ko*' | wc -l) modules of $version"
