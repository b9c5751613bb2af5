import { expect, test } from 'vitest';
import identity from '../../../../src/runes/plugins/identity.ts';
import { fakeRoot } from '../fake-root.ts';

const ID = 'a'.repeat(31).concat('b');

test('seeds, leases and host ids of the image are removed, and initiators get names of their own', async () => {
  const image = {
    '/etc/machine-id': ID,
    '/etc/hostid': 'xxxx',
    '/etc/hostname': 'x',
    '/etc/iscsi/initiatorname.iscsi': 'InitiatorName=iqn.2004-10.com.ubuntu:01:abc\n',
    '/etc/nvme/hostid': 'x',
    '/var/lib/systemd/random-seed': 'seed',
    '/var/lib/urandom/random-seed': 'seed',
    '/var/lib/dhcp/dhclient.eth0.leases': 'lease',
    '/var/lib/NetworkManager/secret_key': 'key',
    '/var/lib/NetworkManager/NetworkManager.state': 'state',
  };
  const { root, changes } = fakeRoot(image);
  await identity.prepare?.(root);
  expect(Object.entries(changes).filter(([, text]) => text === undefined)).toHaveLength(5);
  expect(changes).toMatchObject({
    '/etc/iscsi/initiatorname.iscsi': expect.stringMatching(
      /^InitiatorName=iqn\.2004-10\.com\.ubuntu:01:[0-9a-f]{12}$/m,
    ),
    '/etc/nvme/hostid': expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f-]{27}\n$/),
  });
  expect(Object.keys(changes)).not.toContain('/var/lib/NetworkManager/NetworkManager.state');
});

test('what a machine wrote itself stays', async () => {
  const kept = { '/var/lib/systemd/random-seed': 'own', '/etc/hostid': 'own' };
  const { root, changes } = fakeRoot({ '/var/lib/systemd/random-seed': 'seed', '/etc/machine-id': ID }, { kept });
  await identity.prepare?.(root);
  expect(changes).toEqual({});
});
