/**
 * /etc/network/interfaces and what it includes (interfaces(5), Debian's ifupdown; BusyBox' and ifupdown-ng read the same).
 * `networking stop` takes down what `networking start` brought up, so what must stay up is in none of these files.
 */

export interface IfupdownFile {
  readonly path: string;
  readonly text: string;
}

export interface IfupdownWish {
  /** Interfaces that the image must not touch. */
  readonly kept: readonly string[];
  /** VIVER asks for an address on every wire by itself. */
  readonly ownDhcp: boolean;
  /** udev brings up what `allow-hotplug` names: then a card that this machine lacks is no failure of the whole. */
  readonly hotplug: boolean;
}

export interface IfupdownPlan {
  /** Files that change, with their new text. */
  readonly files: readonly IfupdownFile[];
  /** Interfaces that are left to VIVER. */
  readonly dropped: readonly string[];
}

/** Kernel's and udev's names of hardware: eth0, enp3s0, eno1, wlan0, wlp2s0, usb0, ib0. Not: eth0.5, br0, vlan5. */
const HARDWARE = /^(eth|en|wl|usb|ib)[a-z0-9]*\d[a-z0-9]*$/;
const WIRED = /^(eth|en|usb)/;
const HEADS = new Set([
  'iface',
  'mapping',
  'auto',
  'source',
  'source-directory',
  'no-auto-down',
  'no-scripts',
  'rename',
]);
const isHead = (key: string) => HEADS.has(key) || key.startsWith('allow-') || key === 'template';
/** What makes an interface part of another: bridge-utils, ifenslave, Open vSwitch. */
const PORTS = /^(bridge[_-]ports|bond[_-]slaves|slaves|ovs_ports|ovs_bonds)$/;
const COMMANDS = /^(pre-up|up|post-up|down|pre-down|post-down)$/;
const MARK = '# VIVER: ';

interface Stanza {
  readonly name: string;
  readonly head: readonly string[];
  readonly options: readonly (readonly [key: string, words: readonly string[]])[];
}

const wordsOf = (row: string): string[] => row.trim().split(/\s+/);

/** Rows with their continuations, which end in a backslash; a comment has none. */
function rowsOf(text: string): string[] {
  const rows: string[] = [];
  let open = false;
  for (const line of text.split('\n')) {
    if (open) rows.push(`${rows.pop()}\n${line}`);
    else rows.push(line);
    open = line.endsWith('\\') && !(rows.at(-1) ?? '').trimStart().startsWith('#');
  }
  return rows;
}

const plain = (row: string): string => row.replaceAll('\\\n', ' ');

function stanzasOf(text: string): Stanza[] {
  const stanzas: { name: string; head: string[]; options: [string, string[]][] }[] = [];
  let current: (typeof stanzas)[number] | undefined;
  for (const row of rowsOf(text)) {
    const [key = '', ...words] = wordsOf(plain(row));
    if (key === '' || key.startsWith('#')) continue;
    if (key === 'iface') {
      current = { name: words[0] ?? '', head: words.slice(1), options: [] };
      stanzas.push(current);
    } else if (isHead(key)) current = undefined;
    else current?.options.push([key, words]);
  }
  return stanzas;
}

/** A pattern of `auto` or `allow-`: `/eth*`, `/mac/02:*=lan`; shell patterns, as fnmatch(3). */
function matchesPattern(word: string, names: readonly string[]): boolean {
  const pattern = word.replace(/=.*$/, '').split('/').at(-1) ?? '';
  if (word.split('/').length > 2) return true; // by a property of the card that may be any card's
  const source = pattern
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  try {
    return names.some((name) => new RegExp(`^${source}$`).test(name));
  } catch {
    return true; // a range that is none: nobody knows what it means
  }
}

/** Whether a list of ports takes a kept interface in: by name, `all`, or a regular expression that may mean any. */
const takesIn = (words: readonly string[], kept: ReadonlySet<string>): boolean =>
  words.some((word) => kept.has(word) || word === 'all' || word === 'regex');

/** Interfaces whose stanzas must go: kept ones, what takes them in, and what lies on that. */
function planDropped(stanzas: readonly Stanza[], { kept, ownDhcp }: IfupdownWish): ReadonlySet<string> {
  const names = new Set(kept);
  const dropped = new Set(stanzas.map(({ name }) => name).filter((name) => names.has(name)));
  for (const { name, head, options } of stanzas) {
    const ports = options.filter(([key]) => PORTS.test(key)).flatMap(([, words]) => words);
    if (kept.length > 0 && takesIn(ports, names)) dropped.add(name);
    if (ownDhcp && HARDWARE.test(name) && WIRED.test(name) && head.includes('dhcp')) dropped.add(name);
  }
  for (const _round of stanzas) {
    for (const { name, options } of stanzas) {
      const on = options.flatMap(([key, words]) => (/^vlan[_-]raw[_-]device$/.test(key) ? words : []));
      const below = [...on, name.replace(/\.\d+$/, '')].filter((one) => one !== name);
      // on a card a VLAN does no harm; on a bridge that is not there it only fails
      if (below.some((one) => dropped.has(one) && !HARDWARE.test(one))) dropped.add(name);
    }
  }
  return dropped;
}

function brought(
  key: string,
  words: readonly string[],
  wish: IfupdownWish,
  dropped: ReadonlySet<string>,
): readonly string[] {
  const { kept, hotplug } = wish;
  const gone = (word: string) =>
    word.startsWith('/') ? kept.length > 0 && matchesPattern(word, kept) : kept.includes(word) || dropped.has(word);
  const left = words.filter((word) => !gone(word));
  const isCard = (word: string) => HARDWARE.test(word.replace(/\.\d+$/, ''));
  const cards = key === 'auto' && hotplug ? left.filter((word) => isCard(word) && !kept.includes(word)) : [];
  const others = left.filter((word) => !cards.includes(word));
  return [
    ...(others.length > 0 ? [`${key} ${others.join(' ')}`] : []),
    ...(cards.length > 0 ? [`allow-hotplug ${cards.join(' ')}`] : []),
  ];
}

function quietText(text: string, wish: IfupdownWish, dropped: ReadonlySet<string>): string {
  const kept = new Set(wish.kept);
  let inDropped = false;
  return rowsOf(text)
    .map((row) => {
      const comment = `${MARK}${row.replaceAll('\n', `\n${MARK}`)}`;
      const [key = '', ...words] = wordsOf(plain(row));
      if (key === '' || key.startsWith('#')) return row;
      if (key === 'auto' || key.startsWith('allow-')) {
        inDropped = false;
        const rows = brought(key, words, wish, dropped);
        if (rows.length === 1 && rows[0] === `${key} ${words.join(' ')}`) return row;
        return [comment, ...rows].join('\n');
      }
      if (isHead(key)) {
        const of = key === 'iface' || key === 'mapping';
        inDropped =
          of && words.some((word, i) => (key === 'mapping' || i === 0) && (dropped.has(word) || kept.has(word)));
        return inDropped ? comment : row;
      }
      const names = plain(row).split(/[^\w.-]+/);
      const touches = COMMANDS.test(key) && names.some((name) => kept.has(name));
      return inDropped || touches ? comment : row;
    })
    .join('\n');
}

/** What the image's files become, so that ifupdown leaves alone what is VIVER's and fails for no card that is not here. Pure. */
export function quietIfupdown(files: readonly IfupdownFile[], wish: IfupdownWish): IfupdownPlan {
  const stanzas = files.flatMap(({ text }) => stanzasOf(text));
  const dropped = planDropped(stanzas, wish);
  const changed = files.flatMap(({ path, text }) => {
    const quiet = quietText(text, wish, dropped);
    return quiet === text ? [] : [{ path, text: quiet }];
  });
  return { files: changed, dropped: [...dropped].sort() };
}

/** What a file includes: `source` patterns and `source-directory` directories, as it says them. Pure. */
export function includesOf(text: string): {
  readonly patterns: readonly string[];
  readonly directories: readonly string[];
} {
  const rows = rowsOf(text).map((row) => wordsOf(plain(row)));
  const of = (key: string) => rows.flatMap(([first, ...words]) => (first === key ? words : []));
  return { patterns: of('source'), directories: of('source-directory') };
}

/** Names that `source-directory` takes (interfaces(5)). */
export const isSourced = (name: string): boolean => /^[A-Za-z0-9_-]+$/.test(name);
