/**
 * Makes build/viver: Node, stripped, with VIVER's bundle inside (a single executable application).
 * usage: node scripts/executable.ts OUT
 *
 * Every src/AREA/NAME-worker.ts is bundled on its own and becomes the asset `AREA/NAME-worker.js` (src/linux/worker.ts
 * starts it from there).
 */
import { execFileSync } from 'node:child_process';
import { globSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';

const root = join(import.meta.dirname, '..');
const out = process.argv[2];
if (out === undefined) throw new Error('usage: node scripts/executable.ts OUT');
const work = resolve(dirname(out), 'executable');

export async function bundle(entry: string, outfile: string, plugins: Plugin[]): Promise<void> {
  await build({
    entryPoints: [join(root, entry)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node26',
    legalComments: 'none',
    keepNames: true,
    // Only code that never runs in the executable asks for it (src/linux/worker.ts).
    logOverride: { 'empty-import-meta': 'silent' },
    // A source map would double the bundle; names are kept, so stack traces stay readable.
    minifySyntax: true,
    plugins,
  });
}

mkdirSync(work, { recursive: true });
const assets: Record<string, string> = {
  // The addon of npm's netlink, which src/linux/netlink-addon.ts loads from memory.
  'netlink.node': join(root, `node_modules/netlink/prebuilds/linux-${process.arch}/node.napi.node`),
};
await bundle('src/init/main.ts', join(work, 'viver.js'), []);
for (const file of globSync('kernel-config/*.config', { cwd: root }).sort()) assets[file] = join(root, file);
for (const file of globSync('src/*/*-worker.ts', { cwd: root }).sort()) {
  const key = file.replace(/^src\//, '').replace(/\.ts$/, '.js');
  assets[key] = join(work, key);
  await bundle(file, join(work, key), []);
}

const stripped = join(work, 'node');
execFileSync('strip', ['-o', stripped, process.execPath], { stdio: 'inherit' });
// Paths from the work folder: the executable holds the bundle's, and is not to differ from checkout to checkout.
const configuration = {
  main: 'viver.js',
  output: 'viver',
  executable: 'node',
  disableExperimentalSEAWarning: true,
  useCodeCache: true,
  assets,
};
writeFileSync(join(work, 'sea.json'), JSON.stringify(configuration, undefined, 2));
// The code cache saves a quarter of the start. Its bytes depend on V8's random seed: a fixed one gives the same bytes
// from the same sources, so that the initrd is reproducible.
execFileSync(process.execPath, ['--random-seed=1', '--build-sea', 'sea.json'], {
  cwd: work,
  stdio: ['ignore', 'ignore', 'inherit'],
});
renameSync(join(work, 'viver'), out);
