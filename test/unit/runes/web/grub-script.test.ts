import { execFileSync } from 'node:child_process';
import { assert, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { type BootPlan, grubOf } from '../../../../src/runes/web/boot-plan.ts';
import { initrdFrom } from '../../../../src/runes/web/first-stage.ts';
import { grubConfig, macOfGrubPath } from '../../../../src/runes/web/grub-script.ts';

const sha256 = '0123456789abcdef'.repeat(4);
const mac = '52:54:00:00:00:07';
const initrd = initrdFrom({ sha256, sizeBytes: 56_000_000 }, ['http://10.86.0.9:20080', 'http://10.86.0.10:20080']);
const boot: BootPlan = {
  kind: 'boot',
  owner: undefined,
  script: {
    base: 'http://10.86.0.9:20080',
    image: { name: 'debian', id: sha256 },
    others: [],
    peers: ['10.86.0.9'],
    words: ['console=ttyS0,115200', 'viver.role=class'],
    hasMemtest: false,
  },
};

/** GRUB's own parser says whether it is a script. */
function isScript(text: string): string {
  execFileSync('grub-script-check', { input: text });
  return text;
}

test('GRUB starts what the server says of this MAC, and asks until it does', () => {
  const text = isScript(grubConfig());
  expect(text).toContain('source /grub/mac/$' + 'net_default_mac');
  expect(text).toContain('while true; do');
});

test('kernel and first stage, with the sum of the initrd, who has it, and the words that iPXE would give', () => {
  const text = isScript(grubOf(boot, mac, initrd));
  expect(text).toContain(
    `linux /vmlinuz viver.image=debian@sha256:${sha256} viver.media=net viver.peer=10.86.0.9 BOOTIF=01-52-54-00-00-00-07 ` +
      `console=ttyS0,115200 viver.role=class viver.first=${sha256}/56000000@10.86.0.9:20080,10.86.0.10:20080; then`,
  );
  expect(text).toContain('initrd /first-stage.zst');
  const many = Array.from({ length: 9 }, (_, i) => `http://10.86.1.${i}:20080`);
  expect(grubOf(boot, mac, initrdFrom(initrd, many))).toContain(
    '@10.86.1.0:20080,10.86.1.1:20080,10.86.1.2:20080,10.86.1.3:20080;',
  );
});

test('who does not boot here goes on with the next entry, who has to wait asks again; roles count as for iPXE', () => {
  const plans: readonly (readonly [BootPlan, RegExp])[] = [
    [{ kind: 'keyed' }, /share their image by a key.*\nsleep 3\nexit\n/],
    [{ kind: 'unavailable', why: 'no viverrd.zst in the image' }, /no viverrd.zst in the image; asking again/],
    [{ kind: 'not-here', role: 'strangers', owner: undefined }, /its role is strangers.*\nsleep 3\nexit/],
    [{ kind: 'no-image', role: 'class', image: 'exam', owner: undefined }, /wants the image exam.*\nsleep 10\n$/],
    [boot, /the server is not ready; asking again/],
  ];
  for (const [plan, wanted] of plans) expect(isScript(grubOf(plan, mac))).toMatch(wanted);
  const script = {
    ...boot.script,
    others: [{ name: 'exam', id: sha256, peers: [], directory: 'http://x', isFirst: true }],
  };
  expect(grubOf({ ...boot, script }, mac, initrd)).toMatch(/wants the image exam.*\nsleep 3\nexit/);
});

test("another cluster's machine asks that one's server first", () => {
  const text = isScript(grubOf({ ...boot, owner: '10.86.1.1' }, mac, initrd));
  expect(text).toContain('source (tftp,10.86.1.1)/grub/mac/$' + 'net_default_mac');
});

test('a word that GRUB could take for something else is refused', () => {
  const words = ['a;halt'];
  expect(() => grubOf({ ...boot, script: { ...boot.script, words } }, mac, initrd)).toThrow('cannot be a word');
});

test('only the file of a MAC is asked for', () => {
  expect(macOfGrubPath(`/run/viver/tftp/grub/mac/${mac}`)).toBe(mac);
  for (const path of [`/grub/mac/${mac}/x`, '/grub/mac/', `/grub/mac/../${mac}`, '/grub/x86_64-efi/command.lst'])
    expect(macOfGrubPath(path)).toBeUndefined();
  assert(property(string(), (path) => macOfGrubPath(path) === undefined));
});
