import { chmodSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import type { MinisignKey } from '../../image/minisign.ts';
import { parseRelease, type ReadRelease, verifyRelease, whyRefused } from '../../image/release.ts';
import { describeError } from '../../linux/describe-error.ts';
import { hasCode } from '../../linux/errno.ts';
import { type Attempt, type Chosen, choose, follow, type RollLine, type Wanted } from './line.ts';
import type { RollMachine } from './whom.ts';

/** Who brought a release: root of this machine by the control socket, its own medium, another machine. */
export type Bringer = 'root' | 'medium' | 'wire';

export interface RollBookOptions {
  /** With keys only what one of them signed is taken; without them nothing is taken from the wire. */
  readonly keys: readonly MinisignKey[];
  /** Where it is kept while the machine runs, over restarts of the plugins. */
  readonly file: string;
  readonly log: (line: string) => void;
  readonly nowSeconds?: () => number;
  readonly upMs?: () => number;
}

/** Whoever asks for boot scripts in a storm costs a file now and then, not one for each. */
const SAVE_AFTER_MS = 500;
/** Names of roll-outs on one wire. */
const MOST_LINES = 16;

type Kept = readonly { readonly text: string; readonly stopped?: string; readonly attempts: [string, Attempt][] }[];

/** The releases a machine has seen, the newest of each name, and what became of the machines it sent to boot them. */
export class RollBook {
  readonly #options: RollBookOptions;
  readonly #lines = new Map<string, RollLine>();
  #saving: NodeJS.Timeout | undefined;

  constructor(options: RollBookOptions) {
    this.#options = options;
    this.#load();
  }

  /** The highest version first. */
  get lines(): readonly RollLine[] {
    const versionOf = ({ read }: RollLine) => read.release.version;
    return [...this.#lines.values()].sort((a, b) => versionOf(b) - versionOf(a) || (nameOf(a) < nameOf(b) ? -1 : 1));
  }

  get nowSeconds(): number {
    return this.#options.nowSeconds?.() ?? Date.now() / 1000;
  }

  /** Whether a signature is wanted. */
  get hasKeys(): boolean {
    return this.#options.keys.length > 0;
  }

  /**
   * Takes up a release.
   * @returns it, and whether it was not known before
   * @throws Error that says why it is refused
   */
  accept(text: string, bringer: Bringer): { readonly read: ReadRelease; readonly isNew: boolean } {
    const read = parseRelease(text);
    const { name } = read.release;
    if (this.hasKeys) verifyRelease(read, this.#options.keys);
    else if (bringer === 'wire') throw new Error('without keys no release is taken from another machine');
    const known = this.#lines.get(name);
    const why = whyRefused(read, known?.read, this.nowSeconds);
    if (why !== undefined) throw new Error(why);
    if (known?.read.body === read.body) return { read: known.read, isNew: false };
    if (known === undefined && this.#lines.size >= MOST_LINES)
      throw new Error(`${MOST_LINES} roll-outs are known already, and '${name}' is another one`);
    this.#set(follow(known, read));
    return { read, isNew: true };
  }

  /** What a machine that asks for its boot script is to boot, in this order; nothing: what it has without releases. */
  choose(machine: RollMachine): readonly Wanted[] {
    const all = this.lines.map((line) => this.#apply(choose(line, machine, this.upMs)));
    return all.find((wanted) => wanted[0]?.release !== undefined) ?? all.find((wanted) => wanted.length > 0) ?? [];
  }

  /** Changes each line as a function of line.ts says. */
  update(change: (line: RollLine) => RollLine | Omit<Chosen, 'wanted'>): void {
    for (const before of this.#lines.values()) {
      const after = change(before);
      if ('news' in after) this.#apply({ ...after, wanted: [] });
      else this.#set(after);
    }
  }

  /** Milliseconds that this machine runs. */
  get upMs(): number {
    return this.#options.upMs?.() ?? uptime() * 1000;
  }

  #apply({ line, wanted, news }: Chosen): readonly Wanted[] {
    for (const one of news) this.#options.log(one);
    this.#set(line);
    return wanted;
  }

  #set(line: RollLine): void {
    const name = nameOf(line);
    if (this.#lines.get(name) === line) return;
    this.#lines.set(name, line);
    this.#saving ??= setTimeout(() => this.save(), SAVE_AFTER_MS).unref();
  }

  /** Writes down what has changed, at once. */
  save(): void {
    if (this.#saving === undefined) return;
    clearTimeout(this.#saving);
    this.#saving = undefined;
    const { file, log } = this.#options;
    const kept: Kept = [...this.#lines.values()].map(({ read, stopped, attempts }) => ({
      ...{ text: read.text, attempts: [...attempts] },
      ...(stopped === undefined ? {} : { stopped }),
    }));
    try {
      writeFileSync(`${file}.part`, JSON.stringify(kept), { mode: 0o600 });
      chmodSync(`${file}.part`, 0o600);
      renameSync(`${file}.part`, file);
    } catch (error) {
      log(`what is known of roll-outs is not kept over a restart: ${describeError(error)}`);
    }
  }

  /** Of an earlier life of this process; root's own file. */
  #load(): void {
    const { file, log } = this.#options;
    try {
      const kept = JSON.parse(readFileSync(file, 'utf8')) as Kept;
      for (const { text, stopped, attempts } of kept) {
        const line: RollLine = { read: parseRelease(text), stopped, attempts: new Map(attempts) };
        this.#lines.set(nameOf(line), line);
      }
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) log(`${file} is of no use: ${describeError(error)}`);
    }
  }
}

const nameOf = ({ read }: RollLine): string => read.release.name;
