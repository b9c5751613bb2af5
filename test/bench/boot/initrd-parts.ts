import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface InitrdPart {
  readonly part: string;
  readonly files: number;
  readonly bytes: number;
  /** This part alone, packed as the whole is; the parts' sum is a little more than the whole. */
  readonly packedBytes: number;
}

/** Which part of the initrd a file belongs to; modules by the folders below kernel/. */
export function partOf(path: string): string {
  if (path === 'init') return 'node';
  const module = /^lib\/modules\/[^/]+\/kernel\/(.*)$/.exec(path)?.[1];
  if (module !== undefined) {
    const depth = module.startsWith('drivers/net/') || module.startsWith('drivers/usb/') ? 3 : 2;
    return `modules: ${module.split('/').slice(0, -1).slice(0, depth).join('/')}`;
  }
  if (path.startsWith('lib/modules/')) return 'module tables';
  if (path.startsWith('lib/firmware/')) return 'firmware';
  if (path.startsWith('bin/busybox')) return 'busybox';
  if (/\.so(\.|$)/.test(path)) return 'libraries';
  return 'rest';
}

/** What viverrd.zst is made of, the largest part first. */
export function initrdParts(tree: string, packed: string): { packedBytes: number; parts: readonly InitrdPart[] } {
  const files = readdirSync(tree, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(tree.length + 1));
  const parts = [...Map.groupBy(files, partOf)].map(([part, paths]): InitrdPart => {
    const pack = 'cd "$1" && tr "\\n" "\\0" | tar --null -cf - -T - | zstd -q -19 -T0 | wc -c';
    const size = execFileSync('sh', ['-c', pack, 'sh', tree], { input: `${paths.join('\n')}\n`, encoding: 'utf8' });
    const bytes = paths.reduce((sum, path) => sum + statSync(join(tree, path)).size, 0);
    return { part, files: paths.length, bytes, packedBytes: Number(size) };
  });
  return { packedBytes: statSync(packed).size, parts: parts.sort((a, b) => b.packedBytes - a.packedBytes) };
}
