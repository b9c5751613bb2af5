#!/bin/sh
# Lays out what every initrd has besides modules and firmware: programs of initrd/binaries.list with their libraries,
# BusyBox' links, keymaps, and the small libraries in C. Likewise, what the first stage has besides modules.
# usage: programs.sh TREE FIRST-STAGE-TREE
set -eu
tree=$(realpath -m "$1")
first=$(realpath -m "$2")
here=$(cd "$(dirname "$0")/.." && pwd)
keymaps=$here/build/keymaps

libraries() { # the files a dynamic program is linked with, its loader among them
  ldd "$1" 2>/dev/null | sed -n 's/.*=> \(\/[^ ]*\) (.*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) (.*/\1/p'
}

install_libraries() { # of FROM, at their own paths
  libraries "$1" | while read -r library; do
    mkdir -p "$tree$(dirname "$library")"
    [ -e "$tree$library" ] || cp -L "$library" "$tree$library"
  done
}

rm -rf "$tree"
mkdir -p "$tree/bin" "$tree/etc" "$tree/lib/keymaps"
# What the executable needs.
install_libraries "$here/node_modules/.bin/node"
for name in early-random early-streams early-modules; do
  case $name in early-modules) with= ;; *) with=-nostdlib ;; esac
  gcc -Os -Wall -Werror -shared -fPIC $with -s -Wl,--build-id=none -o "$tree/lib/$name.so" "$here/initrd/$name.c"
  echo "/lib/$name.so" >> "$tree/etc/ld.so.preload"
done
if [ ! -e "$keymaps/.done" ] || [ -n "$(find "$here/initrd/keymaps.list" "$here/scripts/keymaps.ts" -newer "$keymaps/.done")" ]; then
  "$here/node_modules/.bin/node" "$here/scripts/keymaps.ts" "$here/initrd/keymaps.list" "$keymaps"
  touch "$keymaps/.done"
fi
cp -P "$keymaps"/*.bmap "$tree/lib/keymaps/"
sed 's/[[:space:]]*#.*//; /^[[:space:]]*$/d' "$here/initrd/binaries.list" | while read -r from to; do
  mkdir -p "$tree$(dirname "${to:-$from}")"
  cp -L "$from" "$tree${to:-$from}"
  install_libraries "$from"
done
"$tree/bin/busybox" --list | while read -r applet; do
  [ -e "$tree/bin/$applet" ] || ln -s busybox "$tree/bin/$applet"
done
chmod -R u=rwX,go=rX "$tree"

# zstd with its own libraries, apart from those that take their place.
rm -rf "$first"
mkdir -p "$first/bin" "$first/first-stage/lib"
cp "$tree/bin/busybox" "$first/bin/busybox"
cp -L /usr/bin/zstd "$first/first-stage/zstd"
libraries /usr/bin/zstd | while read -r library; do
  case $library in
    */ld-linux*) cp -L "$library" "$first/first-stage/ld.so" ;;
    *) cp -L "$library" "$first/first-stage/lib/" ;;
  esac
done
chmod -R u=rwX,go=rX "$first"
