import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { hostKeyPaths, hostKeysScript } from '../../../../src/root/installed/host-keys.ts';
import hostKeys from '../../../../src/runes/plugins/host-keys.ts';
import { fakeRoot } from '../fake-root.ts';

const KEY = '/etc/ssh/ssh_host_ed25519_key';
const IMAGE = { '/usr/sbin/sshd': '', [KEY]: 'secret', [`${KEY}.pub`]: 'public', '/etc/ssh/ssh_config': '' };
const PROGRAM = '/usr/local/lib/viver/host-keys';

test('HostKey lines are found as sshd reads them', () => {
  const config = `# HostKey /no
HostKey /a
  hostkey "/b"
HOSTKEY=/c
HostKey\t/d # comment
HostKeyAlgorithms ssh-ed25519
HostKeyAgent /sock
`;
  expect(hostKeyPaths(config)).toEqual(['/a', '/b', '/c', '/d']);
});

test("the image's keys are removed, those of a machine that keeps its writes stay", async () => {
  const { root, changes } = fakeRoot(IMAGE);
  await hostKeys.prepare?.(root);
  expect(changes).toMatchObject({ [KEY]: undefined, [`${KEY}.pub`]: undefined });
  expect(Object.keys(changes)).toContain(KEY);
  const kept = fakeRoot(IMAGE, { kept: { [KEY]: 'mine', [`${KEY}.pub`]: 'mine' } });
  await hostKeys.prepare?.(kept.root);
  expect(Object.keys(kept.changes)).not.toContain(KEY);
});

test('without an SSH server nothing is written', async () => {
  const { root, changes } = fakeRoot({ '/etc/ssh/ssh_config': '' });
  await hostKeys.prepare?.(root);
  expect(changes).toEqual({});
});

test('each init system makes them before it starts the server', async () => {
  const systemd = fakeRoot(IMAGE);
  await hostKeys.prepare?.(systemd.root);
  expect(systemd.changes).toMatchObject({
    '/run/systemd/system/viver-host-keys.service': expect.stringContaining(`ExecStart=/bin/sh ${PROGRAM}\n`),
    '/run/systemd/system/ssh.service.d/viver-host-keys.conf': expect.stringContaining('After=viver-host-keys.service'),
    '/run/systemd/system/sshd@.service.d/viver-host-keys.conf': expect.stringContaining('Wants='),
  });
  const sysvinit = fakeRoot(
    { ...IMAGE, '/etc/inittab': 'id:2:initdefault:\nsi::sysinit:/etc/init.d/rcS\nl2:2:wait:/etc/init.d/rc 2\n' },
    { init: 'sysvinit' },
  );
  await hostKeys.prepare?.(sysvinit.root);
  expect(sysvinit.changes['/etc/inittab']).toBe(
    `id:2:initdefault:\nsi::sysinit:/etc/init.d/rcS\nVK:2345:wait:${PROGRAM}\nl2:2:wait:/etc/init.d/rc 2\n`,
  );
  const busybox = fakeRoot({ ...IMAGE, '/etc/inittab': '::sysinit:/a\n::respawn:/b\n' }, { init: 'busybox' });
  await hostKeys.prepare?.(busybox.root);
  expect(busybox.changes['/etc/inittab']).toBe(`::sysinit:/a\n::sysinit:${PROGRAM}\n::respawn:/b\n`);
  const openrc = fakeRoot(IMAGE, { init: 'openrc' });
  await hostKeys.prepare?.(openrc.root);
  expect(openrc.changes['/etc/init.d/viver-host-keys']).toContain('before ssh sshd dropbear');
  expect(openrc.changes['/etc/runlevels/default/viver-host-keys']).toBe('→ /etc/init.d/viver-host-keys');
  const runit = fakeRoot({ ...IMAGE, '/etc/runit/1': '#!/bin/sh\n# stage 1\n' }, { init: 'runit' });
  await hostKeys.prepare?.(runit.root);
  expect(runit.changes['/etc/runit/1']).toBe(`#!/bin/sh\n# stage 1\n[ ! -x ${PROGRAM} ] || ${PROGRAM}\n`);
});

test('the script is one for sh, whatever paths it is given', () => {
  const script = hostKeysScript({ ssh: ["/etc/it's/ssh_host_rsa_key"], dropbear: '/etc/dropbear', tinyssh: '/etc/t' });
  expect(() => execFileSync('sh', ['-n'], { input: script })).not.toThrow();
  expect(script).toContain(`-t rsa -f '/etc/it'\\''s/ssh_host_rsa_key'`);
});
