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

/** Answers what libkmod answers from the same file (index_mm_search, index_mm_searchwild), in its order. */
export class TrieIndex {
  readonly #bytes: Buffer;
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
    this.#bytes = bytes;
    this.#name = name;
    if (bytes.length < HEADER_BYTES || bytes.readUInt32BE(0) !== MAGIC) {
      throw new IndexFormatError(`${name} is no depmod index: run depmod`);
    }
    const major = bytes.readUInt32BE(4) >>> 16;
    if (major !== VERSION_MAJOR) throw new IndexFormatError(`${name} has index version ${major}, not ${VERSION_MAJOR}`);
    this.#root = bytes.readUInt32BE(8);
  }

  /** The value under exactly this key, the one of the lowest priority number if there are several. */
  search(key: string): string | undefined {
    let at = 0;
    this.#visitsLeft = this.#bytes.length;
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
    const found: Found[] = [];
    let at = 0;
    this.#visitsLeft = this.#bytes.length;
    walk: for (let node = this.#node(this.#root); node !== undefined; ) {
      for (let index = 0; index < node.prefix.length; index++) {
        const code = node.prefix.charCodeAt(index);
        if (WILD.includes(code)) {
          this.#descend(node, index, { at: [at + index], open: false }, key, found, 0);
          break walk;
        }
        if (code !== key.charCodeAt(at + index)) break walk;
      }
      at += node.prefix.length;
      for (const code of WILD) this.#enter(node, code, { at: [at], open: false }, key, found, 0);
      if (at === key.length) {
        found.push(...this.#values(node));
        break;
      }
      node = this.#child(node, key.charCodeAt(at++));
    }
    return found
      .map((value, order) => ({ ...value, order }))
      .sort((a, b) => a.priority - b.priority || b.order - a.order)
      .map(({ value }) => value);
  }

  /** Below a wildcard: follows every branch for as long as its pattern can still match. */
  #descend(node: Node, from: number, reached: Reached, key: string, found: Found[], depth: number): void {
    if (depth > MAX_DEPTH) this.#broken();
    let now: Reached | undefined = reached;
    for (let index = from; index < node.prefix.length; index++) {
      const code = node.prefix.charCodeAt(index);
      if (code === BRACKET || code === BACKSLASH) {
        this.#enumerate(node, node.prefix.slice(index), now, key, found, depth);
        return;
      }
      now = advance(now, code, key);
      if (now === undefined) return;
    }
    for (let code = node.first; code <= node.last; code++) this.#enter(node, code, now, key, found, depth);
    const whole = now.open ? true : now.at.includes(key.length);
    if (whole) found.push(...this.#values(node));
  }

  #enter(parent: Node, code: number, reached: Reached, key: string, found: Found[], depth: number): void {
    const next = code === BRACKET || code === BACKSLASH ? reached : advance(reached, code, key);
    const child = next === undefined ? undefined : this.#child(parent, code);
    if (child === undefined || next === undefined) return;
    if (next === reached && code !== STAR) {
      this.#enumerate(child, String.fromCharCode(code) + child.prefix, reached, key, found, depth + 1);
    } else {
      this.#descend(child, 0, next, key, found, depth + 1);
    }
  }

  /** Below a bracket or a backslash (rare): the whole rest of each pattern goes through fnmatch. */
  #enumerate(node: Node, pattern: string, reached: Reached, key: string, found: Found[], depth: number): void {
    if (depth > MAX_DEPTH) this.#broken();
    for (let code = node.first; code <= node.last; code++) {
      const child = this.#child(node, code);
      if (child !== undefined) {
        this.#enumerate(child, pattern + String.fromCharCode(code) + child.prefix, reached, key, found, depth + 1);
      }
    }
    if (node.values === 0) return;
    const whole = reached.open ? `*${pattern}` : pattern;
    if (reached.at.some((position) => fnmatch(whole, key, 0, position))) found.push(...this.#values(node));
  }

  #child(node: Node, code: number): Node | undefined {
    if (!(node.first <= code && code <= node.last)) return undefined;
    return this.#node(this.#word(node.children + 4 * (code - node.first)));
  }

  #node(reference: number): Node | undefined {
    let at = reference & OFFSET_MASK;
    if (at === 0) return undefined;
    if (this.#visitsLeft-- <= 0) this.#broken();
    let prefix = '';
    if ((reference & HAS_PREFIX) !== 0) {
      const end = this.#end(at);
      prefix = this.#bytes.toString('latin1', at, end);
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
      found.push({ value: this.#bytes.toString('latin1', at + 4, end), priority });
      at = end + 1;
    }
    return found;
  }

  #byte(at: number): number {
    return this.#bytes[at] ?? this.#broken();
  }

  #word(at: number): number {
    if (at + 4 > this.#bytes.length) this.#broken();
    return this.#bytes.readUInt32BE(at);
  }

  #end(at: number): number {
    const end = this.#bytes.indexOf(0, at);
    return end < 0 ? this.#broken() : end;
  }

  #broken(): never {
    throw new IndexFormatError(`${this.#name} is cut short or damaged: run depmod`);
  }
}
