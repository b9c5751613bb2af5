import { DEFAULT_LEVEL, HIGHEST_LEVEL } from '../create-image.ts';

/** The words of `viver image`: help, manual page and completion are made of it. */
export const IMAGE_USAGE = `usage: viver image create SOURCE -o NAME.sqfs [--level N] [--json] [--system] [--with PATH]… [--cross]
           [--exclude PATTERN]… [--include PATTERN]… [--excludes FILE | --no-excludes]
           [--kernel VERSION|FILE] [--viverrd FILE] [--no-kernel] [--base OLD.sqfs [--profile FILE]]
       viver image commit -o NAME.sqfs [--level N] [--json] [--no-give] [--with PATH]… [--kernel VERSION|FILE]
           [--viverrd FILE] [--exclude PATTERN]… [--include PATTERN]… [--excludes FILE | --no-excludes]
       viver image excludes [TREE]
       viver image info NAME.sqfs [--json]
       viver image verify NAME.sqfs [--id HEX] [--key DIR] [--json]
       viver image index NAME.sqfs [--json]
       viver image sign NAME.sqfs --secret FILE [--comment TEXT]
       viver image ls NAME.sqfs [PATH…] [--json]
       viver image cat NAME.sqfs PATH…
       viver image extract NAME.sqfs [PATH…] -C DIR
       viver image diff OLD.sqfs NEW.sqfs [--json]
       viver image spdx NAME.sqfs
       viver image mount NAME.sqfs DIR
       viver image unmount DIR

create   makes NAME.sqfs and its chunk index NAME.caibx of SOURCE: / (the running system), a directory, a tar (plain or
         packed by gzip, zstd, xz, bzip2), - (a tar on standard input), oci:DIR (an OCI layout), debian:SUITE (a small
         Debian, by mmdebstrap). Owners, modes and extended attributes are kept. Kernel and initrd are put in /boot, so
         that others can boot from it. The same input gives the same bytes when SOURCE_DATE_EPOCH is set. What is in it
         lists /usr/share/viver/image.spdx.json inside, as spdx does; --exclude of that path leaves it out.
         --level N  of compression (zstd), 1 to ${HIGHEST_LEVEL}, default ${DEFAULT_LEVEL}: lower is faster but larger
         --system   the directory is an installed system: treated as / is. Of / the file systems of its own directories
                    are taken (/boot, /usr, /var …), and what must not be shared is left out (viver image excludes).
                    Of any other directory one file system is taken, and nothing is left out
         --with P   also the file system that is mounted at P: --with /home
         --cross    all file systems of disks that are mounted below
         --exclude PATTERN, --include PATTERN   leave out besides, keep all the same: a path from the root of the tree
                    (/etc/secret), or a name in any directory (*.iso)
         --excludes FILE   this list in place of VIVER's own; --no-excludes: none
         --kernel VERSION  this kernel of the tree; without it the newest with modules. FILE, with a slash in it: that one
         --viverrd FILE    the initrd for that kernel, already made
         --no-kernel       puts in neither: others cannot boot from the image
         --base OLD.sqfs   an image of nearly the same tree: what did not change since is packed as it is there, so that
                    who has the old image fetches little of the new one. Says how much is new, before and after
         --profile FILE    the boot profile of OLD.sqfs (NAME.profile): what a boot reads lies side by side, in its order
commit   makes NAME.sqfs and its index of the system that this machine runs from an image, as it is now: without what VIVER
         wrote into it at the boot and without what is left out of images, packed as the running image is (as with --base).
         Then gives it to others until this machine is switched off: they can boot it, and viver roll knows its name. Where
         RUNES does not run, to machines that ask for it by name or id; --no-give: not
excludes prints the list of what is left out of an installed system, for the distribution of TREE (/ unless given)
info     what the image is. Without an index beside it the id is computed, which reads the whole image.
verify   checks the image against the index beside it, byte for byte.
         --id HEX   the image id must be this one
         --key DIR  the index must be signed (NAME.caibx.minisig) by one of the public keys DIR/*.pub
index    makes NAME.caibx anew.
sign     makes NAME.caibx.minisig, the signature of the index, as minisign makes it.
         --secret FILE   the secret key of minisign -G. Its password, if it has one, is asked for at the terminal, or is
                         the first line of standard input
         --comment TEXT  what the signature says of the image
ls       lists what is at and below each PATH, or everything: type and mode, user/group, bytes, time (UTC), path
cat      writes the files to standard output
extract  makes files of what is at and below each PATH, or of everything, in DIR, which must be empty or not there.
         Nothing is ever made outside of DIR. As root owners, devices and attributes are kept.
diff     a line for each file that was added, removed or changed, compared byte by byte, and how much of NEW.sqfs is in
         chunks that OLD.sqfs has, too
spdx     lists the packages in an image on standard output, by the data bases of dpkg, apk, pacman or rpm in it: an SPDX 2.3
         document (JSON) with version, licences and source package of each, and the sums of kernel and initrd
These five read images without mounting them, whatever they are packed by (gzip, lzma, lzo, xz, lz4, zstd).
mount    shows what is in the image at DIR, read-only: as root by the kernel, else by squashfuse
unmount  ends that; umount does so as well

With --json, one object on standard output:
  info                   {name, path, id, size, chunks, compression, blockSize, created, indexPath, signature}
                         size and blockSize in bytes, created in ISO 8601, indexPath null when there is no index file,
                         signature null or {path, keyId, trustedComment}, not checked
  ls                     a line for each: {path, kind, mode, uid, gid, mtime, size, device, target, attributes}, those
                         it has; pathBase64, targetBase64 too where they are no UTF-8; attributes in base64
  diff                   a line for each: {change, path, kind, before, after, what}, before and after {kind, mode, uid, gid,
                         mtime, size}, what of kind, content, target, device, mode, owner, time, attributes; the last
                         line: {added, removed, changed, bytes, size, chunks, sharedBytes, newBytes, newChunks, newShare}
  create, commit, index, verify  {name, path, id, size, chunks, indexPath}; verify with --key also
                         signature: {path, keyId, trustedComment, keyPath}; create and commit also {family, kernel, leftOut:
                         [{path, why}], excluded: {reason: count}, changed: [path], vanished: [path], inodes,
                         fileBytes, clampedTimes, attributesLeft: {name: count}, sockets}; commit also {givenAt}, an address or null
`;
