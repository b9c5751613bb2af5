/** What the usage text of a command says of its words: the one source of help, manual pages and completion. Pure. */
import type { Command } from '../command.ts';

export interface CommandWords {
  readonly name: string;
  readonly summary: string;
  /** Words that may follow the name: `create`, `info` of `viver image`. */
  readonly actions: readonly string[];
  /** Options as they are typed: `-o`, `--level`. */
  readonly options: readonly string[];
}

/** A usage text in its parts. */
export interface UsageParts {
  /** `viver image create SOURCE -o NAME.sqfs [--level N]`: a line for each form, continuation lines joined. */
  readonly synopsis: readonly string[];
  /** What follows, as it is. */
  readonly description: string;
}

export function usageParts(usage: string): UsageParts {
  const lines = usage.split('\n');
  const end = lines.findIndex((line, index) => index > 0 && line.trim() === '');
  const head = (end < 0 ? lines : lines.slice(0, end)).map((line) => line.replace(/^usage:/, '').trim());
  const synopsis: string[] = [];
  for (const line of head.filter((each) => each !== '')) {
    if (line.startsWith('viver ') || synopsis.length === 0) synopsis.push(line);
    else synopsis.push(`${synopsis.pop()} ${line}`);
  }
  return {
    synopsis,
    description:
      end < 0
        ? ''
        : lines
            .slice(end + 1)
            .join('\n')
            .trimEnd(),
  };
}

export function commandWords({ name, summary, usage }: Command): CommandWords {
  const { synopsis } = usageParts(usage);
  const actions = synopsis.flatMap((line) => {
    // `viver image create|info NAME`, `viver field up …`: a word in small letters right behind the name.
    const [, words] = new RegExp(`^viver ${name} ([a-z]+(?:\\|[a-z]+)*)(?= |$)`).exec(line) ?? [];
    return words?.split('|') ?? [];
  });
  const options = [...usage.matchAll(/(?<![\w-])(-[a-z]|--[a-z][a-z-]*)(?![\w-])/g)].flatMap((match) => match[1] ?? []);
  return { name, summary, actions: unique(actions), options: unique([...options, '--help']) };
}

const unique = (words: readonly string[]): string[] => [...new Set(words)];
