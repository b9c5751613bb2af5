import type { FileContent, TreeEntry } from '../../../squashfs/entry.ts';
import { count, readable, type SourceReport } from '../report.ts';
import { holdsSecret, type Rules, type Verdict } from './rules.ts';

/** Larger files are no configuration: taken for one that holds a password. */
const LONGEST_CONFIGURATION = 4 * 1024 * 1024;

/**
 * The entries without what the rules take away; what they did is counted in the report by its reason.
 * @throws Error when a file stays that is only another name of one that was left out
 */
export async function* applyRules(
  entries: AsyncIterable<TreeEntry> | Iterable<TreeEntry>,
  rules: Rules,
  report: SourceReport,
): AsyncGenerator<TreeEntry, void, void> {
  const dropped = new Set<string>();
  for await (const entry of entries) {
    const path = entry.path.toString('latin1');
    const verdict = path === '' ? undefined : rules.of(path, entry.kind === 'directory');
    const kept = verdict === undefined ? entry : await changed(entry, verdict);
    if (kept !== entry && verdict !== undefined) count(report.excluded, verdict.rule.why);
    if (kept === undefined) {
      if (entry.kind !== 'directory') dropped.add(path);
      continue;
    }
    if (kept.kind === 'hardlink' && dropped.has(kept.target?.toString('latin1') ?? '')) {
      const target = readable(kept.target ?? Buffer.alloc(0));
      throw new Error(`${readable(kept.path)} is another name of ${target}, which is left out: --include /${target}`);
    }
    yield kept;
  }
}

/** The entry as the verdict wants it; undefined: not at all. */
async function changed(entry: TreeEntry, { what }: Verdict): Promise<TreeEntry | undefined> {
  if (what === 'drop') return undefined;
  if (entry.kind !== 'file' || entry.open === undefined) return entry;
  if (what === 'empty') return { ...entry, size: 0, open: () => contentOf(Buffer.alloc(0)) };
  const content = await entry.open();
  try {
    if (content.size > LONGEST_CONFIGURATION) return undefined;
    const bytes = Buffer.alloc(content.size);
    for (let at = 0; at < bytes.length; ) {
      const had = await content.read(bytes.subarray(at), at);
      if (had === 0) break;
      at += had;
    }
    // The file can be opened only once.
    return holdsSecret(bytes) ? undefined : unchanged(entry, bytes);
  } finally {
    await content.close();
  }
}

function unchanged(entry: TreeEntry, bytes: Buffer): TreeEntry {
  return Object.assign(entry, { open: () => contentOf(bytes) });
}

/** Bytes in memory as a file's. */
export function contentOf(bytes: Uint8Array): FileContent {
  return {
    size: bytes.length,
    read(into, offset) {
      const part = bytes.subarray(offset, offset + into.length);
      into.set(part);
      return part.length;
    },
    close: () => undefined,
  };
}
