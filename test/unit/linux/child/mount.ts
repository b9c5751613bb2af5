import { mkdirSync, mkdtempSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bindMount, MNT, MS, mount, moveMount, readMounts, umount } from '../../../../src/linux/mount.ts';

const directory = mkdtempSync(join(tmpdir(), 'viver mount-'));
const [a, b, c] = ['a', 'b', 'c'].map((name) => join(directory, name)) as [string, string, string];
for (const path of [a, b, c]) mkdirSync(path);
const targets = () =>
  readMounts().flatMap(({ target, type }) => (target.startsWith(directory) ? [[target.slice(-1), type]] : []));
const steps: Record<string, unknown> = {};

mount({ source: 'some source', target: a, type: 'tmpfs', flags: MS.NOSUID | MS.NODEV, data: 'size=1m,mode=700' });
steps.entry = readMounts().find(({ target }) => target === a);
bindMount(a, b);
mount({ source: 'none', target: b, flags: MS.REMOUNT | MS.BIND | MS.RDONLY });
steps.bound = targets();
try {
  writeFileSync(join(b, 'file'), '');
} catch (error) {
  steps.readOnly = (error as NodeJS.ErrnoException).code;
}
moveMount(a, c);
steps.moved = targets();
umount(b);
umount(c, MNT.DETACH);
steps.gone = targets();
try {
  umount(a);
} catch (error) {
  steps.error = { ...(error as object), message: (error as Error).message.replace(directory, '') };
}
for (const path of [a, b, c, directory]) rmdirSync(path);
process.stdout.write(JSON.stringify(steps));
