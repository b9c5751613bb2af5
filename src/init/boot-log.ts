/**
 * What a person sees of a boot: a line per stage on every console the kernel uses, the same in the kernel log
 * (dmesg keeps it after the consoles have scrolled), and the record that becomes /run/viver/boot.json.
 */
import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { printable } from '../codec/printable.ts';

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

/** Milliseconds since the kernel started, by CLOCK_BOOTTIME (proc_uptime(5)); resolution 10 ms. */
export function uptimeMs(): number {
  return Math.round(Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000);
}

/** The kernel's consoles as devices, the one behind /dev/console last (sysfs-tty, /sys/class/tty/console/active). */
export function activeConsoles(): string[] {
  const names = readFileSync('/sys/class/tty/console/active', 'utf8').split(/\s+/).filter(Boolean);
  return names.map((name) => `/dev/${name}`);
}

export class BootLog {
  readonly stages: StageRecord[] = [];
  readonly choices: ChoiceRecord[] = [];
  readonly warnings: string[] = [];
  /** `viver.debug`: every choice and every module is told on the consoles as it comes. */
  debug = false;
  readonly #total: number;
  #consoles: number[] = [];
  #kernelLog: number | undefined;
  #early: string[] = [];

  /** @param total how many stages the boot has */
  constructor(total: number) {
    this.#total = total;
  }

  /** Opens the consoles (after /dev and /sys are mounted), or opens them anew, and prints what was said before. */
  openConsoles(): void {
    this.close();
    const flags = constants.O_WRONLY | constants.O_NOCTTY;
    const paths = activeConsoles();
    for (const path of paths.length > 0 ? paths : ['/dev/console']) {
      try {
        this.#consoles.push(openSync(path, flags));
      } catch (error) {
        // A console the kernel names but cannot open (no such UART) must not stop the boot; the others tell of it.
        this.#early.push(`viver: warning: console ${path}: ${error instanceof Error ? error.message : error}`);
      }
    }
    this.#kernelLog = openSync('/dev/kmsg', flags);
    const early = this.#early;
    this.#early = [];
    for (const text of early) this.line(text);
  }

  /** One line. Names from disks and words from the network are in it: it shows, and never obeys, what they are made of. */
  line(said: string): void {
    const text = printable(said);
    if (this.#kernelLog === undefined) {
      this.#early.push(text);
      return;
    }
    for (const console of this.#consoles) writeAll(console, `${text}\r\n`);
    // Level debug: kept for dmesg, not printed a second time on the consoles.
    writeAll(this.#kernelLog, `<7>${text}\n`);
  }

  info(text: string): void {
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
    this.line(`viver: [${number}/${this.#total}] ${name} … ${ms} ms${done.note === '' ? '' : ` (${done.note})`}`);
    return done.value;
  }

  /** Forgets the stages from `name` on: a boot that is tried again after the rescue prompt counts them anew. */
  rewind(name: string): void {
    const index = this.stages.findIndex((stage) => stage.name === name);
    if (index >= 0) this.stages.length = index;
  }

  close(): void {
    for (const file of [...this.#consoles, this.#kernelLog]) if (file !== undefined) closeSync(file);
    this.#consoles = [];
    this.#kernelLog = undefined;
  }
}

function writeAll(file: number, text: string): void {
  try {
    writeSync(file, text);
  } catch {
    // A console that went away (USB serial pulled): there is nowhere to say it, and the boot goes on.
  }
}
