import { execFile } from 'node:child_process';
import { copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { made } from './disks.ts';
import { type Image, indexOf } from './images.ts';
import { product } from './products.ts';

const run = promisify(execFile);

/**
 * The default Debian, packed fast, so that an emulated processor packs it anew in a minute or two, with the kernel and
 * initrd that make built.
 * @param files more of them by their path, in place of what is there; of mode 0755
 */
export async function fastDebian(name: string, files: Readonly<Record<string, string>> = {}): Promise<Image> {
  const [tar, kernel, initrd] = [product('debian.tar'), product('vmlinuz'), product('viverrd.zst')];
  const inputs = { description: ['level 1', files], files: [tar, kernel, initrd] };
  const sqfs = await made(`${name}.sqfs`, inputs, async (target, work) => {
    const [tree, source, image] = [join(work, 'tree'), join(work, 'source.tar'), join(work, `${name}.sqfs`)];
    await copyFile(tar, source);
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(tree, path)), { recursive: true });
      await writeFile(join(tree, path), text, { mode: 0o755 });
      // What comes later in a tar counts.
      await run('tar', ['-C', tree, '--owner=0', '--group=0', '--no-recursion', '-rf', source, `.${path}`]);
    }
    const boot = ['--kernel', kernel, '--viverrd', initrd];
    await run(product('viver'), ['image', 'create', source, '-o', image, '--level', '1', ...boot]);
    await rm(source);
    await rename(image, target);
  });
  return indexOf(name, sqfs);
}
