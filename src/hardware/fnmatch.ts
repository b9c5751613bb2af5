/** The first character that makes a pattern more than a literal, or its length when it is one. */
export function literalLength(pattern: string): number {
  const first = pattern.search(/[*?[]/);
  return first < 0 ? pattern.length : first;
}

interface Bracket {
  readonly matches: boolean;
  /** Index after the closing bracket. */
  readonly next: number;
}

/** Reads `[…]` at `at`. undefined: no closing bracket, so the `[` stands for itself (as glibc takes it). */
function readBracket(pattern: string, at: number, code: number): Bracket | undefined {
  let index = at + 1;
  const negated = pattern[index] === '!' || pattern[index] === '^';
  if (negated) index++;
  let matches = false;
  for (let first = true; ; first = false) {
    if (index >= pattern.length) return undefined;
    if (pattern[index] === ']' && !first) return { matches: matches !== negated, next: index + 1 };
    if (pattern[index] === '\\') index++;
    const low = pattern.charCodeAt(index++);
    if (Number.isNaN(low)) return undefined;
    let high = low;
    if (pattern[index] === '-' && pattern[index + 1] !== ']') {
      const isCut = ++index === pattern.length;
      if (pattern[index] === '\\') index++;
      high = pattern.charCodeAt(index++);
      // glibc gives up at a range without an end, unless it has already seen what it looks for.
      if (Number.isNaN(high)) return matches || (isCut && low === code) ? undefined : { matches: false, next: index };
    }
    if (low <= code && code <= high) matches = true;
  }
}

/** Matches one character of `text` at `code`; returns the index after the pattern's element, or -1. */
function matchOne(pattern: string, at: number, code: number): number {
  switch (pattern[at]) {
    case '?':
      return at + 1;
    case '[': {
      const bracket = readBracket(pattern, at, code);
      if (bracket !== undefined) return bracket.matches ? bracket.next : -1;
      return code === 0x5b ? at + 1 : -1;
    }
    case '\\':
      return pattern.charCodeAt(at + 1) === code ? at + 2 : -1;
    default:
      return pattern.charCodeAt(at) === code ? at + 1 : -1;
  }
}

/**
 * fnmatch(3) with no flags in the C locale, from `patternStart` and `textStart` on: `*`, `?`, `[…]` with ranges and
 * `!` or `^`, `\` before a literal; `/` and a leading `.` are ordinary. Character classes (`[:alpha:]`) are not known:
 * kmod's own normalisation of brackets lets none through.
 */
export function fnmatch(pattern: string, text: string, patternStart = 0, textStart = 0): boolean {
  let inPattern = patternStart;
  let inText = textStart;
  let star = -1;
  let starText = 0;
  while (inText < text.length) {
    if (pattern[inPattern] === '*') {
      star = ++inPattern;
      starText = inText;
      if (star === pattern.length) return true;
      continue;
    }
    const next = inPattern < pattern.length ? matchOne(pattern, inPattern, text.charCodeAt(inText)) : -1;
    if (next >= 0) {
      inPattern = next;
      inText++;
    } else if (star >= 0) {
      inPattern = star;
      inText = ++starText;
    } else {
      return false;
    }
  }
  while (pattern[inPattern] === '*') inPattern++;
  return inPattern === pattern.length;
}
