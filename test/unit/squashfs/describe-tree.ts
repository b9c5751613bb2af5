import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { getXattr } from '../../../src/linux/xattr.ts';

/** Attributes looked for: those that the tests set. */
const ATTRIBUTES = ['user.comment', 'security.capability', 'trusted.secret', 'user.large'];

/**
 * What a mounted or unpacked tree looks like to whoever uses it; paths as latin1. Run as a program it prints that of the
 * directory that is its argument.
 */
export function describeTree(root: string): Record<string, unknown> {
  const described: Record<string, unknown> = {};
  const names = new Map<bigint, string>();
  const visit = (path: Buffer): void => {
    const full = Buffer.concat([Buffer.from(`${root}/`), path]);
    const facts = lstatSync(full, { bigint: true });
    const name = path.toString('latin1');
    const first = names.get(facts.ino) ?? name;
    names.set(facts.ino, first);
    const attributes = asciiOnly(full)
      ? ATTRIBUTES.flatMap((key) => {
          const value = getXattr(full.toString(), key);
          return value === undefined ? [] : [[key, digest(value)]];
        })
      : [];
    described[name] = {
      mode: facts.mode.toString(8),
      owner: `${facts.uid}:${facts.gid}`,
      mtime: Number(facts.mtimeMs / 1000n),
      links: Number(facts.nlink),
      ...(first !== name && { sameAs: first }),
      ...(attributes.length > 0 && { attributes: Object.fromEntries(attributes) }),
      ...(facts.isFile() && { size: Number(facts.size), content: digest(readFileSync(full)) }),
      ...(facts.isSymbolicLink() && { target: readlinkSync(full, { encoding: 'buffer' }).toString('latin1') }),
      ...((facts.isBlockDevice() || facts.isCharacterDevice()) && { device: facts.rdev.toString(16) }),
    };
    if (!facts.isDirectory()) return;
    for (const child of readdirSync(full, { encoding: 'buffer' })) {
      visit(path.length === 0 ? child : Buffer.concat([path, Buffer.from('/'), child]));
    }
  };
  visit(Buffer.alloc(0));
  return described;
}

export function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}

/** getxattr is called with text here; paths that are no UTF-8 are looked at without it. */
function asciiOnly(path: Buffer): boolean {
  return path.every((byte) => byte < 0x80);
}

if (process.argv[1] === import.meta.filename) {
  process.stdout.write(JSON.stringify(describeTree(process.argv[2] ?? '')));
}
