import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fstabFor } from '../../../../src/runes/plugins/fstab.ts';

test("what lay on another machine's disks becomes a comment, the rest stays", () => {
  const before = `# /etc/fstab
UUID=1-2 / ext4 defaults 0 1
UUID=3-4 /boot/efi vfat umask=0077 0 1
/dev/sda3 none swap sw 0 0
LABEL=data /srv ext4 defaults 0 2
LABEL=stick /media/stick vfat noauto,user 0 0
tmpfs /tmp tmpfs size=1G 0 0
10.0.0.1:/home /home nfs defaults 0 0
/srv/a /srv/b none bind 0 0
`;
  const { text, dropped } = fstabFor(before);
  expect(dropped).toEqual(['UUID=1-2 on /', 'UUID=3-4 on /boot/efi', '/dev/sda3 on none', 'LABEL=data on /srv']);
  expect(text.split('\n').filter((row) => row !== '' && !row.startsWith('#'))).toEqual([
    'LABEL=stick /media/stick vfat noauto,user 0 0',
    'tmpfs /tmp tmpfs size=1G 0 0',
    '10.0.0.1:/home /home nfs defaults 0 0',
    '/srv/a /srv/b none bind 0 0',
  ]);
});

test('twice is once: a disk that keeps what was written has it already', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('UUID=1 / ext4 x 0 0', '#', 'tmpfs /tmp tmpfs', '', '/dev/a /b c d')),
      (rows) => {
        const once = fstabFor(rows.join('\n'));
        expect(fstabFor(once.text)).toEqual({ text: once.text, dropped: [] });
      },
    ),
  );
});
