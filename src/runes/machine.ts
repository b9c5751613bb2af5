import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { sysTree } from '../hardware/sys-tree.ts';
import { hasCode } from '../linux/errno.ts';
import { bootMacOf } from '../net/interfaces.ts';

/** The image this machine runs. */
export interface BootedImage {
  readonly name: string;
  /** SHA-256 of its index; undefined while it has none. */
  readonly id: string | undefined;
  /** Where the file (or the block device that begins with it) is on this machine; undefined when it came by network. */
  readonly path: string | undefined;
}

/** What plugins and roles may know of the machine. */
export interface Machine {
  readonly hostname: string;
  /** Of its interfaces, lower case with colons. */
  readonly macs: readonly string[];
  readonly addresses: readonly string[];
  readonly booted: 'medium' | 'network';
  /** The interface PXE used, by BOOTIF= of the command line. */
  readonly bootMac: string | undefined;
  readonly commandLine: string;
  readonly image: BootedImage | undefined;
}

/** The last value of `NAME=` on a command line. */
export function wordOf(commandLine: string, name: string): string | undefined {
  let found: string | undefined;
  for (const word of commandLine.split(/\s+/)) {
    if (word === '--') break;
    if (word.startsWith(`${name}=`)) found = word.slice(name.length + 1);
  }
  return found === '' ? undefined : found;
}

interface BootReport {
  readonly medium?: string;
  readonly image?: { readonly name?: string; readonly id?: string | null; readonly path?: string };
}

/**
 * What boot.json says of the image.
 * @throws SyntaxError when it is no JSON
 */
export function parseBootReport(text: string): Pick<Machine, 'booted' | 'image'> {
  const report = JSON.parse(text) as BootReport;
  const booted = report.medium === 'net' ? 'network' : 'medium';
  const { name, id, path } = report.image ?? {};
  if (name === undefined) return { booted, image: undefined };
  return { booted, image: { name, id: id ?? undefined, path: booted === 'network' ? undefined : path } };
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'EINVAL')) return undefined;
    throw error;
  }
}

/** A card may go, or be given another name, while it is read. */
function readMacs(directory: string): string[] {
  const tree = sysTree();
  const names = tree.list(directory).filter((name) => name !== 'lo');
  const macs = names.map((name) => tree.read(`${directory}/${name}/address`)?.trim() ?? '');
  return [...new Set(macs.filter((mac) => /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac) && mac !== '00:00:00:00:00:00'))];
}

/** Where a machine's facts lie; a test has its own. */
export interface MachinePlaces {
  readonly report?: string;
  readonly commandLine?: string;
  readonly interfaces?: string;
  /** Known to who asks: before the switch there is no report yet. */
  readonly booted?: Machine['booted'];
}

/** Reads what is known of this machine now: before the switch it has no address yet, and no report. */
export function readMachine({
  report = '/run/viver/boot.json',
  commandLine: commandLinePath = '/proc/cmdline',
  interfaces = '/sys/class/net',
  booted: known,
}: MachinePlaces = {}): Machine {
  const commandLine = (textOf(commandLinePath) ?? '').trim();
  const bootMac = bootMacOf(commandLine);
  const text = textOf(report);
  const booted = text === undefined ? undefined : parseBootReport(text);
  return {
    hostname: (textOf('/proc/sys/kernel/hostname') ?? '').trim(),
    macs: readMacs(interfaces),
    // Asked for by few roles, and not free.
    get addresses() {
      return Object.values(networkInterfaces())
        .flatMap((list) => list ?? [])
        .filter(({ family, internal }) => family === 'IPv4' && !internal)
        .map(({ address }) => address);
    },
    booted: known ?? booted?.booted ?? (bootMac === undefined ? 'medium' : 'network'),
    bootMac,
    commandLine,
    image: booted?.image,
  };
}
