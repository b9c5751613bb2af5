/**
 * The rescue prompt: a BusyBox shell on every console, `js` in it for a JavaScript prompt with VIVER's own functions.
 * Leaving the shell goes on with the boot.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, openSync, writeFileSync } from 'node:fs';
import { activeConsoles, type BootLog } from './boot-log.ts';

const WELCOME = `
viver: rescue prompt. What there is:
  exit                      go on with the boot from where it stopped
  viver explain             each device, its driver, and why
  dmesg | tail              what the kernel says
  cat /run/viver/boot.json  what VIVER did and why, so far
  js                        a JavaScript prompt with VIVER's functions at hand
  reboot -f, poweroff -f
`;

const ENVIRONMENT = { PATH: '/bin:/sbin:/usr/bin:/usr/sbin', HOME: '/root', TERM: 'linux', PS1: 'viver rescue# ' };

/** A shell of its own session on a terminal, so that job control and Ctrl-C work. */
function startShell(path: string): ChildProcess | undefined {
  let terminal: number;
  try {
    terminal = openSync(path, constants.O_RDWR | constants.O_NOCTTY);
  } catch {
    return undefined; // named by the kernel, but not there: the other consoles have theirs
  }
  const shell = spawn('/bin/setsid', ['-c', '/bin/sh', '-i'], {
    stdio: [terminal, terminal, terminal],
    env: ENVIRONMENT,
    cwd: '/',
  });
  closeSync(terminal);
  return shell;
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
}

export interface RescueRequest {
  readonly why: string;
  /** Reboot after so many seconds instead of waiting for a person. */
  readonly rebootAfterSeconds?: number | undefined;
  readonly reboot: () => void;
}

/**
 * Says why, then waits until a person leaves the shell on one of the consoles.
 * With a time limit the machine reboots at its end instead, unless nobody can have read the reason yet.
 */
export async function rescue(log: BootLog, request: RescueRequest): Promise<void> {
  const { rebootAfterSeconds: limit } = request;
  if (limit !== undefined) {
    log.info(`${request.why}`);
    log.info(`reboot in ${limit} s (panic=${limit})`);
    await new Promise((resolve) => setTimeout(resolve, limit * 1000));
    request.reboot();
    return;
  }
  log.line(WELCOME.replaceAll('\n', '\r\n'));
  const paths = activeConsoles();
  const shells = (paths.length > 0 ? paths : ['/dev/console']).map(startShell).filter((shell) => shell !== undefined);
  if (shells.length === 0) throw new Error(`rescue: no console can be opened (${paths.join(', ')})`);
  await Promise.race(shells.map(ended));
  for (const shell of shells) shell.kill('SIGHUP');
}

/** What `ps`, `id` and login shells in the initramfs expect to find. */
export function writeRescueFiles(): void {
  writeFileSync('/etc/passwd', 'root::0:0:root:/root:/bin/sh\n');
  writeFileSync('/etc/group', 'root:x:0:\n');
}
