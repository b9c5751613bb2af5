import { createHash } from 'node:crypto';
import type { FileContent, TreeEntry } from '../../../../src/squashfs/entry.ts';

/** An entry as a test compares it: names and bytes as latin1, the content by its hash. */
export interface Described {
  readonly kind: string;
  readonly mode: number;
  readonly owner: string;
  readonly mtime: number;
  readonly target?: string;
  readonly device?: string;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly size?: number;
  readonly sha256?: string;
}

/** Of all bytes, holes passed over as the writer does, in pieces of an odd size. */
async function hashOf(content: FileContent, piece = 70_001): Promise<string> {
  const hash = createHash('sha256');
  const zeroes = Buffer.alloc(piece);
  const into = Buffer.alloc(piece);
  for (let at = 0; at < content.size; ) {
    const data = (await content.nextData?.(at)) ?? at;
    for (; at < data; at += Math.min(piece, data - at)) hash.update(zeroes.subarray(0, Math.min(piece, data - at)));
    const part = into.subarray(0, Math.min(piece, content.size - at));
    const count = part.length === 0 ? 0 : await content.read(part, at);
    if (count !== part.length) throw new Error(`${count} of ${part.length} bytes at ${at}`);
    hash.update(part);
    at += count;
  }
  await content.close();
  return hash.digest('hex').slice(0, 16);
}

export async function describeEntry(entry: TreeEntry): Promise<Described> {
  const { kind, mode, uid, gid, mtime, target, device, attributes } = entry;
  const content = kind === 'file' && entry.open !== undefined ? await entry.open() : undefined;
  const hash = content === undefined ? undefined : await hashOf(content);
  const sorted = [...(attributes ?? [])].map(([name, value]) => [name, value.toString('latin1')] as const).sort();
  return {
    kind,
    mode: kind === 'symlink' || kind === 'hardlink' ? 0 : mode,
    owner: `${uid}:${gid}`,
    mtime: kind === 'hardlink' ? 0 : mtime,
    ...(target === undefined ? {} : { target: target.toString('latin1') }),
    ...(device === undefined ? {} : { device: `${device.major}:${device.minor}` }),
    ...(sorted.length === 0 || kind === 'hardlink' ? {} : { attributes: Object.fromEntries(sorted) }),
    ...(content === undefined || hash === undefined ? {} : { size: content.size, sha256: hash }),
  };
}

/** By path; a later entry of a path replaces the earlier, as everywhere. */
export async function describeAll(
  entries: AsyncIterable<TreeEntry> | Iterable<TreeEntry>,
): Promise<Map<string, Described>> {
  const found = new Map<string, Described>();
  for await (const entry of entries) found.set(entry.path.toString('latin1'), await describeEntry(entry));
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}
