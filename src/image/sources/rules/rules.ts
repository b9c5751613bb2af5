/** What a line of an exclusion list says to do (rules/table.ts). */
export const RULE_WORDS = ['drop', 'inside', 'files', 'empty', 'secret', 'keep'] as const;
export type RuleWord = (typeof RULE_WORDS)[number];

export interface Rule {
  readonly word: RuleWord;
  readonly pattern: string;
  /** Why, for who reads the list; the pattern itself where the list does not say. */
  readonly why: string;
}

/** What becomes of an entry, and by which rule. */
export interface Verdict {
  readonly what: 'drop' | 'empty' | 'secret';
  readonly rule: Rule;
}

/** The list is wrong: its name and line number are in the message. */
export class RuleError extends Error {
  override readonly name = 'RuleError';
}

/** A list's lines. A line that is only a pattern means `drop`. */
export function parseRules(text: string, name: string): Rule[] {
  return text.split('\n').flatMap((line, i) => {
    const [said = '', ...comment] = line.split(/(?:^|\s)#/);
    const words = said.trim();
    if (words === '') return [];
    const [first = '', second] = words.split(/\s+(.*)/s);
    const isWord = (RULE_WORDS as readonly string[]).includes(first);
    if (!isWord && second !== undefined) {
      throw new RuleError(`${name}, line ${i + 1}: '${first}' is none of ${RULE_WORDS.join(', ')}`);
    }
    if (isWord && second === undefined) throw new RuleError(`${name}, line ${i + 1}: '${first}' without a pattern`);
    const pattern = isWord ? (second ?? '') : words;
    return [{ word: isWord ? (first as RuleWord) : 'drop', pattern, why: comment.join('#').trim() || pattern }];
  });
}

/** One line for each rule, the reasons in a column. */
export function formatRules(rules: readonly Rule[]): string {
  return rules.map(({ word, pattern, why }) => `${word.padEnd(6)} ${pattern.padEnd(40)} # ${why}\n`).join('');
}

interface Compiled {
  readonly rule: Rule;
  /** The thing itself, and for rules about what lies inside, what is below it. */
  readonly self: RegExp;
  readonly below: RegExp | undefined;
}

/** A character of a name: any byte, or the bytes of one in UTF-8, which names are read as latin1 of. */
const CHARACTER = '(?:[\\x00-\\x2e\\x30-\\x7f\\x80-\\xbf]|[\\xc0-\\xff][\\x80-\\xbf]*)';

/** A pattern as a regular expression on the bytes of a path without its first slash, a character a byte. */
export function patternSource(pattern: string): string {
  const isPath = pattern.startsWith('/');
  const text = Buffer.from(isPath ? pattern.slice(1).replace(/\/+$/, '') : pattern.replace(/\/+$/, '')).toString(
    'latin1',
  );
  let source = isPath ? '' : '(?:.*/)?';
  for (let i = 0; i < text.length; i++) {
    const c = text[i] as string;
    if (c === '*') {
      if (text[i + 1] === '*') {
        source += '.*';
        while (text[i + 1] === '*') i++;
      } else source += '[^/]*';
    } else if (c === '?') source += CHARACTER;
    else if (c === '[') {
      const end = text.indexOf(']', i + 2);
      if (end < 0) source += '\\[';
      else {
        const inner = text
          .slice(i + 1, end)
          .replace(/[\\[\]^]/g, (found, at: number) => (at === 0 && found === '^' ? '!' : `\\${found}`));
        source += inner.startsWith('!') ? `(?![/${inner.slice(1)}])${CHARACTER}` : `[${inner}]`;
        i = end;
      }
    } else if (c === '\\' && i + 1 < text.length) source += escaped(text[++i] as string);
    else source += escaped(c);
  }
  return source;
}

const escaped = (character: string): string => character.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');

/** The rules of one image, asked for each of its paths; what they took away is counted where they are applied. */
export class Rules {
  readonly list: readonly Rule[];
  readonly #compiled: readonly Compiled[];
  /** Any rule at all: one look for the many paths that none is about. */
  readonly #any: RegExp | undefined;

  /** @throws RuleError for a pattern that is none: `[z-a]` */
  constructor(list: readonly Rule[]) {
    this.list = list;
    this.#compiled = list.map(compile);
    const sources = this.#compiled.flatMap(({ self, below }) => [
      self.source,
      ...(below === undefined ? [] : [below.source]),
    ]);
    this.#any = sources.length === 0 ? undefined : new RegExp(sources.join('|'), 's');
  }

  /**
   * What becomes of the entry at `path` (no slash at either end, a character a byte); undefined: it is kept as it is.
   * The last rule that fits counts.
   */
  of(path: string, isDirectory: boolean): Verdict | undefined {
    if (this.#any?.test(path) !== true) return undefined;
    for (let i = this.#compiled.length - 1; i >= 0; i--) {
      const { rule, self, below } = this.#compiled[i] as Compiled;
      const what = applied(rule.word, self.test(path), below?.test(path) === true, isDirectory);
      if (what === 'keep') return undefined;
      if (what !== undefined) return { what, rule };
    }
    return undefined;
  }
}

function compile(rule: Rule): Compiled {
  const source = patternSource(rule.pattern);
  try {
    return {
      rule,
      self: new RegExp(`^${source}$`, 's'),
      below:
        rule.word === 'inside' || rule.word === 'files' || rule.word === 'drop'
          ? new RegExp(`^${source}/`, 's')
          : undefined,
    };
  } catch (cause) {
    throw new RuleError(`'${rule.pattern}' is no pattern`, { cause });
  }
}

function applied(
  word: RuleWord,
  isIt: boolean,
  isBelow: boolean,
  isDirectory: boolean,
): Verdict['what'] | 'keep' | undefined {
  switch (word) {
    case 'keep':
      return isIt ? 'keep' : undefined;
    case 'drop':
      return isIt || isBelow ? 'drop' : undefined;
    case 'inside':
      return isBelow ? 'drop' : undefined;
    case 'files':
      return isBelow && !isDirectory ? 'drop' : undefined;
    case 'empty':
      return isIt && !isDirectory ? 'empty' : undefined;
    case 'secret':
      return isIt && !isDirectory ? 'secret' : undefined;
  }
}

/** A line that gives a network's or a tunnel's password, in the formats that the list's files have. */
const SECRET_LINE =
  /^[ \t]*["']?(?:[A-Za-z0-9-]*psk|wpa-psk|[A-Za-z_-]*password|[A-Za-z_-]*passphrase|[A-Za-z_-]*passwd|wep-?_?key\d?|leap-password|private-key|preshared-key|pin|phrase|secret|WIRELESS_WPA_PSK|WIRELESS_KEY_\d|KEY_PASSPHRASE\d?|WPA_PSK|KEY\d?)["']?[ \t]*[=:][ \t]*["']?[^\s"'#]/im;

/** Whether a configuration file holds a password. */
export function holdsSecret(content: Uint8Array): boolean {
  return SECRET_LINE.test(Buffer.from(content).toString('latin1'));
}
