import { expect, test } from 'vitest';
import { isolated } from '../../linux/isolated.ts';

test('before the switch the new root is made this machine’s, and what runs after it is made to start', async () => {
  const found = (await isolated('runes/before-switch', ['--mount', '--uts'])) as Record<string, string> & {
    notes: string[];
    warnings: string[];
  };
  expect(found).toMatchObject({
    hostname: expect.stringMatching(/^debian-[0-9a-f]{6}$/),
    file: `${found.hostname}\n`,
    hosts: `127.0.0.1\tlocalhost\n127.0.1.1\t${found.hostname}\n`,
    fstab: expect.stringMatching(/^# VIVER: .*\n# VIVER: UUID=1 \/ ext4 defaults 0 1\n$/),
    interfaces: '# VIVER: auto eth0\n# VIVER: iface eth0 inet dhcp\n',
    motd: 'You are on medium\n',
    resolv: '/run/viver/resolv.conf',
    fixed: expect.stringMatching(/^\{"name":"tested","why":"host name debian-/),
    unit: true,
    wanted: '../viver-runes.service',
  });
  expect(found.warnings).toEqual(['plugin bad: no luck']);
  expect(found.notes).toEqual(
    expect.arrayContaining([
      `role tested: host name ${found.hostname} fits debian-*`,
      'plugin motd: motd',
      'plugin fstab: not mounted: UUID=1 on /',
      'runes: viver-runes.service under /run/systemd/system',
    ]),
  );
});
