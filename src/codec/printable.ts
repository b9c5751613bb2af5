/**
 * What a terminal or a log would obey instead of show: control characters (ESC begins a sequence, a newline begins a
 * forged line), the bidirectional overrides of Unicode, which reorder what a person reads, and halves of characters.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const OBEYED = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Cs}/gu;

/** The text on one line, with all that a terminal would obey written as `\xNN` or `\u{NNNN}`. */
export function printable(text: string): string {
  return text.replace(OBEYED, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}
