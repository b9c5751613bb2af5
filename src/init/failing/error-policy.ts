/**
 * The one error policy of the boot, from the first line of /init to exec: what failed is explained on every console,
 * then a person has the prompt, or the machine reboots as `panic=` asks, which a key stops. Process 1 never ends.
 *
 * Up to the commit a failed attempt is undone (undo.ts) and can be tried again. After it there is only: tell, and reboot.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeError } from '../../linux/describe-error.ts';
import { exec } from '../../linux/process.ts';
import { type RebootVerb, reboot, syncAll } from '../../linux/reboot.ts';
import type { BootLog } from '../boot-log.ts';
import { writeReport } from '../boot-report.ts';
import { type BootOptions, parseCommandLine } from '../command-line.ts';
import { pauseThread } from '../prompt/consoles.ts';
import { countDown } from '../prompt/count-down.ts';
import { rescue } from '../prompt/rescue.ts';
import { isPromptForbidden } from '../trust/policy-file.ts';
import { explainFailure } from './failure.ts';
import { Faults } from './faults.ts';

/** Long enough to read what failed, where no `panic=` says how long. */
const AFTER_COMMIT_SECONDS = 60;
/** Serial lines send what was written last. */
const LAST_WORDS_MS = 300;
/** When not even a prompt can be had, the boot is tried again. */
const AGAIN_MS = 10_000;

const INIT_SIGNALS: readonly (readonly [NodeJS.Signals, RebootVerb])[] = [
  ['SIGTERM', 'restart'],
  ['SIGUSR1', 'halt'],
  ['SIGUSR2', 'poweroff'],
];

/** Process 1 must not end: a shell on whatever its descriptors are, again and again. */
const LAST_SHELL = 'while :; do /bin/setsid -c /bin/sh -i; sleep 1; done';

export class ErrorPolicy {
  readonly #log: BootLog;
  readonly #faults: Faults;
  #options: Pick<BootOptions, 'panicSeconds' | 'debug'> | undefined;
  #saw: () => readonly string[] = () => [];
  #readyPrompt: () => void | Promise<void> = () => {};
  /** The prompt that is open: two shells on one console would share its keys. */
  #open: Promise<void> | undefined;

  constructor(log: BootLog) {
    this.#log = log;
    this.#faults = new Faults({
      onStray: (error) => log.warn(`an error that concerns nothing under way: ${describeError(error)}`),
      onExit: (code) => this.#neverExit(code),
    });
    // BusyBox' reboot, poweroff and halt ask process 1, unless they are told -f.
    for (const [signal, verb] of INIT_SIGNALS) process.on(signal, () => this.#end(verb));
  }

  /** What the command line asks for, as soon as it is known. */
  set options(options: BootOptions) {
    this.#options = options;
  }

  /** What is beside every failure worth knowing: lines of what was seen. */
  set saw(saw: () => readonly string[]) {
    this.#saw = saw;
  }

  /** Done before each prompt: a person wants a keyboard and its layout. */
  set readyPrompt(ready: () => void | Promise<void>) {
    this.#readyPrompt = ready;
  }

  /** Runs an attempt; see Faults.during. */
  during<T>(attempt: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.#faults.during(attempt);
  }

  /** A prompt that was asked for. */
  async prompt(why: string): Promise<void> {
    this.#open ??= this.#openPrompt(why).finally(() => {
      this.#open = undefined;
    });
    await this.#open;
  }

  async #openPrompt(why: string): Promise<void> {
    await this.#readyPrompt();
    await rescue(this.#log, why);
  }

  /** An attempt has failed and is undone. Returns when it is to be tried again; never rejects. */
  async failed(error: unknown): Promise<void> {
    try {
      this.#log.open();
      for (const line of explainFailure(error, this.#saw())) this.#log.line(line);
      if (error instanceof Error && error.stack !== undefined) this.#log.choose('failed', error.stack);
      writeReport(this.#log);
      await this.#readyPrompt();
      const seconds = this.#panicSeconds();
      if (seconds !== undefined) await this.#rebootIn(seconds);
      await this.prompt('the boot failed; `exit` tries it again');
    } catch (worse) {
      this.#log.tell(`no prompt: ${describeError(worse)}; trying the boot again in ${AGAIN_MS / 1000} s`);
      await sleep(AGAIN_MS);
    }
  }

  /** Returns when a key was pressed in time. */
  async #rebootIn(seconds: number): Promise<void> {
    if (seconds > 0) {
      const isStopped = await countDown(
        seconds,
        (left) => `viver: reboot in ${left} s (panic=${seconds}); any key gives the prompt`,
      );
      if (isStopped) return;
    }
    this.#log.tell('reboot now (panic=)');
    this.#reboot();
  }

  /** After the commit: much is moved and nothing can be undone. Only this thread's own steps are left. */
  committed(error: unknown): never {
    const seconds = this.#panicSeconds() ?? AFTER_COMMIT_SECONDS;
    this.#log.line(`viver: boot failed: the image's init could not be started: ${describeError(error)}`);
    this.#log.tell(`the switch cannot be taken back: reboot in ${seconds} s`);
    pauseThread(seconds * 1000);
    this.#reboot();
    throw error;
  }

  #panicSeconds(): number | undefined {
    if (this.#options !== undefined) return this.#options.panicSeconds;
    try {
      return parseCommandLine(readFileSync('/proc/cmdline', 'utf8')).panicSeconds;
    } catch {
      return undefined; // no /proc: nobody knows what was asked for
    }
  }

  #reboot(): void {
    this.#end('restart');
  }

  #end(verb: RebootVerb): void {
    pauseThread(LAST_WORDS_MS);
    try {
      syncAll();
      reboot(verb);
    } catch (error) {
      this.#log.tell(`no ${verb}: ${describeError(error)}`);
    }
  }

  /** Something ends the process: no turn of the event loop comes any more. */
  #neverExit(code: number): void {
    this.#log.open();
    this.#log.line(`viver: boot failed: /init was ended with status ${code}`);
    const seconds = this.#panicSeconds();
    if (seconds !== undefined) {
      this.#log.tell(`reboot in ${seconds} s (panic=${seconds})`);
      pauseThread(seconds * 1000);
      this.#reboot();
    }
    if (isPromptForbidden()) {
      pauseThread(AFTER_COMMIT_SECONDS * 1000);
      this.#reboot();
    }
    exec('/bin/sh', ['sh', '-c', LAST_SHELL], { PATH: '/bin:/sbin', PS1: 'viver rescue# ', TERM: 'linux' });
  }
}
