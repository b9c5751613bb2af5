import { mkdirSync, readdirSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { mount } from '../../../../src/linux/mount.ts';
import { chroot, setHostname } from '../../../../src/linux/process.ts';

setHostname('viver-7');
mount({ source: 'none', target: tmpdir(), type: 'tmpfs' });
mkdirSync(`${tmpdir()}/inside`);
chroot(tmpdir());
process.chdir('/');
process.stdout.write(JSON.stringify({ hostname: hostname(), rootEntries: readdirSync('/') }));
