import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { checksIn, type HealthSystem, run, whyNotHealthy } from '../../../../src/runes/health/check-health.ts';
import { healthOf, isHealth } from '../../../../src/runes/health/health.ts';
import { temporaryFolder } from '../../image/images.ts';

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());

const fake = (
  change: Partial<HealthSystem>,
  answers: Readonly<Record<string, [number | null, string]>> = {},
): HealthSystem => ({
  hasSystemd: true,
  checks: () => [],
  down: () => [],
  run: async (command) => {
    const [status, output] = answers[command.join(' ')] ?? [0, 'running\n'];
    return { status, output };
  },
  ...change,
});

describe('a machine is healthy', () => {
  test('when its services have started, also when one of them failed', async () => {
    expect(await whyNotHealthy(fake({}))).toBeUndefined();
    expect(await whyNotHealthy(fake({}, { 'systemctl is-system-running': [1, 'degraded\n'] }))).toBeUndefined();
  });

  test.each([
    ['while services start', fake({}, { 'systemctl is-system-running': [1, 'starting\n'] }), 'systemd is starting'],
    ['when systemd does not answer', fake({}, { 'systemctl is-system-running': [1, ''] }), 'systemd is silent'],
    [
      'when what the image requires of a boot fails',
      fake({}, { 'systemctl start boot-complete.target': [1, 'A dependency job failed.\nSee journalctl.\n'] }),
      'boot-complete.target: exit status 1 (See journalctl.)',
    ],
    ['without a network', fake({ down: () => ['address', 'http'] }), 'address, http do not run'],
    [
      'when a check says no',
      fake({ checks: () => ['/x/net'] }, { '/x/net': [3, 'no way\n'] }),
      '/x/net: exit status 3 (no way)',
    ],
    [
      'when a check does not end',
      fake({ checks: () => ['/x/net'] }, { '/x/net': [null, ''] }),
      '/x/net: did not end in time',
    ],
  ])('but not %s', async (_, system, why) => {
    expect(await whyNotHealthy(system)).toBe(why);
  });

  test('without systemd, when its checks say so', async () => {
    const asked: string[] = [];
    const system = fake({
      hasSystemd: false,
      checks: () => ['/a', '/b'],
      run: async ([program = '']) => {
        asked.push(program);
        return { status: 0, output: '' };
      },
    });
    expect([await whyNotHealthy(system), asked]).toEqual([undefined, ['/a', '/b']]);
  });
});

test('checks are the executable files of their directory, in order, as run-parts takes them', () => {
  mkdirSync(folder.at('checks/sub'), { recursive: true });
  for (const [name, mode] of [
    ['20-b', 0o755],
    ['10-a', 0o755],
    ['30-off', 0o644],
    ['10-a.dpkg-old', 0o755],
    ['10-a~', 0o755],
  ] as const) {
    writeFileSync(folder.at(`checks/${name}`), '#!/bin/sh\n');
    chmodSync(folder.at(`checks/${name}`), mode);
  }
  expect(checksIn(folder.at('checks'))).toEqual([folder.at('checks/10-a'), folder.at('checks/20-b')]);
  expect(checksIn(folder.at('nowhere'))).toEqual([]);
});

test('a program is ended with its children when it takes too long, and one that is not there says so', async () => {
  expect(await run(['sh', '-c', 'echo out; echo err >&2; exit 4'], 5000)).toMatchObject({ status: 4 });
  const began = performance.now();
  expect(await run(['sh', '-c', 'echo begun; sleep 60 & wait'], 300)).toEqual({ status: null, output: 'begun\n' });
  expect(performance.now() - began).toBeLessThan(20_000);
  expect(await run(['/no/such/program'], 1000)).toMatchObject({
    status: 127,
    output: expect.stringContaining('ENOENT'),
  });
  // a daemon that is left does not hold it up
  expect(await run(['sh', '-c', 'sleep 5 & exit 0'], 3000)).toMatchObject({ status: 0 });
});

test('what another machine says of its health is taken when it is that', () => {
  expect(isHealth(healthOf('failed', 'x'.repeat(1000)))).toBe(true);
  for (const value of [null, {}, { state: 'well', why: '' }, { state: 'healthy', why: 'x'.repeat(301) }, 5])
    expect(isHealth(value)).toBe(false);
});
