import type { FieldStatus } from '../field/status.ts';
import type { FieldStrip } from '../field/strip.ts';
import type { DhcpMode } from './engine/interfaces.ts';
import type { PluginState } from './engine/runner.ts';

/** What each machine says of itself at `/status.json`. Bytes, seconds and counts. */
export interface MachineStatus {
  readonly version: 1;
  readonly hostname: string;
  readonly role: string;
  readonly address: string;
  readonly mac: string;
  readonly booted: 'medium' | 'network';
  readonly image: { readonly name: string; readonly id: string | null } | null;
  /** Whether it has the kernel and initrd that others boot by. */
  readonly canServe: boolean;
  /** What its DHCP does; null without that plugin. */
  readonly dhcp: { readonly mode: DhcpMode; readonly why: string } | null;
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
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isCount = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value) && value >= 0;
const isText = (value: unknown): boolean => typeof value === 'string' && value.length <= LONGEST_TEXT;
const LONGEST_TEXT = 2000;
const MOST_PLUGINS = 500;

const isName = (value: unknown): boolean => typeof value === 'string' && /^[\w.:+~-]{0,200}$/.test(value);

function isPlugin(value: unknown): boolean {
  if (!isRecord(value) || !isText(value.name)) return false;
  const isState = ['waiting', 'starting', 'running', 'failed', 'stopped'].some((state) => state === value.state);
  return isState && (value.why === undefined || isText(value.why));
}

function isField(value: unknown): boolean {
  if (!isRecord(value) || !isRecord(value.node) || !isRecord(value.image)) return false;
  const { node, image, redundancy, traffic, peers } = value;
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
    Array.isArray(peers)
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
  value.copies.every(isCount);

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
    (value) => isRecord(value) && ['full', 'proxy', 'standby'].some((mode) => mode === value.mode) && isText(value.why),
  ),
  tftp: orNull((value) => isRecord(value) && isCount(value.sent) && isCount(value.refused)),
  load: (value) => isRecord(value) && Number.isSafeInteger(value.transfers) && isCount(value.sentBytes),
  refused: (value) => isRecord(value) && Object.values(value).every(isCount),
  plugins: (value) => Array.isArray(value) && value.length <= MOST_PLUGINS && value.every(isPlugin),
  field: orNull(isField),
  strip: orNull(isStrip),
  uptimeSeconds: isCount,
  boot: orNull(isBoot),
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
  for (const [name, check] of Object.entries(PARTS))
    if (!check(value[name])) throw new Error(`machine status: bad ${name}`);
  return value as unknown as MachineStatus;
}

/** @throws Error when the text is no status */
export function parseMachineStatus(text: string): MachineStatus {
  return checkMachineStatus(JSON.parse(text));
}
