import type { NewRoot } from './new-root.ts';

/** A program that the image's init system runs to its end before it starts certain services. */
export interface EarlyProgram {
  /** Of the service, after `viver-`. */
  readonly name: string;
  readonly description: string;
  readonly path: string;
  /** Services that wait for it, without a suffix. */
  readonly before: readonly string[];
}

/** Puts a line into a text once, before the first line that matches, else at the end. */
function withLine(text: string, line: string, before: RegExp): string {
  const lines = text.replace(/\n$/, '').split('\n');
  if (lines.includes(line)) return text;
  const at = lines.findIndex((one) => before.test(one));
  lines.splice(at < 0 ? lines.length : at, 0, line);
  return `${lines.join('\n')}\n`;
}

/** After the last line that matches, else at the start. */
function withLineAfter(text: string, line: string, after: RegExp): string {
  const lines = text.replace(/\n$/, '').split('\n');
  if (lines.includes(line)) return text;
  lines.splice(lines.findLastIndex((one) => after.test(one)) + 1, 0, line);
  return `${lines.join('\n')}\n`;
}

function bySystemd(root: NewRoot, { name, description, path, before }: EarlyProgram): string {
  const unit = `viver-${name}.service`;
  root.write(
    `/run/systemd/system/${unit}`,
    `[Unit]
Description=VIVER: ${description}
DefaultDependencies=no
After=sysinit.target
Conflicts=shutdown.target
Before=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh ${path}
`,
  );
  const dropIn = `[Unit]\nWants=${unit}\nAfter=${unit}\n`;
  for (const service of before)
    for (const form of [service, `${service}@`])
      root.write(`/run/systemd/system/${form}.service.d/viver-${name}.conf`, dropIn);
  return unit;
}

/**
 * Arranges that the program runs.
 * @returns where, in words; undefined when no place is known
 */
export function runEarly(root: NewRoot, program: EarlyProgram): string | undefined {
  const { name, description, path, before } = program;
  const inittab = root.read('/etc/inittab');
  switch (root.init) {
    case 'systemd':
      return bySystemd(root, program);
    case 'sysvinit':
      if (inittab === undefined) return undefined;
      // `wait`: init goes on to the run level's scripts when it has ended (inittab(5)).
      root.write('/etc/inittab', withLine(inittab, `VK:2345:wait:${path}`, /^[^#:]*:[0-6]+:wait:.*\/rc [2-5]\b/));
      return 'a line in /etc/inittab';
    case 'busybox':
      if (inittab === undefined) return undefined;
      root.write('/etc/inittab', withLineAfter(inittab, `::sysinit:${path}`, /^[^#]*:sysinit:/));
      return 'a line in /etc/inittab';
    case 'openrc': {
      const service = `/etc/init.d/viver-${name}`;
      root.write(
        service,
        `#!/sbin/openrc-run
description="VIVER: ${description}"

depend() {
  before ${before.join(' ')}
}

start() {
  ${path}
}
`,
        0o755,
      );
      root.link(`/etc/runlevels/default/viver-${name}`, service);
      return service;
    }
    case 'runit': {
      // Stage 1 of runit(8) is a script that ends before the services start.
      const first = root.read('/etc/runit/1');
      if (first === undefined || !first.startsWith('#!')) return undefined;
      root.write('/etc/runit/1', withLine(first, `[ ! -x ${path} ] || ${path}`, /^(exec|exit)\b/), 0o755);
      return '/etc/runit/1';
    }
    case 'unknown':
      return undefined;
  }
}
