import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { setXattr } from '../../../../src/linux/xattr.ts';
import { noise } from '../images.ts';

/** Makes a tree with every kind of file, names that are no text, attributes, holes, and links. Needs root for devices. */
export function makeOddTree(root: string): void {
  const at = (name: string): string => `${root}/${name}`;
  mkdirSync(at('sub/deep'), { recursive: true });
  mkdirSync(at('empty'));
  chmodSync(at('empty'), 0o1777);
  writeFileSync(at('text'), 'hello\n');
  writeFileSync(at('sub/noise'), noise(300_000));
  writeFileSync(at('sub/nothing'), '');
  writeFileSync(at('program'), '#!/bin/sh\n');
  chmodSync(at('program'), 0o6755);
  linkSync(at('text'), at('sub/text-again'));
  linkSync(at('text'), at('z-text-again'));
  symlinkSync('text', at('link'));
  symlinkSync('/nowhere/at all', at('sub/dangling'));
  writeFileSync(Buffer.concat([Buffer.from(at('odd-')), Buffer.from([0xff, 0xfe, 0x0a, 0x09])]), 'odd');
  writeFileSync(at('sub/ blank\\back"quote'), 'x');
  writeFileSync(at(`sub/${'long'.repeat(60)}`), 'long name');
  mkdirSync(at(`sub/${'d'.repeat(120)}/${'e'.repeat(120)}`), { recursive: true });
  writeFileSync(at(`sub/${'d'.repeat(120)}/${'e'.repeat(120)}/deep`), 'deep');
  symlinkSync('t'.repeat(300), at('long-link'));
  const holes = openSync(at('sub/holes'), 'w');
  for (let i = 0; i < 40; i++) writeSync(holes, noise(5000, i + 1), 0, 5000, (2 * i + 1) * 131_072);
  ftruncateSync(holes, 20_000_000);
  closeSync(holes);
  const allHole = openSync(at('sub/all-hole'), 'w');
  ftruncateSync(allHole, 3_000_000);
  closeSync(allHole);
  execFileSync('mkfifo', [at('fifo')]);
  execFileSync('mknod', [at('null'), 'c', '1', '3']);
  execFileSync('mknod', [at('disk'), 'b', '259', '70000']);
  execFileSync('chown', ['-h', '1234:56', at('text'), at('link')]);
  execFileSync('chown', ['3000000000:4000000000', at('sub/nothing')]);
  execFileSync('setcap', ['cap_net_raw+ep', at('sub/noise')]);
  setXattr(at('text'), 'user.comment', Buffer.from('a\0b\n=\xff', 'latin1'));
  setXattr(at('sub'), 'user.of a directory', Buffer.from('yes'));
  setXattr(at('link'), 'trusted.of-a-link', Buffer.from('link'));
  lutimesSync(at('program'), 1_000_000_000.5, 1_000_000_000.75);
  lutimesSync(at('sub/dangling'), 5, 86_400);
  lutimesSync(at('empty'), -100, -100);
}
