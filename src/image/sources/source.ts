import { createReadStream, type Stats } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { addAbortSignal, type Readable } from 'node:stream';
import type { TreeEntry } from '../../squashfs/entry.ts';
import { debianSuite } from './debian-suite.ts';
import { readLayers } from './oci/layers.ts';
import { openLayout } from './oci/layout.ts';
import type { SourceReport } from './report.ts';
import { applyRules } from './rules/apply.ts';
import type { Rules } from './rules/rules.ts';
import { readTar } from './tar/read-tar.ts';
import { unpacked } from './tar/unpack.ts';
import { openView } from './tree/view.ts';
import { walkTree } from './tree/walk.ts';

/** What an image is made of. */
export type ImageSource =
  | { readonly kind: 'directory' | 'tar' | 'oci'; readonly path: string }
  /** A tar on standard input. */
  | { readonly kind: 'stdin' }
  /** A small Debian, put together by mmdebstrap: `trixie`. */
  | { readonly kind: 'debian'; readonly suite: string };

export interface SourceOptions {
  /** What is left out. */
  readonly rules?: Rules;
  /** Of a directory: it is an installed system, and the file systems of its own directories belong to it. */
  readonly isSystem?: boolean;
  /** Of a directory: every file system of a disk that is mounted below. */
  readonly crossAll?: boolean;
  /** Of a directory: mount points to take along whatever they are. */
  readonly asked?: readonly string[];
  /** Of a directory: files that are the image's own. */
  readonly isOwn?: (directory: { readonly dev: bigint; readonly ino: bigint }, name: string) => boolean;
  /** Filled in while the entries are read. */
  readonly report: SourceReport;
  readonly signal: AbortSignal;
}

/**
 * What SOURCE on the command line means.
 * @throws Error when there is no such thing
 */
export async function resolveSource(source: string): Promise<ImageSource> {
  if (source === '-') return { kind: 'stdin' };
  const [, scheme, rest = ''] = /^(debian|oci):(.*)$/s.exec(source) ?? [];
  if (scheme === 'debian') {
    if (!/^[a-z][a-z0-9-]*$/.test(rest)) throw new Error(`'${rest}' is no name of a Debian suite, such as bookworm`);
    return { kind: 'debian', suite: rest };
  }
  const { path, facts } = await found(scheme === 'oci' ? rest : source);
  if (scheme === 'oci') {
    if (facts.isDirectory()) return { kind: 'oci', path };
    throw new Error(`${rest} is no directory: oci: takes an OCI layout (index.json, oci-layout, blobs/)`);
  }
  if (facts.isDirectory()) return { kind: 'directory', path };
  if (facts.isFile()) return { kind: 'tar', path };
  throw new Error(`${source} is neither a directory nor a file; a tar from a pipe comes in by -`);
}

/** The real path: of a symbolic link what it leads to. */
async function found(source: string): Promise<{ path: string; facts: Stats }> {
  try {
    const path = await realpath(source);
    return { path, facts: await stat(path) };
  } catch (cause) {
    throw new Error(`cannot read ${source}`, { cause });
  }
}

/** How messages call it. */
export function sourceName(source: ImageSource): string {
  if (source.kind === 'stdin') return 'standard input';
  return source.kind === 'debian' ? `debian:${source.suite}` : source.path;
}

/** Whether it is a whole system as it runs here, of which parts are left out unless all is wanted. */
export function isRunningSystem(source: ImageSource): boolean {
  return source.kind === 'directory' && source.path === '/';
}

/**
 * The entries of a source, in its order. Each file must be read before the next entry is asked for.
 * @throws Error at once or while they are read, in one line
 */
export function openSource(
  source: ImageSource,
  options: SourceOptions,
): AsyncIterable<TreeEntry> | Iterable<TreeEntry> {
  const { rules, report } = options;
  const entries = entriesOf(source, options);
  return rules === undefined || rules.list.length === 0 ? entries : applyRules(entries, rules, report);
}

function entriesOf(source: ImageSource, options: SourceOptions): AsyncIterable<TreeEntry> | Iterable<TreeEntry> {
  const { signal } = options;
  const name = sourceName(source);
  switch (source.kind) {
    case 'directory':
      return walkDirectory(source.path, options);
    case 'tar':
      return tarOf(createReadStream(source.path, { highWaterMark: PIECE_BYTES }), name, signal);
    case 'stdin':
      return tarOf(process.stdin, name, signal);
    case 'oci':
      return readLayers(openLayout(source.path), signal);
    case 'debian':
      return readTar(debianSuite(source.suite, signal), name);
  }
}

const PIECE_BYTES = 1024 * 1024;

function tarOf(input: Readable, name: string, signal: AbortSignal): AsyncIterable<TreeEntry> {
  addAbortSignal(signal, input);
  return readTar(unpacked(input, name), name);
}

function* walkDirectory(path: string, options: SourceOptions): Generator<TreeEntry, void, void> {
  const { rules, report, isSystem = path === '/', crossAll = false, asked = [], isOwn, signal } = options;
  using view = openView({ root: path, isSystem, crossAll, asked });
  const missed = asked.filter(
    (name) => !view.mounts.some(({ kind, path: place }) => kind === 'enter' && isAt(place, name, path)),
  );
  if (missed.length > 0)
    throw new Error(`--with ${missed[0]}: no file system is mounted there that could be taken along`);
  const omits = (key: string, isDirectory: boolean): boolean => {
    const verdict = rules?.of(key, isDirectory);
    if (verdict?.what !== 'drop') return false;
    report.excluded.set(verdict.rule.why, (report.excluded.get(verdict.rule.why) ?? 0) + 1);
    return true;
  };
  for (const entry of walkTree({ name: path, ...view, omits, report, ...(isOwn === undefined ? {} : { isOwn }) })) {
    signal.throwIfAborted();
    yield entry;
  }
}

/** Whether a mount point below the tree is the one that a person named, or below it. */
function isAt(place: string, name: string, root: string): boolean {
  const wanted = Buffer.from(name).toString('latin1').replace(/\/+$/, '');
  const full = `${root === '/' ? '' : root}/${place}`;
  return [full, `/${place}`, place].some((each) => each === wanted || each.startsWith(`${wanted}/`));
}
