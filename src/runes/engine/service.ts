import type { InitSystem } from '../../root/find-init.ts';
import type { NewRoot } from '../new-root.ts';

/** What makes an init system start `viver runes` and keep it running. */
export interface ServicePlan {
  readonly files: readonly { readonly path: string; readonly text: string; readonly mode?: number }[];
  readonly links: readonly { readonly path: string; readonly target: string }[];
  readonly note: string;
}

const COMMAND = '/usr/local/bin/viver runes';
const UNIT = 'viver-runes.service';

/**
 * It begins while the image's udev still sees to the hardware, long before there is a login: what takes longest, whether
 * a DHCP server answers, is mostly waiting. So it has no default dependencies (systemd.service(5)), which would let it
 * wait for basic.target. KillMode=mixed: the command stops its plugins in order, and systemd kills what is left.
 */
const UNIT_TEXT = `[Unit]
Description=VIVER: the plugins of this machine's role (RUNES)
DefaultDependencies=no
Conflicts=shutdown.target
After=local-fs.target systemd-tmpfiles-setup.service systemd-sysusers.service systemd-udev-trigger.service
After=NetworkManager.service connman.service
Before=network.target shutdown.target

[Service]
ExecStart=${COMMAND}
Restart=always
RestartSec=2
KillMode=mixed
TimeoutStopSec=40
OOMScoreAdjust=-900

[Install]
WantedBy=multi-user.target
`;

const OPENRC_SCRIPT = `#!/sbin/openrc-run
description="VIVER: the plugins of this machine's role (RUNES)"
supervisor=supervise-daemon
command=${COMMAND.split(' ')[0]}
command_args="${COMMAND.split(' ')[1]} --kmsg"
`;

/** A line more in inittab, unless it is there from an earlier boot of the same upper layer. */
function inittabWith(line: string, before: string): string {
  if (before.split('\n').includes(line)) return before;
  return `${before.replace(/\n*$/, '\n')}${line}\n`;
}

/** Pure but for what it reads of the new root. */
export function planService(init: InitSystem, root: Pick<NewRoot, 'read' | 'has'>): ServicePlan {
  const inittab = root.read('/etc/inittab');
  switch (init) {
    case 'systemd':
      return {
        files: [{ path: `/run/systemd/system/${UNIT}`, text: UNIT_TEXT }],
        links: [{ path: `/run/systemd/system/multi-user.target.wants/${UNIT}`, target: `../${UNIT}` }],
        note: `${UNIT} under /run/systemd/system`,
      };
    case 'sysvinit':
      if (inittab === undefined) break;
      return {
        files: [{ path: '/etc/inittab', text: inittabWith(`VI:2345:respawn:${COMMAND} --kmsg`, inittab) }],
        links: [],
        note: 'a line in /etc/inittab',
      };
    case 'busybox':
      // without an inittab BusyBox has lines of its own, which a file with ours alone would take away
      if (inittab === undefined) break;
      return {
        files: [{ path: '/etc/inittab', text: inittabWith(`::respawn:${COMMAND} --kmsg`, inittab) }],
        links: [],
        note: 'a line in /etc/inittab',
      };
    case 'openrc':
      return {
        files: [{ path: '/etc/init.d/viver-runes', text: OPENRC_SCRIPT, mode: 0o755 }],
        links: [{ path: '/etc/runlevels/default/viver-runes', target: '/etc/init.d/viver-runes' }],
        note: 'an OpenRC service',
      };
    case 'runit': {
      // Void's /var/service and Debian's /etc/service are links that lead to the current run level only once that runs.
      const directory = ['/etc/runit/runsvdir/default', '/etc/service', '/service'].find((path) => root.has(path));
      if (directory === undefined) break;
      return {
        files: [{ path: `${directory}/viver-runes/run`, text: `#!/bin/sh\nexec ${COMMAND} 2>&1\n`, mode: 0o755 }],
        links: [],
        note: `a service in ${directory}`,
      };
    }
    case 'unknown':
      break;
  }
  return {
    files: [],
    links: [],
    note: `no place where this ${init === 'unknown' ? 'init' : init} starts services is known: run '${COMMAND}'`,
  };
}
