import { BlockList, isIP } from 'node:net';

/** Prefixes that may be refused, and hosts whose verdict is kept. */
const PREFIXES_LIMIT = 4096;
const VERDICTS_LIMIT = 4096;

/** `192.0.2.7`, `192.0.2.0/24`, `2001:db8::/32`. */
interface Prefix {
  readonly host: string;
  readonly length: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** @throws Error that says what is wrong */
function parsePrefix(text: string): Prefix {
  const [host = '', digits, more] = text.split('/');
  const family = isIP(host);
  const bits = family === 4 ? 32 : 128;
  const length = digits === undefined ? bits : /^\d{1,3}$/.test(digits) ? Number(digits) : Number.NaN;
  if (family === 0 || more !== undefined || host.includes('%') || !(length >= 0 && length <= bits)) {
    throw new Error(`'${text}' is no ADDRESS or ADDRESS/LENGTH`);
  }
  return { host, length, family: family === 4 ? 'ipv4' : 'ipv6' };
}

export function isPrefix(text: string): boolean {
  try {
    parsePrefix(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * The prefixes of a file: one a line, what follows `#` is for people.
 * @throws Error that names the line
 */
export function parsePrefixFile(text: string): readonly string[] {
  const found: string[] = [];
  for (const [number, line] of text.split('\n').entries()) {
    const word = line.replace(/#.*/, '').trim();
    if (word === '') continue;
    if (!isPrefix(word)) throw new Error(`line ${number + 1}: '${word}' is no ADDRESS or ADDRESS/LENGTH`);
    found.push(word);
  }
  return found;
}

/** Addresses that this node has nothing to do with, whatever they say: an operator's word. May change while it runs. */
export class Refusals {
  readonly #prefixes = new Map<string, Prefix>();
  #list = new BlockList();
  readonly #verdicts = new Map<string, boolean>();

  get prefixes(): readonly string[] {
    return [...this.#prefixes.keys()];
  }

  /** @throws Error when one of them is no ADDRESS or ADDRESS/LENGTH, or there are too many: none is added then */
  add(prefixes: readonly string[]): void {
    const parsed = prefixes.map((text) => [text, parsePrefix(text)] as const);
    if (this.#prefixes.size + parsed.length > PREFIXES_LIMIT) {
      throw new Error(`more than ${PREFIXES_LIMIT} addresses to refuse`);
    }
    for (const [text, prefix] of parsed) this.#prefixes.set(text, prefix);
    this.#make();
  }

  /** As they were added. @throws Error when one of them is not refused: none is let in then */
  remove(prefixes: readonly string[]): void {
    for (const text of prefixes) if (!this.#prefixes.has(text)) throw new Error(`'${text}' is not refused`);
    for (const text of prefixes) this.#prefixes.delete(text);
    this.#make();
  }

  /** @param host a numeric address, IPv6 with or without brackets */
  has(host: string): boolean {
    if (this.#prefixes.size === 0) return false;
    const known = this.#verdicts.get(host);
    if (known !== undefined) return known;
    const plain = host.startsWith('[') ? host.slice(1, -1) : host;
    const verdict = isIP(plain) !== 0 && this.#list.check(plain, isIP(plain) === 4 ? 'ipv4' : 'ipv6');
    if (this.#verdicts.size >= VERDICTS_LIMIT) this.#verdicts.clear();
    this.#verdicts.set(host, verdict);
    return verdict;
  }

  #make(): void {
    this.#list = new BlockList();
    for (const { host, length, family } of this.#prefixes.values()) this.#list.addSubnet(host, length, family);
    this.#verdicts.clear();
  }
}
