#!/bin/sh
# Lays the kit out: TREE/bin/viver, TREE/lib/viver/… and TREE/share/…, the same in the tar and, below /usr, in the package.
# usage: lay-out.sh TREE     after make initrd and build/loaders
set -eu
tree=$(realpath -m "$1")
here=$(cd "$(dirname "$0")/../.." && pwd)
kit=$tree/lib/viver
rm -rf "$tree"
mkdir -p "$tree/bin" "$kit/tools" "$tree/share/doc/viver"
cp -a "$here/build/programs" "$kit/programs"
cp -a "$here/build/first-stage" "$kit/first-stage"
cp "$here/build/viver" "$kit/programs/init"
cp -r "$here/build/loaders" "$kit/loaders"
# What a person edits. A secret of whoever builds the kit is none of it.
mkdir "$kit/initrd"
(cd "$here/initrd" && find . -type f ! -name '*.c' ! -name binaries.list ! -name keymaps.list ! -name firmware-packages.list \
  ! -path ./etc/viver/field.key ! -path './etc/viver/keys/*.pub' | cpio --quiet -pd "$kit/initrd")

libraries() { # the files a program is linked with, its loader among them
  ldd "$1" | sed -n 's/.*=> \(\/[^ ]*\) (.*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) (.*/\1/p'
}
sed 's/[[:space:]]*#.*//; /^[[:space:]]*$/d' "$here/scripts/kit/tools.list" | while read -r program; do
  { echo "$program"; libraries "$program"; } | while read -r file; do
    mkdir -p "$kit/tools$(dirname "$file")"
    [ -e "$kit/tools$file" ] || cp -L "$file" "$kit/tools$file"
  done
done
# mcopy asks the C library for the code page of FAT names.
gconv=$kit/tools/usr/lib/x86_64-linux-gnu/gconv
mkdir -p "$gconv"
cp /usr/lib/x86_64-linux-gnu/gconv/IBM850.so "$gconv/"
printf 'alias CP850// IBM850//\nmodule IBM850// INTERNAL IBM850 1\nmodule INTERNAL IBM850// IBM850 1\n' > "$gconv/gconv-modules"

cat > "$tree/bin/viver" <<'END'
#!/bin/sh
# Starts VIVER with the loader and the libraries of its kit: it needs nothing of this system.
kit=$(dirname "$(dirname "$(readlink -f "$0")")")/lib/viver
VIVER_KIT=$kit exec "$kit/programs/lib64/ld-linux-x86-64.so.2" --argv0 viver \
  --library-path "$kit/programs/lib/x86_64-linux-gnu:$kit/tools/lib/x86_64-linux-gnu:$kit/tools/usr/lib/x86_64-linux-gnu" \
  "$kit/programs/init" "$@"
END
"$here/node_modules/.bin/node" "$here/scripts/kit/manual.ts" "$tree/share"
"$here/node_modules/.bin/node" "$here/scripts/kit/parts.ts" "$tree/share/doc/viver" ".=$tree"
find "$tree" -type d -exec chmod 755 {} +
find "$tree" -type f -perm /111 -exec chmod 755 {} +
find "$tree" -type f ! -perm /111 -exec chmod 644 {} +
# Libraries are not started.
find "$kit" -type f -name '*.so*' ! -name 'ld-linux*' -exec chmod 644 {} +
chmod 755 "$tree/bin/viver"
