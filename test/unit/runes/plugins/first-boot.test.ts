import { expect, test } from 'vitest';
import { forbidsAll, rcConfOfMachine } from '../../../../src/root/installed/container-marks.ts';
import { asksForCloud, gdmWithoutWizard } from '../../../../src/root/installed/first-boot.ts';
import firstBoot from '../../../../src/runes/plugins/first-boot.ts';
import { fakeRoot } from '../fake-root.ts';

const POLICY = '#!/bin/sh\n\n# For most Docker users\nexit 101\n';

test('what a container leaves in its files is removed', async () => {
  const { root, changes } = fakeRoot({ '/.dockerenv': '', '/usr/sbin/policy-rc.d': POLICY, '/etc/motd': '' });
  await firstBoot.prepare?.(root);
  expect(changes).toEqual({ '/.dockerenv': undefined, '/usr/sbin/policy-rc.d': undefined });
});

test("a policy that is a person's stays, and on a machine that never was a container any does", async () => {
  const own = fakeRoot({ '/.dockerenv': '', '/usr/sbin/policy-rc.d': '#!/bin/sh\n[ "$1" = cron ] && exit 101\n' });
  await firstBoot.prepare?.(own.root);
  expect(own.changes).toEqual({ '/.dockerenv': undefined });
  const { root, changes } = fakeRoot({ '/usr/sbin/policy-rc.d': POLICY });
  await firstBoot.prepare?.(root);
  expect(changes).toEqual({});
  expect(forbidsAll('#!/bin/sh\nexit 0\n')).toBe(false);
});

test('OpenRC is told that it is in no container', () => {
  expect(rcConfOfMachine('#rc_sys="lxc"\nrc_sys="docker"\nrc_parallel="YES"\n')).toBe(
    '#rc_sys="lxc"\n# VIVER: rc_sys="docker"\nrc_parallel="YES"\n',
  );
  expect(rcConfOfMachine('rc_sys=""\nrc_sys="xen0"\n')).toBeUndefined();
});

test('cloud-init does not wait for a cloud unless the command line asks for one', async () => {
  const image = { '/usr/bin/cloud-init': '' };
  const { root, changes } = fakeRoot(image);
  await firstBoot.prepare?.(root);
  expect(Object.keys(changes)).toEqual(['/etc/cloud/cloud-init.disabled']);
  for (const words of ['cloud-init=enabled', 'quiet ds=nocloud', 'ci.datasource.x=y'])
    expect(asksForCloud(words), words).toBe(true);
  for (const words of ['', 'cloud-init=disabled', 'foods=x', 'ds=']) expect(asksForCloud(words), words).toBe(false);
  const asked = fakeRoot(image, { machine: { ...root.machine, commandLine: 'ds=nocloud' } });
  await firstBoot.prepare?.(asked.root);
  expect(asked.changes).toEqual({});
});

test('wizards are masked, hidden and switched off', async () => {
  const { root, changes } = fakeRoot({
    '/usr/lib/systemd/system/systemd-firstboot.service': '',
    '/usr/lib/systemd/system/userconfig.service': '',
    '/etc/xdg/autostart/piwiz.desktop': '[Desktop Entry]\nExec=piwiz\n',
    '/etc/gdm3/daemon.conf': '[daemon]\nInitialSetupEnable=true\nAutomaticLoginEnable=false\n',
  });
  await firstBoot.prepare?.(root);
  expect(changes).toEqual({
    '/run/systemd/system.control/systemd-firstboot.service': '→ /dev/null',
    '/run/systemd/system.control/userconfig.service': '→ /dev/null',
    '/etc/xdg/autostart/piwiz.desktop': expect.stringContaining('Hidden=true'),
    '/etc/gdm3/daemon.conf': '[daemon]\nInitialSetupEnable=false\nAutomaticLoginEnable=false\n',
  });
  for (const text of ['', '[security]\n', '[daemon]\n#InitialSetupEnable=false\n'])
    expect(gdmWithoutWizard(text)).toMatch(/^\[daemon\]\nInitialSetupEnable=false$/m);
  const done = gdmWithoutWizard('[daemon]\n');
  expect(gdmWithoutWizard(done)).toBe(done);
});
