import { sha256 } from '../../linux/sha256.ts';

/** What tells one machine from another. `macs` are of the cards whose drivers run by now. */
export interface HardwareMarks {
  /** The main board's UUID (SMBIOS 2.6, 7.2.1). */
  readonly uuid: string | undefined;
  /** Serial numbers of system and main board, which set apart boards that were given one UUID. */
  readonly serials: readonly string[];
  /** Of a board without SMBIOS: its device tree's serial-number. */
  readonly boardSerial: string | undefined;
  /** The card the machine was booted by. */
  readonly bootMac: string | undefined;
  readonly macs: readonly string[];
}

/** UUIDs that makers left in thousands of boards. */
const OF_MANY_BOARDS = new Set([
  '03000200-0400-0500-0006-000700080009',
  '00020003-0004-0005-0006-000700080009',
  '12345678-1234-5678-90ab-cddeefaabbcc',
  '12345678-1234-5678-1234-567812345678',
  '11111111-2222-3333-4444-555555555555',
  '00112233-4455-6677-8899-aabbccddeeff',
  '03020100-0504-0706-0809-0a0b0c0d0e0f',
  '4c4c4544-0000-2010-8020-80c04f202020',
]);
const FEWEST_DIGITS = 4;

/** Whether a UUID is one board's only: not all zeroes or ones, a pattern, or a maker's example. */
export function isRealUuid(uuid: string | undefined): uuid is string {
  if (uuid === undefined || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(uuid)) return false;
  const lower = uuid.toLowerCase();
  return new Set(lower.replaceAll('-', '')).size >= FEWEST_DIGITS && !OF_MANY_BOARDS.has(lower);
}

/**
 * What this machine is known by at every boot, whatever medium it comes from; undefined when it has nothing of its own.
 * Cards come last: they are changed more often than boards. Of several the lowest counts, universal addresses first.
 */
export function hardwareMark({ uuid, serials, boardSerial, bootMac, macs }: HardwareMarks): string | undefined {
  if (isRealUuid(uuid)) return ['board', uuid.toLowerCase(), ...serials].join(' ');
  if (boardSerial !== undefined && /[1-9a-f]/i.test(boardSerial)) return `serial ${boardSerial}`;
  const isLocal = (mac: string) => (Number.parseInt(mac.slice(0, 2), 16) & 2) !== 0;
  const [first] = macs.toSorted((a, b) => Number(isLocal(a)) - Number(isLocal(b)) || (a < b ? -1 : 1));
  const mac = bootMac ?? first;
  return mac === undefined ? undefined : `card ${mac}`;
}

/** 32 digits of a UUID of version 4, the same for the same text. */
function idOf(text: string): string {
  const id = sha256(Buffer.from(text)).toString('hex').slice(0, 32).split('');
  id[12] = '4';
  id[16] = '89ab'[Number.parseInt(id[16] ?? '0', 16) & 3] ?? '8';
  return id.join('');
}

/** machine-id(5) of a machine: as systemd makes them, but the same at every boot. */
export const machineIdOf = (mark: string): string => idOf(`viver machine ${mark}`);

/** Another id of the same machine, from which its machine id cannot be told: what strangers see is not that one. */
export const derivedId = (machineId: string, purpose: string): string => idOf(`viver ${purpose} ${machineId}`);

export const isMachineId = (text: string): boolean => /^[0-9a-f]{32}$/.test(text) && !/^0+$/.test(text);

export const asUuid = (id: string): string => id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
