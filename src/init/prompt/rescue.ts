/**
 * The rescue prompt: a BusyBox shell on every console that works, `js` in it for a JavaScript prompt with VIVER's own
 * functions. Leaving the shell goes on with the boot.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeError } from '../../linux/describe-error.ts';
import { reboot, syncAll } from '../../linux/reboot.ts';
import type { BootLog } from '../boot-log.ts';
import { POLICY_FILE } from '../trust/policy.ts';
import { isPromptForbidden } from '../trust/policy-file.ts';
import { isReachable, openConsoles } from './consoles.ts';

const WELCOME = [
  'viver: rescue prompt. What there is:',
  '  exit                      go on with the boot',
  '  viver explain             each device, its driver, and why',
  '  dmesg | tail              what the kernel says',
  '  cat /run/viver/boot.json  what VIVER did and why, so far',
  "  js                        a JavaScript prompt with VIVER's functions at hand",
  '  reboot, poweroff',
];

const ENVIRONMENT = { PATH: '/bin:/sbin:/usr/bin:/usr/sbin', HOME: '/root', TERM: 'linux', PS1: 'viver rescue# ' };

/** What runs in the shells of other consoles may take no notice of their end. */
const HANG_UP_MS = 1000;
/** A keyboard or a serial line may be plugged in later. */
const LOOK_MS = 2000;

/** A shell of its own session on a terminal, so that job control and Ctrl-C work. */
function startShell(path: string): ChildProcess {
  const terminal = openSync(path, constants.O_RDWR | constants.O_NOCTTY);
  try {
    return spawn('/bin/setsid', ['-c', '/bin/sh', '-i'], {
      stdio: [terminal, terminal, terminal],
      env: ENVIRONMENT,
      cwd: '/',
    });
  } finally {
    closeSync(terminal);
  }
}

function reachablePaths(): readonly string[] {
  return openConsoles().map(({ path, fd }) => {
    closeSync(fd);
    return path;
  });
}

/** The shells of one prompt, by console. */
class Prompt {
  readonly #log: BootLog;
  readonly #shells = new Map<string, ChildProcess>();
  readonly #left = Promise.withResolvers<void>();
  #isSilent = false;

  constructor(log: BootLog) {
    this.#log = log;
  }

  /**
   * Resolves when a person has left the shell on one of the consoles. A shell that ended with its console, pulled out or
   * hung up, is not left by anybody.
   * @throws Error when no shell can be started
   */
  async untilLeft(): Promise<void> {
    this.#look();
    const looking = setInterval(() => this.#look(), LOOK_MS);
    try {
      await this.#left.promise;
    } finally {
      clearInterval(looking);
      await this.#hangUp();
    }
  }

  /** Starts a shell on each console that has none. */
  #look(): void {
    const paths = reachablePaths();
    if (paths.length === 0 && !this.#isSilent) this.#log.tell('no console can be opened: waiting for one');
    this.#isSilent = paths.length === 0;
    for (const path of paths) if (!this.#shells.has(path)) this.#start(path);
  }

  #start(path: string): void {
    let shell: ChildProcess;
    try {
      shell = startShell(path);
    } catch (error) {
      this.#log.warn(`no prompt on ${path}: ${describeError(error)}`);
      return;
    }
    this.#shells.set(path, shell);
    shell.once('error', (cause) => this.#left.reject(new Error('the rescue prompt cannot be started', { cause })));
    shell.once('exit', () => {
      this.#shells.delete(path);
      if (isReachable(path)) this.#left.resolve();
    });
  }

  async #hangUp(): Promise<void> {
    const shells = [...this.#shells.values()];
    const ended = shells.map((shell) => new Promise((resolve) => shell.once('exit', resolve)));
    for (const shell of shells) shell.kill('SIGHUP');
    await Promise.race([Promise.all(ended), sleep(HANG_UP_MS)]);
  }
}

/** For a person to read why, where the policy forbids a prompt. */
const NO_PROMPT_MS = 30_000;

/**
 * Says why, then waits until a person leaves the shell on one of the consoles.
 * @throws Error when no shell can be started
 */
export async function rescue(log: BootLog, why: string): Promise<void> {
  log.tell(why);
  if (isPromptForbidden()) {
    log.tell(`no prompt: ${POLICY_FILE} forbids it; reboot in ${NO_PROMPT_MS / 1000} s`);
    await sleep(NO_PROMPT_MS);
    syncAll();
    reboot('restart');
  }
  for (const line of WELCOME) log.line(line);
  try {
    await new Prompt(log).untilLeft();
  } finally {
    // The end of a terminal's session hangs it up for everyone who has it open (tty_vhangup_session).
    log.openConsoles();
  }
}
