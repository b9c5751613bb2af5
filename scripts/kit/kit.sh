#!/bin/sh
# Makes build/viver-kit.tar.zst (for any distribution) and build/viver_VERSION_amd64.deb: the same inputs, the same bytes.
# usage: kit.sh BUILD     SOURCE_DATE_EPOCH: the time of all files; that of the last commit unless set
set -eu
build=$(realpath "$1")
here=$(cd "$(dirname "$0")/../.." && pwd)
node=$here/node_modules/.bin/node
version=$("$node" -p 'require(process.argv[1]).version' "$here/package.json")
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$here" log -1 --format=%ct 2>/dev/null || stat -c %Y "$here/package.json")}
export SOURCE_DATE_EPOCH TZ=UTC LC_ALL=C
work=$build/kit
rm -rf "$work"
mkdir -p "$work"
sh "$here/scripts/kit/lay-out.sh" "$work/viver-kit"

tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --format=gnu -C "$work" -cf - viver-kit |
  zstd -q -T0 -12 -f -o "$build/viver-kit.tar.zst.part"
mv "$build/viver-kit.tar.zst.part" "$build/viver-kit.tar.zst"

deb=$work/deb
mkdir -p "$deb/usr" "$deb/DEBIAN"
mv "$work/viver-kit/bin" "$work/viver-kit/lib" "$work/viver-kit/share" "$deb/usr/"
doc=$deb/usr/share/doc/viver
{
  echo "viver ($version) unstable; urgency=medium"
  echo
  echo '  * The state of the sources that this package was made of.'
  echo
  echo " -- VIVER's authors <viver@viver.example>  $(date -u -R -d "@$SOURCE_DATE_EPOCH")"
} | gzip -9n > "$doc/changelog.gz"
mkdir -p "$deb/usr/share/lintian/overrides"
cp "$here/scripts/kit/lintian-overrides" "$deb/usr/share/lintian/overrides/viver"
chmod 644 "$deb/usr/share/lintian/overrides/viver" "$doc/changelog.gz"
find "$deb/usr" -type d -exec chmod 755 {} +
find "$deb/usr" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
cat > "$deb/DEBIAN/control" <<END
Package: viver
Version: $version
Architecture: amd64
Maintainer: VIVER's authors <viver@viver.example>
Installed-Size: $(du -sk --apparent-size "$deb/usr" | cut -f 1)
Depends: libc6
Section: admin
Priority: optional
Description: boot many machines from one image, without installing and without a server
 VIVER runs one Linux, from one disk image, on any number of machines. The
 first boots from a stick; the others boot from their network cards, and
 each gives what it has of the image to the others.
 .
 This package is the kit: it makes the image of the Linux it is installed
 on, and the stick that boots it. It carries all the programs it needs.
END
(cd "$deb" && find usr -type f | sort | xargs -d '\n' md5sum) > "$deb/DEBIAN/md5sums"
chmod 644 "$deb/DEBIAN/control" "$deb/DEBIAN/md5sums"
chmod 755 "$deb/DEBIAN" "$deb/usr"
find "$deb/DEBIAN" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Zxz -z3 --build "$deb" "$build/viver_${version}_amd64.deb" > /dev/null
rm -rf "$work"
echo "kit: $build/viver-kit.tar.zst $(stat -c %s "$build/viver-kit.tar.zst") bytes, $build/viver_${version}_amd64.deb $(stat -c %s "$build/viver_${version}_amd64.deb") bytes"
