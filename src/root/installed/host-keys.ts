/** Keys by which an SSH server proves who it is: made on each machine, by its own programs, before the server starts. */

/** In the root, for all init systems: /run may forbid to execute. */
export const HOST_KEYS_PROGRAM = '/usr/local/lib/viver/host-keys';

/** HostKey paths of sshd_config(5), in its order. Keywords know no case; arguments may be quoted. */
export function hostKeyPaths(config: string): readonly string[] {
  return [...config.matchAll(/^[ \t]*hostkey(?:[ \t]+|[ \t]*=[ \t]*)"?(\/[^\s"#]+)/gim)].flatMap(
    ([, path]) => path ?? [],
  );
}

const TYPES = ['ed25519', 'ecdsa', 'rsa'] as const;

export interface ServerKeys {
  /** Absolute paths that sshd's configuration names; empty: its own defaults. */
  readonly ssh: readonly string[] | undefined;
  /** Directory of dropbear's keys. */
  readonly dropbear: string | undefined;
  /** Directory of tinysshd's keys. */
  readonly tinyssh: string | undefined;
}

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** Makes what is missing. The quickest type first, should somebody be impatient. */
export function hostKeysScript({ ssh, dropbear, tinyssh }: ServerKeys): string {
  const lines = ['#!/bin/sh', '# VIVER: the host keys of this machine, where it has none yet.'];
  lines.push('PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'umask 077');
  if (ssh !== undefined) {
    lines.push('mkdir -p -m 755 /etc/ssh');
    for (const path of ssh) {
      const type = TYPES.find((one) => path.includes(one)) ?? 'ed25519';
      lines.push(`[ -s ${quoted(path)} ] || ssh-keygen -q -N '' -t ${type} -f ${quoted(path)} < /dev/null`);
    }
    if (ssh.length === 0) lines.push('ssh-keygen -A > /dev/null');
    lines.push('chmod 644 /etc/ssh/ssh_host_*_key.pub 2> /dev/null');
  }
  if (dropbear !== undefined) {
    lines.push(`mkdir -p ${dropbear}`);
    for (const type of TYPES) {
      const key = `${dropbear}/dropbear_${type}_host_key`;
      lines.push(`[ -s ${key} ] || dropbearkey -t ${type} -f ${key} > /dev/null 2>&1`);
    }
  }
  if (tinyssh !== undefined) lines.push(`[ -d ${tinyssh} ] || tinysshd-makekey ${tinyssh} > /dev/null`);
  lines.push('! command -v restorecon > /dev/null || restorecon -R /etc/ssh 2> /dev/null', 'exit 0');
  return `${lines.join('\n')}\n`;
}
