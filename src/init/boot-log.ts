/**
 * What a person sees of a boot: a line per stage on every console the kernel uses, the same in the kernel log
 * (dmesg keeps it after the consoles have scrolled), and the record that becomes /run/viver/boot.json.
 */
import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { uptime } from 'node:os';
import { activeText, consolesOf, type OpenConsole, openConsoles, writeConsole } from './prompt/consoles.ts';

/** One stage as it went; times in milliseconds since the kernel started. */
export interface StageRecord {
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly note: string;
}

/** What a stage gives: its value, and what is worth saying of it in its line. */
export interface StageDone<T> {
  readonly value: T;
  readonly note: string;
}

/** A choice and why it was made: the image, a medium, a driver left out. */
export interface ChoiceRecord {
  readonly what: string;
  readonly why: string;
}

/** What VIVER leaves for the running system to read. */
export const REPORT_DIRECTORY = '/run/viver';

/** Milliseconds since the kernel started, by CLOCK_BOOTTIME (proc_uptime(5)); resolution 10 ms, without /proc 1 s. */
export function uptimeMs(): number {
  try {
    return Math.round(Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000);
  } catch {
    return Math.round(uptime() * 1000);
  }
}

/** A console that comes late, with its driver, is told so much of what was said. */
const KEPT_LINES = 200;

export class BootLog {
  readonly stages: StageRecord[] = [];
  readonly choices: ChoiceRecord[] = [];
  readonly warnings: string[] = [];
  /** `viver.debug`: every choice and every module is told on the consoles as it comes. */
  debug = false;
  /** `quiet`: what is as it should be goes to the kernel's log and the report only. */
  quiet = false;
  readonly #total: number;
  #consoles: readonly OpenConsole[] = [];
  /** The kernel's consoles when they were opened; undefined: nothing has been opened yet. */
  #active: string | undefined;
  #kernelLog: number | undefined;
  /** What belongs on the consoles, oldest first. */
  readonly #said: string[] = [];

  /** @param total how many stages the boot has */
  constructor(total: number) {
    this.#total = total;
  }

  /** Opens the consoles (after /dev and /sys are mounted), or opens them anew; the first time it prints what was said before. */
  openConsoles(): void {
    const isFirst = this.#active === undefined;
    this.#close();
    this.#active = activeText();
    this.#consoles = openConsoles(this.#active);
    try {
      this.#kernelLog = openSync('/dev/kmsg', constants.O_WRONLY);
    } catch {
      // printk.devkmsg=off, or a kernel without it: the consoles and the report have the same.
    }
    const reached = new Set(this.#consoles.map(({ path }) => path));
    for (const path of isFirst ? consolesOf(this.#active) : [])
      if (!reached.has(path)) this.choose(`console ${path}`, 'the kernel names it, and nobody is reached by it');
    if (isFirst) for (const text of this.#said) this.#write(text);
  }

  /** Opens the consoles unless that has been done: what fails before is told too. */
  open(): void {
    if (this.#active === undefined) this.openConsoles();
  }

  /** One line, as it is. */
  line(text: string): void {
    this.#said.push(text);
    if (this.#said.length > KEPT_LINES) this.#said.shift();
    if (this.#active === undefined) return;
    this.#seeNewConsoles();
    this.#write(text);
  }

  /** What is as it should be: not on the consoles of a quiet boot. */
  routine(text: string): void {
    if (this.quiet) this.#keep(text);
    else this.line(text);
  }

  #write(text: string): void {
    const stays = this.#consoles.filter((console) => writeConsole(console, `${text}\r\n`) === 'written');
    if (stays.length < this.#consoles.length) {
      // Gone (a USB serial port), or it takes nothing (a terminal that was stopped): the boot goes on without it.
      for (const { fd } of this.#consoles.filter((console) => !stays.includes(console))) closeSync(fd);
      this.#consoles = stays;
    }
    this.#keep(text);
  }

  /** Level debug: kept for dmesg, not printed a second time on the consoles. */
  #keep(text: string): void {
    if (this.#kernelLog === undefined) return;
    try {
      writeSync(this.#kernelLog, `<7>${text}\n`);
    } catch {
      // The kernel limits how much it takes (printk.devkmsg=ratelimit); the report has it.
    }
  }

  /** A driver may bring a console that the command line names, hvc0 or a serial card: who sits there sees all of it. */
  #seeNewConsoles(): void {
    const active = activeText();
    if (active === this.#active) return;
    this.#active = active;
    const before = this.#consoles;
    this.#consoles = openConsoles(active);
    const known = new Set(before.map(({ path }) => path));
    const earlier = this.#said.slice(0, -1);
    for (const console of this.#consoles)
      if (!known.has(console.path)) for (const text of earlier) writeConsole(console, `${text}\r\n`);
    for (const { fd } of before) closeSync(fd);
  }

  /** How it goes, while it goes well. */
  info(text: string): void {
    this.routine(`viver: ${text}`);
  }

  /** What a person must know, also on a quiet boot: what is waited for, what can be done. */
  tell(text: string): void {
    this.line(`viver: ${text}`);
  }

  warn(text: string): void {
    this.warnings.push(text);
    this.line(`viver: warning: ${text}`);
  }

  /** For who asked for all of it. */
  detail(text: string): void {
    if (this.debug) this.line(`viver: debug: ${(uptimeMs() / 1000).toFixed(2)} s: ${text}`);
  }

  choose(what: string, why: string): void {
    this.choices.push({ what, why });
    this.detail(`${what}: ${why}`);
  }

  /**
   * Runs a stage and prints its line.
   * @throws what `run` throws, after a line that says which stage failed
   */
  async stage<T>(name: string, run: () => Promise<StageDone<T>> | StageDone<T>): Promise<T> {
    const number = this.stages.length + 1;
    const before = performance.now();
    const milliseconds = () => Math.round(performance.now() - before);
    let done: StageDone<T>;
    try {
      done = await run();
    } catch (error) {
      this.line(`viver: [${number}/${this.#total}] ${name} failed after ${milliseconds()} ms`);
      throw error;
    }
    const ms = milliseconds();
    const endMs = uptimeMs();
    this.stages.push({ name, startMs: endMs - ms, endMs, note: done.note });
    this.routine(`viver: [${number}/${this.#total}] ${name} … ${ms} ms${done.note === '' ? '' : ` (${done.note})`}`);
    return done.value;
  }

  /** Forgets the stages from `name` on: a boot that is tried again after the rescue prompt counts them anew. */
  rewind(name: string): void {
    const index = this.stages.findIndex((stage) => stage.name === name);
    if (index >= 0) this.stages.length = index;
  }

  #close(): void {
    for (const { fd } of this.#consoles) closeSync(fd);
    if (this.#kernelLog !== undefined) closeSync(this.#kernelLog);
    this.#consoles = [];
    this.#kernelLog = undefined;
  }
}
