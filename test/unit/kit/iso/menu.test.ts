import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { findMediumMenu, grubMenu, LOOPBACK_MENU } from '../../../../src/kit/iso/menu.ts';

const image = (name: string) => ({ name, kernel: `/boot/${name}/vmlinuz`, initrd: `/boot/${name}/viverrd.zst` });
/** GRUB's own judgement of a configuration file. */
const check = (text: string) => execFileSync('grub-script-check', [], { input: text, stdio: ['pipe', 'pipe', 'pipe'] });

test('GRUB takes every menu', () => {
  check(LOOPBACK_MENU);
  check(findMediumMenu('0123456789abcdef'));
  const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._+~-]{0,30}$/);
  const names = fc.uniqueArray(name, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(names, (list) => void check(grubMenu(list.map(image)))),
    { numRuns: 20 },
  );
});

test('one image: four ways to boot it, none of which names it', () => {
  const menu = grubMenu([image('debian')]);
  expect(menu.match(/^menuentry '.*'/gm)).toEqual([
    "menuentry 'VIVER'",
    "menuentry 'VIVER, changes kept on this medium'",
    "menuentry 'VIVER, image copied to RAM (the medium can be taken out)'",
    "menuentry 'VIVER, rescue prompt'",
  ]);
  expect(menu).toContain('set timeout=1\n');
  expect(menu).not.toContain('viver.image=');
  // A kept system that cannot be used is for a person to see to: no reboot.
  expect(menu).toMatch(/linux \S+ console=ttyS0,115200 console=tty0 viver\.cow=keep "\$iso_word"/);
});

test('several images: each is an entry that boots it and no other, with time to choose', () => {
  const menu = grubMenu([image('school'), image('lab')]);
  expect(menu).toContain('set timeout=10\n');
  expect(menu.match(/^menuentry '.*'/gm)).toEqual(["menuentry 'VIVER: school'", "menuentry 'VIVER: lab'"]);
  expect(menu.match(/^submenu '.*'/gm)).toEqual(["submenu 'school: other ways'", "submenu 'lab: other ways'"]);
  for (const line of menu.match(/^ *linux .*$/gm) ?? []) {
    const [, name] = /linux \/boot\/(\w+)\/vmlinuz/.exec(line) ?? [];
    expect(line).toContain(` viver.image=${name} `);
  }
});
