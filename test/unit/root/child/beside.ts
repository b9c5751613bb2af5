import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { bindMount, MS, mount, umount } from '../../../../src/linux/mount.ts';
import { mountBeside } from '../../../../src/root/beside.ts';

/** A union as a boot makes it, of a plain directory as the image, and an engine's overlay put on what lies beside. */
const folder = mkdtempSync(join(tmpdir(), 'viver-beside-'));
mount({ source: 'test', target: folder, type: 'tmpfs' });
const at = (...parts: string[]) => join(folder, ...parts);
const put = (path: string, text: string) => {
  mkdirSync(dirname(at('image', path)), { recursive: true });
  writeFileSync(at('image', path), text);
};
put('usr/bin/dockerd', '');
put('usr/bin/lxc-start', '');
put('var/lib/docker/network/files/local.db', 'database');
put('var/lib/docker/overlay2/aaa/diff/file', 'layer of the image');
put('var/lib/docker/overlay2/bbb/diff/file', 'of a container');
put('var/lib/docker/image/overlay2/layerdb/mounts/c1/mount-id', 'bbb');
mkdirSync(at('image/var/lib/docker/overlay2/l'));
symlinkSync('../aaa/diff', at('image/var/lib/docker/overlay2/l/AAA'));
chmodSync(at('image/var/lib/docker'), 0o710);

for (const name of ['lower', 'cow/upper', 'cow/work', 'root']) mkdirSync(at(name), { recursive: true });
bindMount(at('image'), at('lower'));
mount({ source: '', target: at('lower'), flags: MS.REMOUNT | MS.BIND | MS.RDONLY });
const cow = { kind: 'ram', mountpoint: at('cow'), upper: at('cow/upper'), work: at('cow/work'), note: '' };
mount({
  source: 'x',
  target: at('root'),
  type: 'overlay',
  data: `lowerdir=${at('lower')},upperdir=${cow.upper},workdir=${cow.work}`,
});

const { mounted } = mountBeside(at('root'), at('lower'), cow);
const docker = (...parts: string[]) => at('root/var/lib/docker', ...parts);
const read = (...parts: string[]) => readFileSync(docker(...parts), 'utf8');
const result = {
  mounted,
  database: read('network/files/local.db'),
  layer: read('overlay2/aaa/diff/file'),
  container: read('overlay2/bbb/diff/file'),
  link: readlinkSync(docker('overlay2/l/AAA')),
  mode: (statSync(docker()).mode & 0o777).toString(8),
};
writeFileSync(docker('overlay2/bbb/diff/file'), 'again');
const containerWritten = readFileSync(at('image/var/lib/docker/overlay2/bbb/diff/file'), 'utf8') === 'of a container';
for (const name of ['upper', 'work', 'merged']) mkdirSync(docker('overlay2/new', name), { recursive: true });
mount({
  source: 'overlay',
  target: docker('overlay2/new/merged'),
  type: 'overlay',
  data: `lowerdir=${docker('overlay2/l/AAA')},upperdir=${docker('overlay2/new/upper')},workdir=${docker('overlay2/new/work')}`,
});
writeFileSync(docker('overlay2/new/merged/file'), 'written');
const overlay = read('overlay2/new/upper/file');
umount(docker('overlay2/new/merged'));
writeFileSync(docker('network/files/local.db'), 'changed');
for (const path of [...mounted].reverse()) umount(at('root', path));
// the next boot of a machine that keeps its writes
const second = mountBeside(at('root'), at('lower'), cow);
console.log(
  JSON.stringify({
    ...result,
    containerWritten,
    overlay,
    second: { database: read('network/files/local.db'), mounted: second.mounted },
  }),
);
