import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { planSupervisor } from '../../../src/nbd/supervisor.ts';

let directory: string;
let child: ChildProcess | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'viver-supervisor-'));
  for (const file of ['log', 'starts']) writeFileSync(join(directory, file), '');
});

afterEach(() => {
  child?.kill('SIGKILL');
  rmSync(directory, { recursive: true });
});

const file = (name: string): string => join(directory, name);
const read = (name: string): string => readFileSync(file(name), 'utf8');
const commandLine = (pid: number | undefined): string => readFileSync(`/proc/${pid}/cmdline`, 'latin1');

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** The loop around a shell script that stands for the daemon; `"$0"` in it is the test's directory. */
function supervise(script: string): ChildProcess {
  const plan = planSupervisor({
    command: ['/bin/sh', '-c', script, directory],
    name: '@daemon',
    busybox: '/bin/busybox',
    log: file('log'),
  });
  child = spawn(plan.file, plan.args, { argv0: plan.argv0, stdio: 'ignore' });
  return child;
}

test('a daemon that is killed is started again at once, and both names begin with @', async () => {
  const supervisor = supervise('echo $$ >> "$0/starts"; exec sleep 1000');
  await until(() => read('starts').split('\n').length === 2);
  const first = Number(read('starts').trim());
  await until(() => !commandLine(first).includes('starts'));
  expect(commandLine(supervisor.pid)).toMatch(/^@daemon-supervisor/);
  process.kill(first, 'SIGKILL');
  await until(() => read('starts').split('\n').length === 3);
  expect(read('log')).toBe('viver: @daemon ended with status 137, starts again in 0 s\n');
  supervisor.kill('SIGTERM');
  expect(await once(supervisor, 'exit')).toEqual([0, null]);
});

test('the daemon’s own name is the one it is given', async () => {
  supervise('echo $$ > "$0/starts"; while :; do /bin/sleep 1; done');
  await until(() => read('starts').endsWith('\n'));
  expect(commandLine(Number(read('starts')))).toMatch(/^@daemon\0/);
});

test('a daemon that keeps failing is started less and less often', async () => {
  supervise('echo start >> "$0/starts"; exit 3');
  await until(() => read('log').split('\n').length === 4);
  expect(read('log').match(/in \d+ s/g)).toEqual(['in 0 s', 'in 1 s', 'in 3 s']);
});

test('a daemon that ends with status 0 was told to, and stays away', async () => {
  const supervisor = supervise('echo start >> "$0/starts"; exit 0');
  expect(await once(supervisor, 'exit')).toEqual([0, null]);
  expect([read('starts'), read('log')]).toEqual(['start\n', '']);
});

test('SIGTERM is passed on, and the loop waits for the daemon to end', async () => {
  const supervisor = supervise(
    'trap "echo ending >> \\"$0/starts\\"; sleep 0.2; echo ended >> \\"$0/starts\\"; exit 1" TERM; ' +
      'echo up >> "$0/starts"; while :; do sleep 0.05; done',
  );
  await until(() => read('starts') === 'up\n');
  supervisor.kill('SIGTERM');
  expect(await once(supervisor, 'exit')).toEqual([0, null]);
  expect([read('starts'), read('log')]).toEqual(['up\nending\nended\n', '']);
});

test('a daemon without a command is refused', () => {
  expect(() => planSupervisor({ command: [], name: '@x', busybox: '/bin/busybox' })).toThrow('no command');
});

test('the daemon starts only when what it waits for is over; process ids are left where sysvinit looks', async () => {
  const omit = file('omit');
  const plan = planSupervisor({
    command: ['/bin/sh', '-c', 'echo up > "$0/up"; exec sleep 1000', directory],
    name: '@daemon',
    busybox: '/bin/busybox',
    log: file('log'),
    after: `until [ -n "$stopping" ] || [ -e ${file('go')} ]; do sleep 0.05; done`,
    omitDirectory: omit,
  });
  child = spawn(plan.file, plan.args, { argv0: plan.argv0, stdio: 'ignore' });
  await until(() => existsSync(join(omit, 'daemon-supervisor')));
  expect(existsSync(file('up'))).toBe(false);
  writeFileSync(file('go'), '');
  await until(() => existsSync(file('up')));
  expect(Number(readFileSync(join(omit, 'daemon-supervisor'), 'utf8'))).toBe(child.pid);
  // The supervisor notes it when it runs already, and in the middle of exec(2) a process has no command line.
  const noted = () => (existsSync(join(omit, 'daemon')) ? readFileSync(join(omit, 'daemon'), 'utf8').trim() : '');
  await until(() => noted() !== '' && commandLine(Number(noted())).includes('sleep'));
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('while it waits to start, all that runs has a name that begins with @, so that systemd waits for none of it', async () => {
  const plan = planSupervisor({
    command: ['/bin/true'],
    name: '@daemon',
    busybox: '/bin/busybox',
    log: file('log'),
    after: 'until [ -n "$stopping" ]; do pause 60; done',
  });
  child = spawn(plan.file, plan.args, { argv0: plan.argv0, stdio: 'ignore' });
  const children = () => readFileSync(`/proc/${child?.pid}/task/${child?.pid}/children`, 'utf8').trim();
  await until(() => children() !== '' && commandLine(Number(children())).startsWith('@daemon-pause'));
  const [pause] = children().split(' ').map(Number);
  expect(commandLine(pause)).toBe('@daemon-pause/sleep\x0060\0');
  child.kill('SIGTERM');
  process.kill(pause as number, 'SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('told to end while it still waits to start, it ends', async () => {
  const plan = planSupervisor({
    command: ['/bin/true'],
    name: '@daemon',
    busybox: '/bin/busybox',
    log: file('log'),
    after: `echo > ${file('waits')}; until [ -n "$stopping" ]; do sleep 0.05; done`,
  });
  child = spawn(plan.file, plan.args, { argv0: plan.argv0, stdio: 'ignore' });
  await until(() => existsSync(file('waits')));
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});
