import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { product } from '../vm/harness/products.ts';

/**
 * Ventoy unpacks the initrd by itself, looks into /init with BusyBox's grep for what it takes for other systems, edits it
 * with sed, and then runs it (its IMG/cpio/ventoy/ventoy_chain.sh and hook/debian/).
 */

const BUSYBOX = '/bin/busybox';
let folder: string;
let init: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'viver-ventoy-'));
  init = join(folder, 'init');
  copyFileSync(product('viver'), init);
});
afterAll(() => rmSync(folder, { recursive: true }));

const digestOf = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');

test.each([
  'PUPPYSFS|PUPPYFILE',
  'Minimal.*Linux.*Live',
  'stratodesk.com',
  '^mountroot$',
  '/start-udev$',
  'mount_handler',
])('/init is not taken for a system that %s tells', (pattern) => {
  expect(spawnSync(BUSYBOX, ['grep', '-E', '-q', '-m1', pattern, init]).status).toBe(1);
});

/** Three letters between others that are none: such bytes are in any large program. */
test('what is edited for Proxmox VE leaves /init as it is', () => {
  const before = digestOf(init);
  const edits = [
    '/\\/sys\\/block\\/hd\\*/i\\ /ventoy/busybox/sh /ventoy/hook/debian/pve-disk.sh',
    's#/sys/block/hd\\*#/sys/block/dm* /sys/block/hd*#',
    '/switch_root.*\\/mnt\\/.installer-mp/i\\ sh /ventoy/hook/debian/pve-wa.sh /mnt/.installer-mp/sbin/unconfigured.sh',
  ];
  for (const edit of edits) execFileSync(BUSYBOX, ['sed', edit, '-i', init]);
  expect(digestOf(init)).toBe(before);
});
