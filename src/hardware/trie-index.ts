import { fnmatch } from './fnmatch.ts';

/**
 * The binary index depmod writes beside each of its text files (`modules.alias.bin`, `modules.dep.bin`, …): a Patricia
 * trie, read where it lies, so that opening it costs nothing however many aliases a kernel has.
 *
 * Layout, big endian (kmod's libkmod/libkmod-index.h): u32 magic, u32 version (major 2 in the upper half), u32 root.
 * A node offset has flags in its upper four bits. A node: [prefix, NUL] [u8 first, u8 last, (last-first+1) u32 child
 * offsets, 0 for none] [u32 count, count × (u32 priority, value, NUL)], each part present when its flag is set.
 */
const MAGIC = 0xb007f457;
const VERSION_MAJOR = 2;
const HEADER_BYTES = 12;
const HAS_PREFIX = 0x80000000;
const HAS_VALUES = 0x40000000;
const HAS_CHILDREN = 0x20000000;
const OFFSET_MASK = 0x0fffffff;

const STAR = 0x2a;
const QUESTION = 0x3f;
const BRACKET = 0x5b;
const BACKSLASH = 0x5c;

/** depmod cuts aliases at PATH_MAX, so no branch of the trie is deeper. */
const MAX_DEPTH = 4096;

/** In the order in which kmod looks at them: equal priorities come out in the reverse order of being found. */
const WILD = [STAR, QUESTION, BRACKET];

interface Node {
  readonly prefix: string;
  readonly first: number;
  readonly last: number;
  /** Where the table of child offsets begins. */
  readonly children: number;
  /** Where the values begin, 0 for none. */
  readonly values: number;
}

interface Found {
  readonly value: string;
  readonly priority: number;
}

/** The index is not what depmod writes, or is cut short. */
export class IndexFormatError extends Error {
  override readonly name = 'IndexFormatError';
}

/** Where in a key a pattern may have got to: each of `at`, or everything from `at[0]` on when `open` (after a `*`). */
interface Reached {
  readonly at: readonly number[];
  readonly open: boolean;
}

/** Lets the next character of a pattern, `*`, `?` or a literal, go over the key. undefined: it matches nowhere. */
function advance(reached: Reached, code: number, key: string): Reached | undefined {
  const start = reached.at[0] ?? 0;
  if (code === STAR) return { at: [start], open: true };
  if (code === QUESTION) {
    if (reached.open) return start < key.length ? { at: [start + 1], open: true } : undefined;
    const at = reached.at.filter((position) => position < key.length).map((position) => position + 1);
    return at.length > 0 ? { at, open: false } : undefined;
  }
  const at: number[] = [];
  if (reached.open) {
    const character = String.fromCharCode(code);
    for (let found = key.indexOf(character, start); found >= 0; found = key.indexOf(character, found + 1)) {
      at.push(found + 1);
    }
  } else {
    for (const position of reached.at) if (key.charCodeAt(position) === code) at.push(position + 1);
  }
  return at.length > 0 ? { at, open: false } : undefined;
}

/** One look-up under way. */
interface Search {
  readonly key: string;
  /** The characters a branch must begin with to be of use: those of the key, and what is special in a pattern. */
  readonly codes: readonly number[];
  readonly found: Found[];
}

function codesOf(key: string): number[] {
  const codes = new Set([...WILD, BACKSLASH]);
  for (let index = 0; index < key.length; index++) codes.add(key.charCodeAt(index));
  return [...codes].sort((a, b) => a - b);
}

/**
 * Answers what libkmod answers from the same file (index_mm_search, index_mm_searchwild), in its order. The first
 * look-ups are made before any of this is compiled, so what runs for every node is kept short.
 */
export class TrieIndex {
  /** The whole file, a character a byte. */
  readonly #text: string;
  readonly #root: number;
  readonly #name: string;
  /** Nodes this look-up may still visit. A sound trie has fewer than bytes; a damaged one may lead in circles. */
  #visitsLeft = 0;

  /**
   * @param bytes the whole file
   * @param name the file's name, for messages
   * @throws IndexFormatError if it is no such index; look-ups throw it when they run into a cut or a wrong offset
   */
  constructor(bytes: Buffer, name: string) {
    this.#text = bytes.toString('latin1');
    this.#name = name;
    if (bytes.length < HEADER_BYTES || this.#word(0) !== MAGIC) {
      throw new IndexFormatError(`${name} is no depmod index: run depmod`);
    }
    const major = this.#word(4) >>> 16;
    if (major !== VERSION_MAJOR) throw new IndexFormatError(`${name} has index version ${major}, not ${VERSION_MAJOR}`);
    this.#root = this.#word(8);
  }

  /** The value under exactly this key, the one of the lowest priority number if there are several. */
  search(key: string): string | undefined {
    let at = 0;
    this.#visitsLeft = this.#text.length;
    for (let node = this.#node(this.#root); node !== undefined; ) {
      if (!key.startsWith(node.prefix, at)) return undefined;
      at += node.prefix.length;
      if (at === key.length) return this.#values(node)[0]?.value;
      node = this.#child(node, key.charCodeAt(at++));
    }
    return undefined;
  }

  /** Every value whose key, taken as a pattern, matches `key`, by priority. */
  searchWild(key: string): string[] {
    const search: Search = { key, codes: codesOf(key), found: [] };
    let at = 0;
    this.#visitsLeft = this.#text.length;
    walk: for (let node = this.#node(this.#root); node !== undefined; ) {
      for (let index = 0; index < node.prefix.length; index++) {
        const code = node.prefix.charCodeAt(index);
        if (code === STAR || code === QUESTION || code === BRACKET) {
          this.#descend(node, index, { at: [at + index], open: false }, search, 0);
          break walk;
        }
        if (code !== key.charCodeAt(at + index)) break walk;
      }
      at += node.prefix.length;
      for (const code of WILD) this.#enter(node, code, { at: [at], open: false }, search, 0);
      if (at === key.length) {
        search.found.push(...this.#values(node));
        break;
      }
      node = this.#child(node, key.charCodeAt(at++));
    }
    const { found } = search;
    if (found.length < 2) return found.map(({ value }) => value);
    return found
      .map((value, order) => ({ ...value, order }))
      .sort((a, b) => a.priority - b.priority || b.order - a.order)
      .map(({ value }) => value);
  }

  /** Below a wildcard: follows every branch for as long as its pattern can still match. */
  #descend(node: Node, from: number, reached: Reached, search: Search, depth: number): void {
    if (depth > MAX_DEPTH) this.#broken();
    let now: Reached | undefined = reached;
    for (let index = from; index < node.prefix.length; index++) {
      const code = node.prefix.charCodeAt(index);
      if (code === BRACKET || code === BACKSLASH) {
        this.#enumerate(node, node.prefix.slice(index), now, search, depth);
        return;
      }
      now = advance(now, code, search.key);
      if (now === undefined) return;
    }
    if (node.first <= node.last) {
      for (const code of search.codes) this.#enter(node, code, now, search, depth);
    }
    if (node.values !== 0 && (now.open || now.at.includes(search.key.length))) search.found.push(...this.#values(node));
  }

  #enter(parent: Node, code: number, reached: Reached, search: Search, depth: number): void {
    const reference = this.#childReference(parent, code);
    if (reference === 0) return;
    const special = code === BRACKET || code === BACKSLASH;
    const next = special ? reached : advance(reached, code, search.key);
    const child = next === undefined ? undefined : this.#node(reference);
    if (child === undefined || next === undefined) return;
    if (special) this.#enumerate(child, String.fromCharCode(code) + child.prefix, next, search, depth + 1);
    else this.#descend(child, 0, next, search, depth + 1);
  }

  /** Below a bracket or a backslash (rare): the whole rest of each pattern goes through fnmatch. */
  #enumerate(node: Node, pattern: string, reached: Reached, search: Search, depth: number): void {
    if (depth > MAX_DEPTH) this.#broken();
    for (let code = node.first; code <= node.last; code++) {
      const child = this.#child(node, code);
      if (child === undefined) continue;
      this.#enumerate(child, pattern + String.fromCharCode(code) + child.prefix, reached, search, depth + 1);
    }
    if (node.values === 0) return;
    const whole = reached.open ? `*${pattern}` : pattern;
    if (reached.at.some((position) => fnmatch(whole, search.key, 0, position)))
      search.found.push(...this.#values(node));
  }

  #childReference(node: Node, code: number): number {
    return node.first <= code && code <= node.last ? this.#word(node.children + 4 * (code - node.first)) : 0;
  }

  #child(node: Node, code: number): Node | undefined {
    return this.#node(this.#childReference(node, code));
  }

  #node(reference: number): Node | undefined {
    let at = reference & OFFSET_MASK;
    if (at === 0) return undefined;
    if (this.#visitsLeft-- <= 0) this.#broken();
    let prefix = '';
    if ((reference & HAS_PREFIX) !== 0) {
      const end = this.#end(at);
      prefix = this.#text.slice(at, end);
      at = end + 1;
    }
    let first = 1;
    let last = 0;
    let children = 0;
    if ((reference & HAS_CHILDREN) !== 0) {
      first = this.#byte(at);
      last = this.#byte(at + 1);
      children = at + 2;
      at = children + 4 * Math.max(0, last - first + 1);
    }
    return { prefix, first, last, children, values: (reference & HAS_VALUES) !== 0 ? at : 0 };
  }

  #values(node: Node): Found[] {
    if (node.values === 0) return [];
    const count = this.#word(node.values);
    const found: Found[] = [];
    for (let index = 0, at = node.values + 4; index < count; index++) {
      const priority = this.#word(at);
      const end = this.#end(at + 4);
      found.push({ value: this.#text.slice(at + 4, end), priority });
      at = end + 1;
    }
    return found;
  }

  #byte(at: number): number {
    if (at >= this.#text.length) this.#broken();
    return this.#text.charCodeAt(at);
  }

  #word(at: number): number {
    const text = this.#text;
    if (at + 4 > text.length) this.#broken();
    const upper = (text.charCodeAt(at) << 8) | text.charCodeAt(at + 1);
    return upper * 0x10000 + ((text.charCodeAt(at + 2) << 8) | text.charCodeAt(at + 3));
  }

  #end(at: number): number {
    const end = this.#text.indexOf('\0', at);
    return end < 0 ? this.#broken() : end;
  }

  #broken(): never {
    throw new IndexFormatError(`${this.#name} is cut short or damaged: run depmod`);
  }
}
