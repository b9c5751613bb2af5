import { StringDecoder } from 'node:string_decoder';

export interface ConsoleLine {
  /** Milliseconds since power-on when the line was complete. */
  readonly atMs: number;
  readonly text: string;
}

export interface Match {
  readonly text: string;
  readonly atMs: number;
  readonly groups: readonly string[];
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: terminal escape sequences are made of them
const ESCAPES = /\x1b\[[0-9;?=]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][0-9A-Za-z]|\x1b[=>78cDEHMNOZ]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: what is left of control characters is no text
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f]/g;

/** What the kernel says goes right behind a prompt that stands there, on the same line. */
const KERNEL_MESSAGE = /\[ *\d+\.\d{6}\] .*$/;

const clean = (raw: string): string => raw.replace(ESCAPES, '').replace(CONTROLS, '');

function find(text: string, pattern: string | RegExp): { end: number; text: string; groups: string[] } | undefined {
  if (typeof pattern === 'string') {
    const start = text.indexOf(pattern);
    return start < 0 ? undefined : { end: start + pattern.length, text: pattern, groups: [] };
  }
  const match = pattern.exec(text);
  if (match === null) return undefined;
  return { end: match.index + match[0].length, text: match[0], groups: match.slice(1).map((group) => group ?? '') };
}

/**
 * A serial console's text as lines, without terminal escapes. Reading goes forward only: each match starts where the
 * last one ended, so waits name lines in their order.
 */
export class Console {
  readonly lines: ConsoleLine[] = [];
  #decoder = new StringDecoder('utf8');
  #unfinished = '';
  #atMs = 0;
  #line = 0;
  #column = 0;
  readonly #onLine: (line: ConsoleLine) => void;

  constructor(onLine: (line: ConsoleLine) => void = () => {}) {
    this.#onLine = onLine;
  }

  /** Takes bytes as they come from the machine; a carriage return alone ends a line too (progress displays). */
  feed(bytes: Uint8Array, atMs: number): void {
    this.#atMs = atMs;
    const parts = (this.#unfinished + this.#decoder.write(bytes)).split(/[\r\n]/);
    this.#unfinished = parts.pop() ?? '';
    for (const part of parts) {
      const text = clean(part);
      if (text.trim() === '') {
        if (this.#line === this.lines.length) this.#column = 0;
        continue;
      }
      const line = { atMs, text };
      this.lines.push(line);
      this.#onLine(line);
    }
  }

  /** The line being written: a prompt, most often. */
  get unfinished(): string {
    return clean(this.#unfinished);
  }

  /** The first complete line from the last match on, and everything before it is behind us. */
  takeLine(pattern: string | RegExp): Match | undefined {
    for (let index = this.#line; index < this.lines.length; index++) {
      const line = this.lines[index];
      if (line === undefined) break;
      const found = find(index === this.#line ? line.text.slice(this.#column) : line.text, pattern);
      if (found === undefined) continue;
      this.#line = index + 1;
      this.#column = 0;
      return { text: line.text, atMs: line.atMs, groups: found.groups };
    }
    return undefined;
  }

  /** As takeLine, and the unfinished line counts too; what the kernel wrote behind a prompt does not. */
  takePrompt(pattern: string | RegExp): Match | undefined {
    const line = this.takeLine(pattern) ?? this.#takeWrittenOn(pattern);
    if (line !== undefined) return line;
    const skip = this.#line === this.lines.length ? this.#column : 0;
    const text = this.unfinished;
    const found = find(text.slice(skip).replace(KERNEL_MESSAGE, ''), pattern);
    if (found === undefined) return undefined;
    this.#line = this.lines.length;
    this.#column = skip + found.end;
    return { text, atMs: this.#atMs, groups: found.groups };
  }

  /** A prompt whose line the kernel has ended with a message of its own. */
  #takeWrittenOn(pattern: string | RegExp): Match | undefined {
    for (let index = this.#line; index < this.lines.length; index++) {
      const line = this.lines[index];
      if (line === undefined) break;
      const text = index === this.#line ? line.text.slice(this.#column) : line.text;
      const prompt = text.replace(KERNEL_MESSAGE, '');
      const found = prompt === text || prompt === '' ? undefined : find(prompt, pattern);
      if (found === undefined) continue;
      this.#line = index + 1;
      this.#column = 0;
      return { text: line.text, atMs: line.atMs, groups: found.groups };
    }
    return undefined;
  }

  /** Complete lines that no match has passed yet. */
  pending(): readonly string[] {
    return this.lines.slice(this.#line).map((line, index) => (index === 0 ? line.text.slice(this.#column) : line.text));
  }

  tail(count: number): string {
    const last = this.lines.slice(-count).map((line) => line.text);
    const unfinished = this.unfinished;
    return [...last, ...(unfinished === '' ? [] : [`${unfinished} (line not ended)`])].join('\n');
  }
}
