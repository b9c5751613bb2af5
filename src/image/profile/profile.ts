/**
 * The boot profile of an image, NAME.profile beside it: in which order a boot first read the image's bytes, merged from
 * many boots. It is a hint: what is fetched ahead of demand, and how a new image is laid out. Nothing is wrong without it
 * or with a false one. Text, UTF-8, one thing a line:
 *
 *     viver-profile 1
 *     image 5f0c…             image id of the image that was read, 64 hex digits (left away: not known)
 *     size 195989504          its bytes
 *     boots 12                boots that are in it
 *                             from here on one line a range of bytes, in the order of AT
 *     0 4096 12 0             START LENGTH BOOTS AT
 *     98304 65536 11 4096
 *
 * START and LENGTH are bytes of the image; BOOTS says how many boots read the range; AT how many bytes those boots had
 * read before it, in the mean. No byte is in two ranges. Empty lines and lines that begin with # say nothing. Before the
 * ranges, a line with a word that this version does not know is passed over; another number behind `viver-profile` is a
 * format that it cannot read.
 */

/** No profile has more bytes, and more is not read. */
export const PROFILE_BYTES_LIMIT = 8 << 20;
/** Ranges of a profile, at most: a boot has some thousands. */
export const PROFILE_RANGES_LIMIT = 100_000;
/** Boots that are counted, at most. */
export const PROFILE_BOOTS_LIMIT = 1_000_000;

const FORMAT = 'viver-profile';
const VERSION = '1';
const NUMBER = /^(0|[1-9]\d{0,15})$/;

/** Bytes [start, end) of the image. */
export interface ProfileRange {
  readonly start: number;
  readonly end: number;
  /** Boots that read it, at least 1. */
  readonly boots: number;
  /** Bytes that these boots had read before it, in the mean; a whole number. */
  readonly at: number;
}

export interface BootProfile {
  /** Id of the image that was read: 64 lower-case hex digits. */
  readonly image: string | undefined;
  /** Bytes of that image. */
  readonly size: number;
  /** Boots that are in it, at least 1. */
  readonly boots: number;
  /** In the order of `at`, then `start`; no byte is in two of them. */
  readonly ranges: readonly ProfileRange[];
}

/** In the order of a profile. */
export function compareRanges(a: ProfileRange, b: ProfileRange): number {
  return a.at - b.at || a.start - b.start;
}

/** @throws Error naming the line and what is wrong with it */
export function parseProfile(text: string): BootProfile {
  if (text.length > PROFILE_BYTES_LIMIT) throw new Error(`boot profile: ${text.length} bytes are too many`);
  const head = new Map<string, string>();
  const ranges: ProfileRange[] = [];
  let number = 0;
  for (const line of linesOf(text)) {
    number++;
    if (number === 1) checkVersion(line);
    else if (line === '' || line.startsWith('#')) continue;
    else if (/^\d/.test(line)) ranges.push(parseRange(line, number));
    else if (ranges.length > 0) throw wrong(number, 'no range of bytes');
    else addHead(head, line, number);
    if (ranges.length > PROFILE_RANGES_LIMIT) throw wrong(number, `more than ${PROFILE_RANGES_LIMIT} ranges`);
  }
  if (number === 0) checkVersion('');
  const size = numberOf(head, 'size');
  const boots = numberOf(head, 'boots');
  const image = head.get('image');
  if (image !== undefined && !/^[0-9a-f]{64}$/.test(image)) throw new Error('boot profile: image is no image id');
  if (boots < 1 || boots > PROFILE_BOOTS_LIMIT) throw new Error(`boot profile: ${boots} boots`);
  checkRanges(ranges, size, boots);
  return { image, size, boots, ranges: ranges.sort(compareRanges) };
}

export function printProfile({ image, size, boots, ranges }: BootProfile): string {
  const head = [`${FORMAT} ${VERSION}`, ...(image === undefined ? [] : [`image ${image}`])];
  const rows = ranges.map(({ start, end, boots, at }) => `${start} ${end - start} ${boots} ${at}`);
  return `${[...head, `size ${size}`, `boots ${boots}`, ...rows].join('\n')}\n`;
}

/** Line by line, so that a text of line ends alone takes no memory. */
function* linesOf(text: string): Generator<string> {
  for (let from = 0; from < text.length; ) {
    const end = text.indexOf('\n', from);
    yield text.slice(from, end < 0 ? text.length : end).trimEnd();
    if (end < 0) return;
    from = end + 1;
  }
}

function checkVersion(line: string): void {
  const [format, version, ...more] = line.split(' ', 3);
  if (format !== FORMAT || version === undefined || more.length > 0) {
    throw new Error(`no boot profile: its first line is not "${FORMAT} ${VERSION}"`);
  }
  if (version !== VERSION) throw new Error(`boot profile: a format of another version than ${VERSION}`);
}

function addHead(head: Map<string, string>, line: string, number: number): void {
  const at = line.indexOf(' ');
  const word = at < 0 ? line : line.slice(0, at);
  if (!/^[a-z][a-z0-9-]{0,31}$/.test(word)) throw wrong(number, 'neither a word nor a range of bytes');
  if (!['image', 'size', 'boots'].includes(word)) return;
  if (head.has(word)) throw wrong(number, `${word} is said twice`);
  head.set(word, at < 0 ? '' : line.slice(at + 1).trim());
}

function parseRange(line: string, number: number): ProfileRange {
  const words = line.split(' ', 5);
  const [start, length, boots, at] = words.map((word) => (NUMBER.test(word) ? Number(word) : Number.NaN));
  if (words.length !== 4 || start === undefined || length === undefined || boots === undefined || at === undefined) {
    throw wrong(number, 'not START LENGTH BOOTS AT');
  }
  const end = start + length;
  // NaN, as what is no number became, is no safe integer.
  if (![start, end, boots, at].every(Number.isSafeInteger)) throw wrong(number, 'not four whole numbers');
  if (length === 0 || boots === 0) throw wrong(number, `a range of ${length} bytes read by ${boots} boots`);
  return { start, end, boots, at };
}

function numberOf(head: ReadonlyMap<string, string>, word: string): number {
  const text = head.get(word);
  if (text === undefined) throw new Error(`boot profile: does not say its ${word}`);
  const value = NUMBER.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new Error(`boot profile: ${word} is no whole number`);
  return value;
}

function checkRanges(ranges: readonly ProfileRange[], size: number, boots: number): void {
  let last = 0;
  for (const range of ranges.toSorted((a, b) => a.start - b.start)) {
    const name = `boot profile: bytes ${range.start} to ${range.end}`;
    if (range.start < last) throw new Error(`${name} are named twice`);
    if (range.end > size) throw new Error(`${name} are not in an image of ${size} bytes`);
    if (range.at > size) throw new Error(`${name} are read after more bytes than the image has`);
    if (range.boots > boots) throw new Error(`${name} are read by ${range.boots} of ${boots} boots`);
    last = range.end;
  }
}

function wrong(line: number, what: string): Error {
  return new Error(`boot profile, line ${line}: ${what}`);
}
