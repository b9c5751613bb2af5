/** Who keeps /etc/resolv.conf in an image, and how the lease's servers get there. */
import { execFile } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { type AddressPlan, resolvConf } from '../net/address-plan.ts';
import type { NewRoot } from './new-root.ts';

const run = promisify(execFile);

type Names = Pick<AddressPlan, 'dns' | 'search'>;

export const RESOLV = '/etc/resolv.conf';
export const RESOLVED_CONF = '/run/systemd/resolved.conf.d/viver.conf';
const RESOLVED_UNITS = ['multi-user.target.wants', 'sysinit.target.wants']
  .map((directory) => `/etc/systemd/system/${directory}/systemd-resolved.service`)
  .concat('/etc/systemd/system/dbus-org.freedesktop.resolve1.service');
const RESOLVCONF = ['/sbin/resolvconf', '/usr/sbin/resolvconf'];

/** resolved.conf(5). Pure. */
export function resolvedConf({ dns, search }: Names): string {
  const domains = search.length > 0 ? `Domains=${search.join(' ')}\n` : '';
  return `# VIVER: the servers of this network\n[Resolve]\nDNS=${dns.join(' ')}\n${domains}`;
}

/** Of VIVER's file as long as there is none. */
export const NO_SERVER = '# VIVER: this network has no name server\n';

/** What is to become of the image's file. */
export type ResolvPlan = { readonly link: boolean; readonly why: string };

/** A file that a program wrote holds what it knew of another network. */
const GENERATED = /^\s*[#;].*(generated|dynamic|NetworkManager|do not edit)/im;

/** Whether /etc/resolv.conf becomes a link to VIVER's. Pure but for what it reads of the new root. */
export function planResolv(root: Pick<NewRoot, 'read' | 'has' | 'linkTarget'>, isKeptByDesktop: boolean): ResolvPlan {
  const target = root.linkTarget(RESOLV) ?? '';
  const hasResolved = RESOLVED_UNITS.some((path) => root.has(path));
  if (hasResolved && target.includes('/systemd/')) return { link: false, why: 'systemd-resolved has the servers' };
  if (RESOLVCONF.some((path) => root.has(path)) && !hasResolved)
    return { link: false, why: 'resolvconf is told the servers' };
  if (isKeptByDesktop) return { link: false, why: 'the network manager keeps it' };
  const text = root.read(RESOLV);
  if (text !== undefined && /^\s*nameserver\s/m.test(text) && !GENERATED.test(text))
    return { link: false, why: 'what the image says on purpose stays' };
  return { link: true, why: 'nothing in the image keeps it' };
}

/** Where resolved starts after the switch, it has the servers from its first question on. */
export function tellResolvedBefore(root: Pick<NewRoot, 'has' | 'write'>, names: Names): void {
  if (names.dns.length > 0 && RESOLVED_UNITS.some((path) => root.has(path)))
    root.write(RESOLVED_CONF, resolvedConf(names));
}

async function tellResolved(names: Names): Promise<string | undefined> {
  if (!existsSync('/run/systemd/resolve')) return undefined;
  const text = resolvedConf(names);
  if (existsSync(RESOLVED_CONF) && readFileSync(RESOLVED_CONF, 'utf8') === text) return 'systemd-resolved';
  await mkdir(dirname(RESOLVED_CONF), { recursive: true });
  await writeFile(RESOLVED_CONF, text);
  // it has read its files already, or does so when it starts
  await run('systemctl', ['--no-block', 'try-restart', 'systemd-resolved.service']);
  return 'systemd-resolved';
}

/** Debian's resolvconf(8), openresolv's and resolved's own take the same words. */
async function tellResolvconf(interfaceName: string, names: Names): Promise<string | undefined> {
  const program = RESOLVCONF.find((path) => existsSync(path));
  if (program === undefined) return undefined;
  const told = run(program, ['-a', `${interfaceName}.viver`]);
  told.child.stdin?.on('error', () => {}); // it ended without reading: its status says so
  told.child.stdin?.end(resolvConf(names) ?? '');
  await told;
  return 'resolvconf';
}

/**
 * Tells the programs of the running system that keep name servers.
 * @param ours the file of VIVER's own
 * @returns who was told
 * @throws Error when one of them refuses
 */
export async function tellResolvers(interfaceName: string, names: Names, ours: string): Promise<readonly string[]> {
  const text = resolvConf(names) ?? NO_SERVER;
  if (!existsSync(ours) || readFileSync(ours, 'utf8') !== text) writeFileSync(ours, text);
  if (names.dns.length === 0) return [];
  const told = [await tellResolved(names), await tellResolvconf(interfaceName, names)].filter(
    (one) => one !== undefined,
  );
  // resolved may only just be starting; resolvconf has written when it answers, or its file is not the one that is read
  return told.includes('systemd-resolved') || hasServer(RESOLV) ? told : [...told, linkTo(ours)];
}

const hasServer = (path: string) => existsSync(path) && /^\s*nameserver\s/m.test(readFileSync(path, 'utf8'));

/** Whoever was to keep it does not run. */
function linkTo(ours: string): string {
  if (lstatSync(RESOLV, { throwIfNoEntry: false }) !== undefined) rmSync(RESOLV);
  symlinkSync(ours, RESOLV);
  return RESOLV;
}
