/**
 * Run in namespaces of its own (mount, network): what /init does with what the shutdown of an earlier system left. Prints
 * what is there before and after.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mountPseudoFileSystems } from '../../../src/init/pseudo-file-systems.ts';
import { leaveLast, takeUp } from '../../../src/init/take-up.ts';
import { MNT, MS, mount, readMounts, umount } from '../../../src/linux/mount.ts';
import { askAgain } from '../../../src/root/again.ts';

const ip = (...words: string[]) => execFileSync('ip', words, { encoding: 'utf8' });

mount({ source: 'none', target: '/', flags: MS.REC | MS.SHARED });
// What this machine itself has there.
for (const { target } of readMounts().reverse()) if (target.startsWith('/run/')) umount(target, MNT.DETACH);
mount({ source: 'run', target: '/run', type: 'tmpfs' });
ip('link', 'add', 'card', 'type', 'veth', 'peer', 'name', 'other');
for (const name of ['card', 'other']) ip('link', 'set', name, 'up');
ip('address', 'add', '10.1.2.3/24', 'dev', 'card');
mkdirSync('/run/viver');
mkdirSync('/run/systemd/units', { recursive: true });
writeFileSync('/run/viver/healthy', '');

const first = leaveLast() ?? 'nothing is asked for';
askAgain({ server: '10.1.2.1', commandLine: 'viver.image=next viver.release=class@7' });
mkdirSync('/run/medium');
mount({ source: 'medium', target: '/run/medium', type: 'tmpfs' });
writeFileSync('/run/medium/file', '');
let kept: unknown;
try {
  leaveLast();
} catch (error) {
  kept = [String(error), readdirSync('/run/medium')];
}
umount('/run/medium');
const again = leaveLast();
mountPseudoFileSystems();
mkdirSync('/run/viver');
if (again !== undefined) takeUp(again);
console.log(
  JSON.stringify({
    first,
    kept,
    again,
    run: readdirSync('/run', { recursive: true }).sort(),
    commandLine: readFileSync('/proc/cmdline', 'utf8'),
    addresses: ip('-4', '-br', 'address', 'show', 'dev', 'card').trim(),
    link: ip('-br', 'link', 'show', 'dev', 'card').includes(',UP'),
    shared: readFileSync('/proc/self/mountinfo', 'utf8').includes('shared:'),
  }),
);
