import { execFile } from 'node:child_process';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { made } from './disks.ts';
import { type Image, indexOf } from './images.ts';
import { CHECKOUT, product } from './products.ts';

const run = promisify(execFile);
const MOST_OUTPUT = { maxBuffer: 64 << 20 };

/**
 * What a variant is made from. debian, sysvinit: the systems make built, of this machine's own suite. A suite: a small
 * systemd system of that release from the same mirror, with the modules of VIVER's kernel in place of a kernel of its own.
 */
export type VariantBase = 'debian' | 'sysvinit' | { readonly suite: 'bookworm' | 'trixie' };

/** Done in this order: packages, files, shell. */
export interface Recipe {
  readonly base: VariantBase;
  /** Debian packages to install, without what they only recommend; `name-` removes one. */
  readonly packages?: readonly string[];
  /** Text by path. Of mode 0644; what begins with `#!` 0755. */
  readonly files?: Readonly<Record<string, string>>;
  /** Shell text that root runs in the tree; it ends at the first command that fails. */
  readonly shell?: string;
}

const SUITE_PACKAGES = 'systemd-sysv,dbus,udev,iproute2,kmod,procps,e2fsprogs';
/** As scripts/image-base.sh: no work in the first minutes of a system that a test looks at; root has no password. */
const SUITE_SHELL = `passwd -d root
systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service
rm -f /etc/machine-id /etc/resolv.conf; : > /etc/machine-id; echo viver > /etc/hostname
`;

/** This machine's apt sources, as scripts/image-base.sh finds them; another suite lies on the same mirror. */
async function aptSources(suite: string | undefined): Promise<{ readonly suite: string; readonly lines: string }> {
  const script = `. /etc/os-release && echo "$VERSION_CODENAME" && apt-get indextargets \\
    --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian'`;
  const [own = '', ...lines] = (await run('sh', ['-c', script])).stdout.trim().split('\n');
  if (lines.length === 0) throw new Error("this machine's apt sources name no Debian mirror (apt-get update?)");
  if (suite === undefined || suite === own) return { suite: own, lines: lines.join('\n') };
  const named = new RegExp(`(?<= )${own}(?=[ -])`);
  return { suite, lines: lines.map((line) => line.replace(named, suite)).join('\n') };
}

/** mmdebstrap, with the sources on its standard input. A failure carries the end of what it said. */
export async function mmdebstrap(suite: string | undefined, args: readonly string[], target: string, work: string) {
  const sources = await aptSources(suite);
  const list = join(work, 'sources.list');
  await writeFile(list, `${sources.lines}\n`);
  const all = [...args, '--format=tar', sources.suite, target, list];
  // tar-in sends a tar through a pipe: a tar that stopped reading at its end mark would kill the sender by SIGPIPE.
  const env = { ...process.env, TAR_OPTIONS: '--ignore-zeros' };
  await run('mmdebstrap', all, { ...MOST_OUTPUT, env }).catch((error: Error & { stderr?: string }) => {
    throw new Error(`mmdebstrap: ${error.stderr?.slice(-3000) ?? error.message}`, { cause: error });
  });
}

/** A hook that unpacks a tar made here into the tree: it works in a user namespace too, which sees no private files. */
const unpack = (tar: string) => `tar-in ${tar} /`;

/** Files of a recipe and a script as a tar, whose owner is root whoever runs the tests. */
async function tarOf(files: Readonly<Record<string, string>>, name: string, work: string): Promise<string> {
  const tree = join(work, name);
  await mkdir(tree);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(tree, path)), { recursive: true });
    await writeFile(join(tree, path), text, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
  }
  const tar = `${tree}.tar`;
  // Only the files: a directory in the tar would change the mode of the tree's own.
  const names = Object.keys(files).map((path) => `.${path}`);
  await run('tar', ['-C', tree, '--owner=0', '--group=0', '--no-recursion', '-cf', tar, ...names]);
  return tar;
}

const SCRIPT = '/recipe.sh';
const runScript = `chroot "$1" sh -eux ${SCRIPT} && rm "$1${SCRIPT}"`;

/** The system of a suite, before any recipe. */
function suiteTar(suite: string): Promise<string> {
  const modules = join(CHECKOUT, 'build/kernel/lib');
  const inputs = { description: [SUITE_PACKAGES, SUITE_SHELL], files: [product('kernel/version')] };
  return made(`${suite}.tar`, inputs, async (target, work) => {
    const kernel = join(work, 'modules.tar');
    const names = ['--transform=s|^|usr/lib/|', '-cf', kernel, 'modules'];
    await run('tar', ['-C', modules, '--owner=0', '--group=0', ...names]);
    const script = await tarOf({ [SCRIPT]: SUITE_SHELL }, 'script', work);
    const hooks = [unpack(kernel), unpack(script), runScript].map((hook) => `--customize-hook=${hook}`);
    const leaner = ['doc', 'man', 'locale'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`);
    const words = ['--variant=minbase', `--include=${SUITE_PACKAGES}`, '--skip=cleanup/reproducible', ...leaner];
    await mmdebstrap(suite, [...words, ...hooks], join(work, 'base.tar'), work);
    await rename(join(work, 'base.tar'), target);
  });
}

/**
 * The tree of a system that differs from a base by a small recipe, as a tar. Made once from its inputs, in about ten
 * seconds where the base is there; a suite's base takes a minute.
 */
export async function variantTar(name: string, recipe: Recipe): Promise<string> {
  const base = await baseTar(recipe);
  return made(`${name}.tar`, { description: recipe, files: [base] }, async (target, work) => {
    await makeTree(recipe, base, join(work, 'tree.tar'), work);
    await rename(join(work, 'tree.tar'), target);
  });
}

/**
 * The same as a disk image. The tree is not kept.
 * @param name of the image, and of the files under build/vm/made
 */
export async function variantImage(name: string, recipe: Recipe): Promise<Image> {
  const base = await baseTar(recipe);
  const sqfs = await made(`${name}.sqfs`, { description: recipe, files: [base] }, async (target, work) => {
    const tar = join(work, 'tree.tar');
    await makeTree(recipe, base, tar, work);
    // Made sooner counts for more than small.
    const squashfs = ['-comp', 'zstd', '-Xcompression-level', '1', '-b', '256K', '-quiet', '-no-progress'];
    const root = ['-root-mode', '0755', '-root-uid', '0', '-root-gid', '0'];
    await run('sh', ['-c', 'exec mksquashfs - "$@" < "$0"', tar, target, '-tar', ...squashfs, ...root]);
  });
  return indexOf(name, sqfs, name);
}

const baseTar = async ({ base }: Recipe): Promise<string> =>
  typeof base === 'string' ? product(`${base}.tar`) : await suiteTar(base.suite);

async function makeTree(recipe: Recipe, base: string, target: string, work: string): Promise<void> {
  const { packages = [], files = {}, shell = '' } = recipe;
  const suite = typeof recipe.base === 'string' ? undefined : recipe.base.suite;
  const own = await tarOf({ ...files, [SCRIPT]: shell }, 'files', work);
  const apt = `APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get --yes --no-install-recommends --allow-remove-essential \\
      -oDPkg::Chroot-Directory="$1" -oDPkg::Options::=--force-confold install ${packages.join(' ')}`;
  // mmdebstrap puts this machine's resolv.conf where the tree has none.
  const hooks = [...(packages.length > 0 ? [apt] : []), 'rm -f "$1/etc/resolv.conf"', unpack(own), runScript];
  const skipped = ['download', 'extract', 'prepare', 'essential', 'install', 'cleanup/reproducible', 'tar-in/mknod'];
  if (packages.length === 0) skipped.push('update', 'cleanup/apt');
  const words = ['--variant=custom', `--skip=${skipped.join(',')}`, `--setup-hook=${unpack(base)}`];
  await mmdebstrap(suite, [...words, ...hooks.map((hook) => `--customize-hook=${hook}`)], target, work);
}
