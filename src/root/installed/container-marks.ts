/**
 * What a container's file system has in it after `docker export` or its like. systemd and OpenRC read these and take the
 * machine for a container: then they mount no /dev, start no udev and no getty.
 */
export const CONTAINER_MARKS = ['/.dockerenv', '/.dockerinit', '/.containerenv', '/etc/.pve-ignore.hosts'];

/** Of Debian's images for containers: no service may be started by a package, and runit starts none at all. */
export const POLICY = '/usr/sbin/policy-rc.d';

/** Whether a policy-rc.d forbids everything, as the one that is put into containers does. */
export const forbidsAll = (text: string): boolean =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .every((line) => /^exit 101$/.test(line));

export const RC_CONF = '/etc/rc.conf';

/** OpenRC's rc.conf without the word that it runs in a container; undefined when it does not say so. */
export function rcConfOfMachine(before: string): string | undefined {
  const word = /^(\s*rc_sys\s*=\s*["']?(?:docker|podman|lxc|openvz|vserver|systemd-nspawn|rkt|jail|uml)["']?)/gm;
  return word.test(before) ? before.replace(word, '# VIVER: $1') : undefined;
}
