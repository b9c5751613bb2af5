import type { FieldStatus } from '../field/status.ts';
import type { FieldStrip } from '../field/strip.ts';
import type { DhcpMode } from './interfaces.ts';
import type { PluginState } from './runner.ts';

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

/**
 * What another machine said, checked as far as it is used.
 * @throws Error when it is no status
 */
export function parseMachineStatus(text: string): MachineStatus {
  const value: unknown = JSON.parse(text);
  if (!isRecord(value) || value.version !== 1) throw new Error('no machine status of version 1');
  const { hostname, role, address, mac, canServe, dhcp, load, field, image, strip } = value;
  for (const [name, string] of Object.entries({ hostname, role, address, mac })) {
    if (typeof string !== 'string' || !/^[\w.:+-]{0,128}$/.test(string)) throw new Error(`machine status: bad ${name}`);
  }
  if (typeof canServe !== 'boolean') throw new Error('machine status: bad canServe');
  if (!isRecord(load) || !Number.isSafeInteger(load.transfers)) throw new Error('machine status: bad load');
  if (dhcp !== null && (!isRecord(dhcp) || !['full', 'proxy', 'standby'].some((mode) => mode === dhcp.mode)))
    throw new Error('machine status: bad dhcp');
  if (field !== null && (!isRecord(field) || !isRecord(field.node) || !/^[0-9a-f]{1,16}$/.test(String(field.node.id))))
    throw new Error('machine status: bad field');
  if (strip !== null && (!isRecord(strip) || !/^\d{0,1024}$/.test(String(strip.held)) || !Array.isArray(strip.copies)))
    throw new Error('machine status: bad strip');
  if (image !== null && !isRecord(image)) throw new Error('machine status: bad image');
  return value as unknown as MachineStatus;
}
