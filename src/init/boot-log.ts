/**
 * What a person sees of a boot: a line per stage on every console the kernel uses, the same in the kernel log
 * (dmesg keeps it after the consoles have scrolled), and the record that becomes /run/viver/boot.json.
 */
import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';

/** One stage as it went; times in milliseconds since the kernel started. */
export interface StageRecord {
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly result: string;
}

/** A choice and why it was made: the image, a medium, a driver left out. */
export interface ChoiceRecord {
  readonly what: string;
  readonly why: string;
}

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
  readonly #total: number;
  #consoles: number[] = [];
  #kernelLog: number | undefined;
  #early: string[] = [];

  /** @param total how many stages the boot has */
  constructor(total: number) {
    this.#total = total;
  }

  /** Opens the consoles (after /dev and /sys are mounted) and prints what was said before. */
  openConsoles(): void {
    const flags = constants.O_WRONLY | constants.O_NOCTTY | constants.O_CLOEXEC;
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

  /** One line, as it is. */
  line(text: string): void {
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

  choose(what: string, why: string): void {
    this.choices.push({ what, why });
  }

  /**
   * Runs a stage and prints its line. `run` may return what is worth saying of it.
   * @throws what `run` throws, with the stage's name in front
   */
  async stage(name: string, run: () => Promise<string | undefined> | string | undefined): Promise<void> {
    const before = performance.now();
    const startMs = this.#kernelLog === undefined ? 0 : uptimeMs();
    const result = (await run()) ?? '';
    const ms = Math.round(performance.now() - before);
    const endMs = uptimeMs();
    this.stages.push({ name, startMs: startMs === 0 ? endMs - ms : startMs, endMs, result });
    const detail = result === '' ? '' : ` (${result})`;
    this.line(`viver: [${this.stages.length}/${this.#total}] ${name} … ${ms} ms${detail}`);
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
