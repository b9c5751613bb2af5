import type { FieldStatus } from '../field/status.ts';
import type { FieldStrip } from '../field/strip.ts';
import type { DhcpDecision, OfferedImage } from './engine/interfaces.ts';
import type { PluginState } from './engine/runner.ts';
import { type Health, isHealth } from './health/health.ts';
import { BOOT_STEPS, type LoadingMachine } from './overview/boot-progress.ts';
import { RATES_KEPT, type Rates } from './overview/rate-history.ts';
import { isRollView, type RollView } from './roll/view.ts';

/**
 * What each machine says of itself at `/status.json`. Bytes, seconds and counts. The version grows when a part changes
 * its meaning or goes; parts that only come do not change it, and who reads must bear others than it knows.
 */
export interface MachineStatus {
  readonly version: 1;
  /** VIVER's own version; null from one that did not say it yet. */
  readonly viver: string | null;
  readonly hostname: string;
  readonly role: string;
  readonly address: string;
  readonly mac: string;
  readonly booted: 'medium' | 'network';
  readonly image: { readonly name: string; readonly id: string | null } | null;
  /** Whether it has the kernel and initrd that others boot by. */
  readonly canServe: boolean;
  /**
   * Whether Secure Boot is on (null: no UEFI, or not known), and why machines that have it on cannot boot from here (null:
   * they can). Null from a VIVER that did not say it yet.
   */
  readonly secureBoot: { readonly on: boolean | null; readonly lack: string | null } | null;
  /** What its DHCP does; null without that plugin. */
  readonly dhcp: DhcpDecision | null;
  /** Boot loaders given by TFTP, and requests refused; null without that plugin. */
  readonly tftp: { readonly sent: number; readonly refused: number } | null;
  /** Boot files being sent now, and bytes of them so far. */
  readonly load: { readonly transfers: number; readonly sentBytes: number };
  /** Requests not served, by kind. */
  readonly refused: Readonly<Record<string, number>>;
  readonly plugins: readonly PluginState[];
  readonly field: FieldStatus | null;
  /** What it holds along the image; null with no field. */
  readonly strip: FieldStrip | null;
  readonly uptimeSeconds: number;
  /** From its boot.json: seconds since the kernel started. */
  readonly boot: {
    readonly medium: string;
    readonly seconds: number;
    readonly stages: readonly { readonly name: string; readonly startMs: number; readonly endMs: number }[];
  } | null;
  /** What it moved in the last minutes; null from a VIVER that did not count it yet. */
  readonly rates: Rates | null;
  /** Machines that load from it. */
  readonly loading: readonly LoadingMachine[];
  /** Images that it offers beside the one it runs. */
  readonly images: readonly OfferedImage[];
  /** Roll-outs that it knows, and how they go as far as it has sent machines to boot them. */
  readonly rolls: readonly RollView[];
  /** Whether its system has come up well; null from a VIVER that did not say it yet. */
  readonly health: Health | null;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isCount = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value) && value >= 0;
const isText = (value: unknown): boolean => typeof value === 'string' && value.length <= LONGEST_TEXT;
/** Longer words of a machine about itself are not taken. */
export const LONGEST_TEXT = 2000;
const MOST_PLUGINS = 500;
const MOST_SHUT_OUT = 10_000;

const isName = (value: unknown): boolean => typeof value === 'string' && /^[\w.:+~-]{0,200}$/.test(value);

function isPlugin(value: unknown): boolean {
  if (!isRecord(value) || !isText(value.name)) return false;
  const isState = ['waiting', 'starting', 'running', 'failed', 'stopped'].some((state) => state === value.state);
  return isState && (value.why === undefined || isText(value.why));
}

function isField(value: unknown): boolean {
  if (!isRecord(value) || !isRecord(value.node) || !isRecord(value.image)) return false;
  const { node, image, redundancy, traffic, peers, shutOut } = value;
  return (
    /^[0-9a-f]{1,16}$/.test(String(node.id)) &&
    isCount(node.held) &&
    isCount(image.chunks) &&
    isCount(image.size) &&
    isRecord(redundancy) &&
    [redundancy.min, redundancy.mean].every(isCount) &&
    isRecord(traffic) &&
    Object.values(traffic).every(isCount) &&
    [traffic.fromPeers, traffic.toPeers].every(isCount) &&
    Array.isArray(peers) &&
    isMany(shutOut, MOST_SHUT_OUT, (one) => isRecord(one) && isName(one.id) && isText(one.reason))
  );
}

function isBoot(value: unknown): boolean {
  if (!isRecord(value) || !isName(value.medium) || !isCount(value.seconds) || !Array.isArray(value.stages))
    return false;
  return value.stages.every(
    (stage: unknown) => isRecord(stage) && isText(stage.name) && isCount(stage.startMs) && isCount(stage.endMs),
  );
}

const isStrip = (value: unknown): boolean =>
  isRecord(value) &&
  typeof value.held === 'string' &&
  /^\d{0,1024}$/.test(value.held) &&
  Array.isArray(value.copies) &&
  value.copies.length <= 1024 &&
  value.copies.every(isCount) &&
  (value.read === undefined || isReadStrip(value.read));

const isReadStrip = (value: unknown): boolean =>
  isRecord(value) &&
  typeof value.parts === 'string' &&
  /^\d{0,1024}$/.test(value.parts) &&
  isCount(value.boots) &&
  isCount(value.chunks);

const isMany = (value: unknown, most: number, check: (one: unknown) => boolean): boolean =>
  Array.isArray(value) && value.length <= most && value.every(check);

function isRates(value: unknown): boolean {
  if (!isRecord(value) || !isCount(value.everySeconds)) return false;
  return isMany(value.in, RATES_KEPT, isCount) && isMany(value.out, RATES_KEPT, isCount);
}

function isLoading(value: unknown): boolean {
  if (!isRecord(value) || !isName(value.address) || !(value.mac === null || isName(value.mac))) return false;
  const { share, step } = value;
  return (
    BOOT_STEPS.some((known) => known === step) &&
    (share === null || (isCount(share) && Number(share) <= 1)) &&
    isCount(value.silentSeconds) &&
    isCount(value.seconds)
  );
}

/** Its words become words of a kernel's command line. */
const isOffered = (value: unknown): boolean =>
  isRecord(value) &&
  typeof value.name === 'string' &&
  /^[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}$/.test(value.name) &&
  /^[0-9a-f]{64}$/.test(String(value.id)) &&
  /^\d{1,3}(\.\d{1,3}){3}:\d{1,5}$/.test(String(value.peer)) &&
  isCount(value.sizeBytes) &&
  typeof value.isKept === 'boolean';

/** Parts that came later: what an older VIVER lacks is filled in. */
const LATER = { viver: null, secureBoot: null, rates: null, loading: [], images: [], rolls: [], health: null };
const MOST_LOADING = 1024;
const MOST_IMAGES = 16;
const MOST_ROLLS = 16;

/** What each part must be; what may be null has `null` before it. */
const PARTS: Readonly<Record<Exclude<keyof MachineStatus, 'version'>, (value: unknown) => boolean>> = {
  hostname: isName,
  role: isName,
  address: isName,
  mac: isName,
  booted: (value) => value === 'medium' || value === 'network',
  image: orNull((value) => isRecord(value) && isName(value.name) && (value.id === null || isName(value.id))),
  canServe: (value) => typeof value === 'boolean',
  dhcp: orNull(
    (value) =>
      isRecord(value) &&
      ['full', 'proxy', 'standby'].some((mode) => mode === value.mode) &&
      isText(value.why) &&
      (value.never === undefined || typeof value.never === 'boolean'),
  ),
  secureBoot: orNull(
    (value) =>
      isRecord(value) &&
      (value.on === null || typeof value.on === 'boolean') &&
      (value.lack === null || isText(value.lack)),
  ),
  tftp: orNull((value) => isRecord(value) && isCount(value.sent) && isCount(value.refused)),
  load: (value) => isRecord(value) && isCount(value.transfers) && isCount(value.sentBytes),
  refused: (value) => isRecord(value) && Object.values(value).every(isCount),
  plugins: (value) => Array.isArray(value) && value.length <= MOST_PLUGINS && value.every(isPlugin),
  field: orNull(isField),
  strip: orNull(isStrip),
  uptimeSeconds: isCount,
  boot: orNull(isBoot),
  viver: orNull(isName),
  rates: orNull(isRates),
  loading: (value) => isMany(value, MOST_LOADING, isLoading),
  images: (value) => isMany(value, MOST_IMAGES, isOffered),
  rolls: (value) => isMany(value, MOST_ROLLS, isRollView),
  health: orNull(isHealth),
};

function orNull(check: (value: unknown) => boolean): (value: unknown) => boolean {
  return (value) => value === null || check(value);
}

/**
 * What another machine said, every part checked: what looks at it afterwards cannot be made to fail by it.
 * @throws Error that names the part which is none
 */
export function checkMachineStatus(value: unknown): MachineStatus {
  if (!isRecord(value) || value.version !== 1) throw new Error('no machine status of version 1');
  const status: Record<string, unknown> = { version: 1 };
  // Parts that nobody knows here are left out: they are not to be kept for hundreds of machines.
  for (const [name, check] of Object.entries(PARTS)) {
    const part = value[name] ?? (name in LATER ? LATER[name as keyof typeof LATER] : value[name]);
    if (!check(part)) throw new Error(`machine status: bad ${name}`);
    status[name] = part;
  }
  return status as unknown as MachineStatus;
}
