import { readFileSync } from 'node:fs';
import { printable } from '../../codec/printable.ts';
import { type NamedReason, UnreadableFiles } from '../../image/sources/report.ts';
import { formatRules, parseRules, type Rule, Rules } from '../../image/sources/rules/rules.ts';
import { EXCLUDES } from '../../image/sources/rules/table.ts';
import { type ImageSource, isRunningSystem, resolveSource, sourceName } from '../../image/sources/source.ts';
import { UsageError } from '../command.ts';
import { type CreatedImage, type CreateOptions, createImage } from '../create-image.ts';
import { withStages } from '../progress.ts';
import { LIST_PLACE } from '../spdx/places.ts';
import { type BootReport, withBootFilesOfStream, withBootFilesOfTree, workDirectory } from './boot-files.ts';
import { inBootOrder, readBootOrder } from './boot-order.ts';
import { actualNews, type EarlierImage, readEarlierImage } from './earlier-image.ts';
import { familyOfTree } from './find-kernels.ts';
import { withPartsList } from './parts-tap.ts';

/** What `viver image create` takes beside -o, --level and --json. */
export const CREATE_OPTIONS = {
  system: { type: 'boolean' },
  with: { type: 'string', multiple: true },
  cross: { type: 'boolean' },
  exclude: { type: 'string', multiple: true },
  include: { type: 'string', multiple: true },
  excludes: { type: 'string' },
  'no-excludes': { type: 'boolean' },
  kernel: { type: 'string' },
  viverrd: { type: 'string' },
  'no-kernel': { type: 'boolean' },
  base: { type: 'string' },
  profile: { type: 'string' },
} as const;

export interface CreateWords {
  readonly system?: boolean;
  readonly with?: readonly string[];
  readonly cross?: boolean;
  readonly exclude?: readonly string[];
  readonly include?: readonly string[];
  readonly excludes?: string;
  readonly 'no-excludes'?: boolean;
  readonly kernel?: string;
  readonly viverrd?: string;
  readonly 'no-kernel'?: boolean;
  readonly base?: string;
  readonly profile?: string;
}

export interface CreatedReport extends CreatedImage {
  readonly boot: BootReport | undefined;
}

type Entries = Parameters<NonNullable<CreateOptions['complete']>>[0];

export interface CreateContext {
  /** Undefined: that of the earlier image, or the usual one. */
  readonly level: number | undefined;
  readonly signal: AbortSignal;
  /** In place of the one that `--base` names. */
  readonly earlier?: EarlierImage;
  /** What becomes of the source's entries. */
  readonly change?: (entries: Entries, rules: Rules) => Entries;
}

/**
 * `viver image create`: the image, and what there is to say of it on standard error.
 * @throws UsageError, Error
 */
export async function runCreate(
  word: string,
  output: string,
  words: CreateWords,
  { level, signal, change = (entries) => entries, ...known }: CreateContext,
): Promise<CreatedReport> {
  if (words['no-kernel'] === true && (words.kernel ?? words.viverrd) !== undefined) {
    throw new UsageError('--no-kernel goes with neither --kernel nor --viverrd');
  }
  if (words['no-excludes'] === true && words.excludes !== undefined) {
    throw new UsageError('--no-excludes goes not with --excludes');
  }
  if (words.profile !== undefined && words.base === undefined) {
    throw new UsageError('--profile needs --base, the image that the profile was recorded from');
  }
  const source = await resolveSource(word);
  const earlier = known.earlier ?? (words.base === undefined ? undefined : await readEarlierImage(words.base, signal));
  const order =
    words.profile === undefined || words.base === undefined || earlier === undefined
      ? undefined
      : await readBootOrder(words.profile, words.base, earlier);
  requireRights(source);
  const isSystem = words.system === true || isRunningSystem(source);
  const rules = new Rules(rulesOf(source, isSystem, words));
  await using work = await workDirectory(output);
  let boot: BootReport | undefined;
  const notes: string[] = [];
  const context = {
    name: sourceName(source),
    work: work.path,
    wishes: { kernel: words.kernel, initrd: words.viverrd },
    signal,
    tell(report: BootReport) {
      boot = report;
      const kernel = report.kernel === undefined ? report.why : `kernel ${report.kernel} (${report.why})`;
      say(`${context.name}: family ${report.family}, ${kernel}`);
    },
  };
  const complete: NonNullable<CreateOptions['complete']> = (read) => {
    const entries = change(read, rules);
    if (words['no-kernel'] === true) return entries;
    return source.kind === 'directory'
      ? withBootFilesOfTree(entries, source.path, context)
      : withBootFilesOfStream(entries, context);
  };
  try {
    const made = await withStages((onProgress) =>
      createImage(source, output, {
        signal,
        ...(level !== undefined && { level }),
        ...(earlier !== undefined && { earlier, onExpected: say }),
        rules,
        isSystem,
        crossAll: words.cross === true,
        asked: words.with ?? [],
        complete: (read) => {
          const entries = order === undefined ? complete(read) : inBootOrder(complete(read), order, work.path);
          const isWanted = rules.of(LIST_PLACE, false)?.what !== 'drop';
          return isWanted ? withPartsList(entries, { ...context, say: (line) => notes.push(line) }) : entries;
        },
        ...(order !== undefined && { order }),
        onProgress,
        // To know how much there is takes a look at every file, which only a person who waits has a use for.
        countFirst: process.stderr.isTTY,
      }),
    );
    for (const line of [...notes, ...remarks(made)]) say(line);
    if (earlier !== undefined) say(actualNews(earlier, made.index));
    return { ...made, boot };
  } catch (error) {
    if (error instanceof UnreadableFiles && error.files.length > 1) for (const line of error.list()) say(line);
    throw error;
  }
}

const say = (line: string): void => void process.stderr.write(`viver image: ${printable(line)}\n`);

/** A running system has files that only root can read. */
function requireRights(source: ImageSource): void {
  if (isRunningSystem(source) && process.getuid?.() !== 0) {
    throw new Error('an image of the running system needs root, who can read all of it: sudo viver image create /');
  }
}

/** The list in force, the person's own words last. */
function rulesOf(source: ImageSource, isSystem: boolean, words: CreateWords): Rule[] {
  const own = (patterns: readonly string[] = [], word: Rule['word'], why: string): Rule[] =>
    patterns.map((pattern) => ({ word, pattern, why }));
  return [
    ...baseRules(source, isSystem, words),
    ...own(words.exclude, 'drop', 'asked for (--exclude)'),
    ...own(words.include, 'keep', 'asked for (--include)'),
  ];
}

function baseRules(source: ImageSource, isSystem: boolean, words: CreateWords): Rule[] {
  if (words['no-excludes'] === true) return [];
  if (words.excludes !== undefined) return parseRules(readFileSync(words.excludes, 'utf8'), words.excludes);
  return isSystem && source.kind === 'directory' ? systemRules(source.path) : [];
}

function systemRules(tree: string): Rule[] {
  const family = familyOfTree(tree);
  return [...parseRules(EXCLUDES, 'excludes'), ...parseRules(family.excludes, family.name)];
}

/** `viver image excludes`: the list for an installed system, as `--excludes` reads it. */
export function excludesText(tree: string): string {
  const family = familyOfTree(tree);
  const general = formatRules(parseRules(EXCLUDES, 'excludes'));
  return `# Of every system\n${general}\n# Of the family ${family.name}\n${formatRules(parseRules(family.excludes, family.name))}`;
}

const MOST_NAMED = 20;

/** What a person should know of an image that was made. */
export function remarks({ source, written }: CreatedImage): string[] {
  const { leftOut, changed, vanished, excluded } = source;
  const named = (rows: readonly string[]): string[] =>
    rows.length <= MOST_NAMED ? [...rows] : [...rows.slice(0, MOST_NAMED), `… and ${rows.length - MOST_NAMED} more`];
  const rules = [...excluded].sort(([, a], [, b]) => b - a).map(([why, n]) => `${n} × ${why}`);
  const counts: [number, string][] = [
    [written.clampedTimes, 'times before 1970 or after 2106 made the nearest that squashfs can keep'],
    ...[...written.attributesLeft].map(([name, n]): [number, string] => [n, `${name} that squashfs cannot keep`]),
    [written.sockets, 'sockets'],
  ];
  const odd = counts.filter(([n]) => n > 0).map(([n, what]) => `${n} ${what}`);
  return [
    ...named(leftOut.map(({ path, why }: NamedReason) => `left out: ${path} (${why})`)),
    ...(rules.length === 0 ? [] : [`left out by the list: ${rules.join(', ')}`]),
    ...named(changed.map((path) => `${path} changed each time it was read; the image has what was read last`)),
    ...named(vanished.map((path) => `${path} went while the tree was read`)),
    ...(odd.length === 0 ? [] : [odd.join(', ')]),
  ];
}

/** The same for --json. */
export function reportJson({ source, written, boot }: CreatedReport): Readonly<Record<string, unknown>> {
  return {
    family: boot?.family ?? null,
    kernel: boot?.kernel ?? null,
    leftOut: source.leftOut,
    excluded: Object.fromEntries(source.excluded),
    changed: source.changed,
    vanished: source.vanished,
    inodes: written.inodes,
    fileBytes: written.fileBytes,
    clampedTimes: written.clampedTimes,
    attributesLeft: Object.fromEntries(written.attributesLeft),
    sockets: written.sockets,
  };
}
