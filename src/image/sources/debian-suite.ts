import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { hasCode } from '../../linux/errno.ts';

/** A system that boots and can be used: the kernel that fits every machine, udev, and what a person needs at a prompt. */
const PACKAGES = [...['systemd-sysv', 'dbus', 'udev', 'iproute2', 'kmod', 'procps', 'less', 'nano-tiny', 'e2fsprogs']];
/** Debian's names of what process.arch says. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/**
 * In the tree at "$1", when all packages are in. root has no password, on the consoles only: nothing listens on the
 * network. No initrd is made, as this system's is VIVER's.
 */
const HOOKS = {
  essential:
    'mkdir -p "$1/etc/initramfs-tools" && echo update_initramfs=no > "$1/etc/initramfs-tools/update-initramfs.conf"',
  customize: [
    'chroot "$1" passwd -d root > /dev/null',
    'echo viver > "$1/etc/hostname"',
    'rm -f "$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap" "$1/etc/resolv.conf" "$1"/boot/initrd.img*; : > "$1/etc/machine-id"',
  ],
};

/** mmdebstrap(1)'s words; the mirror is this machine's own where it is a Debian, else mmdebstrap's. */
export function mmdebstrapArguments(suite: string): string[] {
  return [
    '--variant=minbase',
    '--quiet',
    `--include=${PACKAGES.join(',')},linux-image-${ARCHITECTURES[process.arch] ?? process.arch}`,
    '--dpkgopt=force-confold',
    `--essential-hook=${HOOKS.essential}`,
    ...HOOKS.customize.map((hook) => `--customize-hook=${hook}`),
    '--format=tar',
    suite,
    '-',
  ];
}

/** The tar of a small Debian, as mmdebstrap makes it; no root is needed where user namespaces are there. */
export async function* debianSuite(suite: string, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
  const child = spawn('mmdebstrap', mmdebstrapArguments(suite), { stdio: ['ignore', 'pipe', 'pipe'], signal });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-4000);
  });
  const ended = once(child, 'close').then(
    ([code]: unknown[]) => code,
    (cause: unknown) => {
      throw hasCode(cause, 'ENOENT')
        ? new Error(`debian:${suite} is put together by mmdebstrap, which is not installed: apt install mmdebstrap`)
        : cause;
    },
  );
  ended.catch(() => undefined); // told below
  let isDone = false;
  try {
    // When it fails there is no tar, or half of one: what it said of that is told before anybody reads on.
    yield* child.stdout;
    const code = await ended;
    isDone = true;
    if (code !== 0) throw new Error(`mmdebstrap of ${suite} failed: ${reasonIn(words)}`);
  } finally {
    // By a signal that it can act on: it has mounts and a tree to take away.
    if (!isDone) child.kill('SIGTERM');
  }
}

/** The first line that says an error, else the last. */
function reasonIn(words: string): string {
  const lines = words.split('\n').filter((line) => line.trim() !== '');
  return lines.find((line) => /^E: /.test(line)) ?? lines.at(-1) ?? 'without a word';
}
