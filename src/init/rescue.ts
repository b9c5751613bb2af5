/**
 * The rescue prompt: a BusyBox shell on every console, `js` in it for a JavaScript prompt with VIVER's own functions.
 * Leaving the shell goes on with the boot.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, openSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { activeConsoles, type BootLog } from './boot-log.ts';

const WELCOME = [
  'viver: rescue prompt. What there is:',
  '  exit                      go on with the boot',
  '  viver explain             each device, its driver, and why',
  '  dmesg | tail              what the kernel says',
  '  cat /run/viver/boot.json  what VIVER did and why, so far',
  "  js                        a JavaScript prompt with VIVER's functions at hand",
  '  reboot -f, poweroff -f',
];

const ENVIRONMENT = { PATH: '/bin:/sbin:/usr/bin:/usr/sbin', HOME: '/root', TERM: 'linux', PS1: 'viver rescue# ' };

/** What runs in the shells of other consoles may take no notice of their end. */
const HANG_UP_MS = 1000;

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
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) resolve();
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
}

/** Says why, then waits until a person leaves the shell on one of the consoles. */
export async function rescue(log: BootLog, why: string): Promise<void> {
  writeRescueFiles();
  log.info(why);
  for (const line of WELCOME) log.line(line);
  const shells = activeConsoles()
    .map(startShell)
    .filter((shell) => shell !== undefined);
  if (shells.length === 0)
    throw new Error(`rescue: none of the consoles can be opened (${activeConsoles().join(', ')})`);
  await Promise.race(shells.map(ended));
  for (const shell of shells) shell.kill('SIGHUP');
  await Promise.race([Promise.all(shells.map(ended)), sleep(HANG_UP_MS)]);
  // The end of a terminal's session hangs it up for everyone who has it open (tty_vhangup_session).
  log.openConsoles();
}

/** What `id`, `ps` and `ls -l` look at. */
function writeRescueFiles(): void {
  writeFileSync('/etc/passwd', 'root::0:0:root:/root:/bin/sh\n');
  writeFileSync('/etc/group', 'root:x:0:\n');
}
