import { HOST_KEYS_PROGRAM, hostKeyPaths, hostKeysScript } from '../../root/installed/host-keys.ts';
import { runEarly } from '../early-program.ts';
import { definePlugin } from '../engine/plugin.ts';
import type { NewRoot } from '../new-root.ts';

const SSH = '/etc/ssh';
const DROPBEAR = '/etc/dropbear';
const TINYSSH = '/etc/tinyssh/sshkeydir';
const SERVICES = ['ssh', 'sshd', 'dropbear', 'tinysshd'];

const isInstalled = (root: NewRoot, ...names: readonly string[]) =>
  names.some((name) =>
    ['/usr/sbin', '/usr/bin', '/sbin', '/bin'].some((directory) => root.has(`${directory}/${name}`)),
  );

/** Deletes the image's own keys: every machine that runs the image has those. Tells whether there were any. */
function removeKeys(root: NewRoot, paths: readonly string[]): boolean {
  const own = paths.filter((path) => root.isOfImage(path));
  for (const path of own) root.remove(path);
  return own.length > 0;
}

const filesIn = (root: NewRoot, directory: string, name: RegExp) =>
  root
    .names(directory)
    .filter((one) => name.test(one))
    .map((one) => `${directory}/${one}`);

/** HostKey lines of all of sshd's configuration. */
function configuredKeys(root: NewRoot): readonly string[] {
  const files = [`${SSH}/sshd_config`, ...filesIn(root, `${SSH}/sshd_config.d`, /\.conf$/)];
  return [...new Set(files.flatMap((path) => hostKeyPaths(root.read(path) ?? '')))];
}

export default definePlugin({
  name: 'host-keys',
  summary: 'SSH host keys of this machine, made when it has none: those of the image are known to all who have it',
  prepare(root) {
    const ssh = isInstalled(root, 'sshd') ? configuredKeys(root) : undefined;
    const dropbear = isInstalled(root, 'dropbear', 'dropbearmulti') ? DROPBEAR : undefined;
    const tinyssh = isInstalled(root, 'tinysshd') ? TINYSSH : undefined;
    if (ssh === undefined && dropbear === undefined && tinyssh === undefined) return;
    const all = (path: string) => [path, `${path}.pub`, `${path}-cert.pub`];
    const removed = [
      removeKeys(root, [...filesIn(root, SSH, /^ssh_host_.*key(-cert)?(\.pub)?$/), ...(ssh ?? []).flatMap(all)]),
      removeKeys(root, filesIn(root, DROPBEAR, /^dropbear_.*_host_key(\.pub)?$/)),
      removeKeys(root, filesIn(root, TINYSSH, /./)),
    ].some(Boolean);
    if (root.names(TINYSSH).length === 0) root.remove(TINYSSH);
    root.write(HOST_KEYS_PROGRAM, hostKeysScript({ ssh, dropbear, tinyssh }), 0o755);
    const where = runEarly(root, {
      name: 'host-keys',
      description: 'host keys of this machine',
      path: HOST_KEYS_PROGRAM,
      before: SERVICES,
    });
    const what = removed ? "the image's host keys are not used" : 'host keys are made where there are none';
    root.note(`${what}: ${where ?? `run ${HOST_KEYS_PROGRAM} before an SSH server is started`}`);
  },
});
