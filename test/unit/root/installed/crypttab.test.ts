import { expect, test } from 'vitest';
import { crypttabFor } from '../../../../src/root/installed/crypttab.ts';

test('disks are neither opened nor erased; what a person opens, and what is a file of the image, stays', () => {
  const before = `# name device key options
home UUID=1-2 none luks,discard
swap /dev/sda5 /dev/urandom swap,cipher=aes-xts-plain64
\tlater  LABEL=x none luks,nofail
safe\tUUID=3\tnone\tluks,noauto
box /srv/box.luks /etc/keys/box luks
gone /srv/gone.luks none luks
verity /dev/a /dev/b abcd noauto
`;
  const { text, dropped } = crypttabFor(before, (path) => path === '/srv/box.luks');
  expect(dropped).toEqual(['home of UUID=1-2', 'swap of /dev/sda5', 'later of LABEL=x', 'gone of /srv/gone.luks']);
  expect(text.split('\n').filter((row) => row !== '' && !row.startsWith('#'))).toEqual([
    'safe\tUUID=3\tnone\tluks,noauto',
    'box /srv/box.luks /etc/keys/box luks',
    'verity /dev/a /dev/b abcd noauto',
  ]);
  expect(crypttabFor(text, () => false).dropped).toEqual(['box of /srv/box.luks']);
});
