import { once } from 'node:events';
import { printable } from '../../codec/printable.ts';
import { compareChunks } from '../../image/compare-chunks.ts';
import { compareImages, type Difference } from '../../squashfs/compare-images.ts';
import type { ImageEntry } from '../../squashfs/squashfs-image.ts';
import { SquashfsImage } from '../../squashfs/squashfs-image.ts';
import { showProgress } from '../progress.ts';
import { knownIndex } from './known-index.ts';
import { textOrBytes } from './read-image.ts';

/** What `viver image diff --json` prints last. */
interface Totals {
  added: number;
  removed: number;
  changed: number;
  /** Of the files that were added or changed, as they are now. */
  bytes: number;
}

/** `viver image diff`: a line for each entry that differs, and how many chunks both images have. */
export async function diffImages(before: string, after: string, json: boolean, signal: AbortSignal): Promise<void> {
  using left = new SquashfsImage(before);
  using right = new SquashfsImage(after);
  const totals: Totals = { added: 0, removed: 0, changed: 0, bytes: 0 };
  const progress = showProgress('compare');
  try {
    const options = { signal, onCompared: (bytes: number) => progress.update(bytes) };
    for await (const difference of compareImages(left, right, options)) {
      totals[difference.change]++;
      if (difference.change !== 'removed') totals.bytes += newBytes(difference);
      progress.end();
      await write(json ? jsonLine(difference) : textLine(difference));
    }
  } finally {
    progress.end();
  }
  const [old, made] = [await knownIndex(before, signal), await knownIndex(after, signal)];
  const chunks = old.hash === made.hash ? compareChunks(old, made) : undefined;
  const shared = chunks === undefined ? undefined : made.size - chunks.newBytes;
  if (json) {
    const known = chunks === undefined ? { sharedBytes: null, newChunks: null } : { sharedBytes: shared, ...chunks };
    return await write(`${JSON.stringify({ ...totals, size: made.size, chunks: made.count, ...known })}\n`);
  }
  const { added, removed, changed, bytes } = totals;
  await write(`${added} added, ${removed} removed, ${changed} changed; ${bytes} bytes of files are new\n`);
  if (chunks === undefined || shared === undefined) {
    return await write(
      `which chunks both have is not known: their indexes name them by ${old.hash} and ${made.hash}\n`,
    );
  }
  const percent = made.size === 0 ? '100' : ((100 * shared) / made.size).toFixed(1);
  await write(
    `${shared} of ${made.size} bytes of ${after} (${percent} %) are in chunks that ${before} has; ` +
      `${chunks.newChunks} of ${made.count} chunks are new\n`,
  );
}

/** A file of which only the mode is another has no new bytes. */
function newBytes(difference: Difference): number {
  if (difference.change === 'removed') return 0;
  const isNew = difference.change === 'added' || difference.what.some((what) => what === 'kind' || what === 'content');
  return isNew && difference.after.kind === 'file' ? (difference.after.size ?? 0) : 0;
}

/** `changed  etc/passwd  1200 → 1250 bytes (content, time)`. */
function textLine(difference: Difference): string {
  const path = difference.path.length === 0 ? '/' : printable(difference.path.toString());
  const line = (word: string, rest: string): string => `${word.padEnd(7)}  ${path}${rest}\n`;
  if (difference.change === 'added') return line('added', described(difference.after));
  if (difference.change === 'removed') return line('removed', described(difference.before));
  const { before, after, what } = difference;
  const [old, now] = [before.size, after.size];
  const sizes =
    what.includes('kind') || old === undefined || now === undefined
      ? ''
      : old === now
        ? `  ${now} bytes`
        : `  ${old} → ${now} bytes`;
  const kinds = what.includes('kind') ? `  ${before.inode.kind} → ${after.inode.kind}` : '';
  return line('changed', `${kinds}${sizes} (${what.join(', ')})`);
}

function described({ kind, size, target }: ImageEntry): string {
  if (target !== undefined) return `  ${kind === 'hardlink' ? 'link to' : '->'} ${printable(target.toString())}`;
  return size === undefined ? `  ${kind}` : `  ${size} bytes`;
}

function jsonLine(difference: Difference): string {
  const { change, path } = difference;
  const before = change === 'added' ? undefined : difference.before;
  const after = change === 'removed' ? undefined : difference.after;
  return `${JSON.stringify({
    change,
    ...textOrBytes('path', path),
    kind: (after ?? before)?.inode.kind,
    ...(before !== undefined && { before: facts(before) }),
    ...(after !== undefined && { after: facts(after) }),
    ...(change === 'changed' && { what: difference.what }),
  })}\n`;
}

const facts = ({ inode, mode, uid, gid, mtime, size }: ImageEntry) => ({
  kind: inode.kind,
  mode: mode.toString(8).padStart(4, '0'),
  uid,
  gid,
  mtime,
  ...(size !== undefined && { size }),
});

async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}
