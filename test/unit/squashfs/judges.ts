import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describeTree } from './describe-tree.ts';

/** What the kernel makes of an image, mounted on the new directory `place` in a namespace of its own. */
export function mounted(image: string, place: string): Record<string, unknown> {
  const program = join(import.meta.dirname, 'describe-tree.ts');
  const script = 'mkdir "$2" && mount -o loop,ro "$1" "$2" && exec "$3" "$4" "$2"';
  const args = ['--mount', 'sh', '-ec', script, 'sh', image, place, process.execPath, program];
  return JSON.parse(execFileSync('unshare', args, { encoding: 'utf8', maxBuffer: 2 ** 30 }));
}

/** What unsquashfs makes of an image, in the new directory `place`. */
export function unpacked(image: string, place: string): Record<string, unknown> {
  execFileSync('unsquashfs', ['-q', '-n', '-d', place, image], { stdio: 'pipe' });
  return describeTree(place);
}
