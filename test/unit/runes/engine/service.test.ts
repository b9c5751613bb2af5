import { expect, test } from 'vitest';
import { planService } from '../../../../src/runes/engine/service.ts';

const root = (files: Readonly<Record<string, string>>) => ({
  read: (path: string) => files[path],
  has: (path: string) => path in files,
});

test('systemd gets a unit under /run, which the image has no part in', () => {
  const { files, links } = planService('systemd', root({}));
  expect(files.map(({ path }) => path)).toEqual(['/run/systemd/system/viver-runes.service']);
  expect(files[0]?.text).toContain('ExecStart=/usr/local/bin/viver runes\n');
  // Without default dependencies nothing else would stop it in time.
  expect(files[0]?.text).toMatch(/^DefaultDependencies=no\nConflicts=shutdown\.target$/m);
  expect(files[0]?.text).toMatch(/^Before=.*\bshutdown\.target$/m);
  expect(links[0]?.path).toBe('/run/systemd/system/multi-user.target.wants/viver-runes.service');
});

test('sysvinit and BusyBox get a line in inittab, once', () => {
  for (const init of ['sysvinit', 'busybox'] as const) {
    const [file] = planService(init, root({ '/etc/inittab': 'first:line\n' })).files;
    const text = file?.text ?? '';
    expect(text).toMatch(/^first:line\n.*:respawn:\/usr\/local\/bin\/viver runes --kmsg\n$/);
    expect(planService(init, root({ '/etc/inittab': text })).files[0]?.text).toBe(text);
  }
});

test('OpenRC and runit get a service of theirs', () => {
  expect(planService('openrc', root({})).links[0]?.path).toBe('/etc/runlevels/default/viver-runes');
  expect(planService('runit', root({ '/etc/service': '' })).files[0]).toMatchObject({
    path: '/etc/service/viver-runes/run',
    mode: 0o755,
  });
  const voids = planService('runit', root({ '/var/service': '', '/etc/runit/runsvdir/default': '' }));
  expect(voids.files[0]?.path).toBe('/etc/runit/runsvdir/default/viver-runes/run');
});

test('where no place is known it says what to run by hand', () => {
  for (const plan of [
    planService('unknown', root({})),
    planService('runit', root({})),
    planService('busybox', root({})),
  ]) {
    expect(plan.files).toEqual([]);
    expect(plan.note).toContain("run '/usr/local/bin/viver runes'");
  }
});
