import type { SysTree } from './sys-tree.ts';

/** Something that may still bring a medium. */
export interface Pending {
  /** For a person to read: `usb 1-2: storage, not looked at yet`. */
  readonly text: string;
  /** The kind of medium it would be, in the words of `viver.media=`; undefined: any. */
  readonly medium?: 'nvme' | 'sata' | 'usb' | 'mmc' | 'ide' | 'scsi' | 'cd';
  /** No sign of a disk, only that devices come which have not been looked at. */
  readonly vague?: true;
}

/** What a driver that is starting may bring, by its place below /lib/modules/VERSION; null: no medium. The first row holds. */
const BROUGHT: readonly { readonly path: RegExp; readonly medium: NonNullable<Pending['medium']> | null }[] = [
  { path: /\/drivers\/nvme\//, medium: 'nvme' },
  { path: /\/drivers\/ata\/(pata_|ata_piix|ata_generic)/, medium: 'ide' },
  { path: /\/drivers\/ata\//, medium: 'sata' },
  { path: /\/drivers\/scsi\/sr_mod/, medium: 'cd' },
  // Disks that wait for it are in ROWS, and controllers that are still looking for theirs count as starting.
  { path: /\/drivers\/scsi\/sd_mod/, medium: null },
  { path: /\/drivers\/usb\//, medium: 'usb' },
  { path: /\/drivers\/(mmc|memstick|misc\/cardreader)\//, medium: 'mmc' },
  { path: /^\/block\/|\/drivers\/block\/(loop|nbd|zram)\./, medium: null },
  { path: /\/drivers\/(block|virtio|hv|xen|firewire|ufs|message)\//, medium: 'scsi' },
  { path: /\/(fs|lib|crypto|net|sound|arch)\/|\/drivers\/(net|hid|input|gpu|video|cdrom|char|crypto)\//, medium: null },
];

/** A driver that the kernel has not yet started; undefined: it is none that brings a medium. */
export function pendingDriver(name: string, path: string): Pending | undefined {
  const text = `driver ${name} is starting`;
  const place = path.replace(/^.*\/lib\/modules\/[^/]+\/(kernel\/)?/, '/');
  const medium = BROUGHT.find((row) => row.path.test(place))?.medium;
  if (medium === null) return undefined;
  return medium === undefined ? { text } : { text, medium };
}

/** What is looked at, and for how long it counts: what takes longer has failed or has nothing to show. */
interface PendingRow {
  readonly directory: string;
  readonly name: RegExp;
  readonly limitMs: number;
  readonly medium?: Pending['medium'];
  /** What is outstanding at this device; undefined: nothing. */
  outstanding(tree: SysTree, path: string): string | undefined;
}

/** A USB hub powers its ports (0.1 s), debounces (0.1 s or more) and resets each; then the device is in sysfs. */
const HUB_MS = 1_000;
/** SET_CONFIGURATION and descriptors time out after 5 s each (drivers/usb/core/message.c). */
const CONFIGURE_MS = 5_000;
/** The kernel's time-out for a SCSI command; a disk spins up within it. */
const SCSI_MS = 30_000;
/** Without the driver in the kernel nothing will come; it may be on its way. */
const DRIVER_MS = 2_000;
/** mmc_rescan tries four clock rates, each some 100 ms with a card, ACMD41 up to 1 s (drivers/mmc/core/core.c). */
const SLOT_MS = 1_500;
const NVME_MS = 30_000;

function has(tree: SysTree, directory: string, name: RegExp): boolean {
  return tree.list(directory).some((entry) => name.test(entry));
}

function hasDriver(tree: SysTree, path: string): boolean {
  return tree.link(`${path}/driver`) !== undefined;
}

function driverOf(tree: SysTree, path: string): string | undefined {
  const link = tree.link(`${path}/driver`);
  return link?.slice(link.lastIndexOf('/') + 1);
}

const isDisk = (type: string | undefined) => type !== undefined && ['0', '7', '14', '20'].includes(type);
const isCd = (type: string | undefined) => type === '4' || type === '5';

/** A SCSI device whose driver is there and has not made a disk of it yet. */
function isBeingRead(tree: SysTree, path: string, driver: 'sd' | 'sr'): boolean {
  return tree.list('/sys/bus/scsi/drivers').includes(driver) && !has(tree, path, /^block$/);
}

/**
 * What tells on Linux that more may come. Not here, because finit_module waits for it (kernel/module/main.c,
 * async_synchronize_full at the end of do_init_module): ATA ports and SCSI hosts scanned while their driver starts,
 * NVMe controllers, virtio disks. For them the driver counts as starting, and that is said by the loader.
 */
const ROWS: readonly PendingRow[] = [
  {
    directory: '/sys/bus/usb/devices',
    name: /^usb\d+$|^\d+-[\d.]+$/,
    limitMs: HUB_MS,
    medium: 'usb',
    outstanding: (tree, path) =>
      tree.read(`${path}/bDeviceClass`) === '09' ? 'hub just came up, its ports are being looked at' : undefined,
  },
  {
    directory: '/sys/bus/usb/devices',
    name: /^\d+-[\d.]+$/,
    limitMs: CONFIGURE_MS,
    medium: 'usb',
    outstanding: (tree, path) => (tree.read(`${path}/bConfigurationValue`) === '' ? 'is being configured' : undefined),
  },
  {
    directory: '/sys/bus/usb/devices',
    name: /^\d+-[\d.]+:\d+\.\d+$/,
    limitMs: DRIVER_MS,
    medium: 'usb',
    outstanding: (tree, path) =>
      tree.read(`${path}/bInterfaceClass`) === '08' && !hasDriver(tree, path)
        ? 'storage, its driver is to come'
        : undefined,
  },
  {
    directory: '/sys/bus/usb/devices',
    name: /^\d+-[\d.]+:\d+\.\d+$/,
    limitMs: CONFIGURE_MS,
    medium: 'usb',
    outstanding: (tree, path) => {
      if (tree.read(`${path}/bInterfaceClass`) !== '08') return undefined;
      const driver = driverOf(tree, path);
      if (driver === undefined) return undefined;
      const host = tree.list(path).find((entry) => /^host\d+$/.test(entry));
      if (host !== undefined && has(tree, `${path}/${host}`, /^target/)) return undefined;
      const delay = tree.read('/sys/module/usb_storage/parameters/delay_use');
      const waits = driver === 'usb-storage' && delay !== undefined && delay !== '0';
      return waits ? `enumerated, usb-storage waits ${delay} s` : `enumerated, ${driver} is looking at it`;
    },
  },
  {
    directory: '/sys/bus/scsi/devices',
    name: /^\d+:\d+:\d+:\d+$/,
    limitMs: SCSI_MS,
    outstanding: (tree, path) =>
      isDisk(tree.read(`${path}/type`)) && isBeingRead(tree, path, 'sd') ? 'disk, being read' : undefined,
  },
  {
    directory: '/sys/bus/scsi/devices',
    name: /^\d+:\d+:\d+:\d+$/,
    limitMs: SCSI_MS,
    medium: 'cd',
    outstanding: (tree, path) =>
      isCd(tree.read(`${path}/type`)) && isBeingRead(tree, path, 'sr') ? 'CD drive, being asked' : undefined,
  },
  {
    directory: '/sys/bus/scsi/devices',
    name: /^\d+:\d+:\d+:\d+$/,
    limitMs: DRIVER_MS,
    outstanding: (tree, path) =>
      isDisk(tree.read(`${path}/type`)) && !hasDriver(tree, path) ? 'disk, its driver is to come' : undefined,
  },
  {
    directory: '/sys/bus/scsi/devices',
    name: /^\d+:\d+:\d+:\d+$/,
    limitMs: DRIVER_MS,
    medium: 'cd',
    outstanding: (tree, path) =>
      isCd(tree.read(`${path}/type`)) && !hasDriver(tree, path) ? 'CD drive, its driver is to come' : undefined,
  },
  {
    directory: '/sys/class/ata_device',
    name: /^dev/,
    limitMs: CONFIGURE_MS,
    medium: 'sata',
    outstanding: (tree, path) => {
      if (!/^ata(pi)?$/.test(tree.read(`${path}/class`) ?? '')) return undefined;
      // …/ata1/link1/dev1.0/ata_device/dev1.0 beside …/ata1/host0/target0:0:0
      const port = /^.*\/ata\d+(?=\/)/.exec(tree.link(path) ?? '')?.[0];
      if (port === undefined) return undefined;
      const hosts = tree.list(port).filter((entry) => /^host\d+$/.test(entry));
      return hosts.some((host) => has(tree, `${port}/${host}`, /^target/))
        ? undefined
        : 'drive found, not looked at yet';
    },
  },
  {
    directory: '/sys/class/mmc_host',
    name: /^mmc\d+$/,
    limitMs: SLOT_MS,
    medium: 'mmc',
    outstanding: (tree, path) => (has(tree, path, /^mmc\d+:/) ? undefined : 'slot is being looked at'),
  },
  {
    directory: '/sys/bus/mmc/devices',
    name: /^mmc\d+:/,
    limitMs: CONFIGURE_MS,
    medium: 'mmc',
    outstanding: (tree, path) =>
      /^(SD|MMC|SDcombo)$/.test(tree.read(`${path}/type`) ?? '') && !has(tree, path, /^block$/)
        ? 'card, being read'
        : undefined,
  },
  {
    directory: '/sys/class/nvme',
    name: /^nvme\d+$/,
    limitMs: NVME_MS,
    medium: 'nvme',
    outstanding: (tree, path) => {
      const state = tree.read(`${path}/state`) ?? '';
      return /^(new|resetting|connecting)$/.test(state) ? `controller is ${state}` : undefined;
    },
  },
  {
    directory: '/sys/class/nvme',
    name: /^nvme\d+$/,
    limitMs: DRIVER_MS,
    medium: 'nvme',
    outstanding: (tree, path) =>
      tree.read(`${path}/state`) === 'live' && !has(tree, path, /^nvme\d+(c\d+)?n\d+$/)
        ? 'controller is up, its disks are being looked at'
        : undefined,
  },
  {
    directory: '/sys/bus/firewire/devices',
    name: /^fw\d+$/,
    limitMs: SLOT_MS,
    medium: 'scsi',
    outstanding: () => 'bus is being scanned',
  },
];

/** `/sys/bus/usb/devices/1-2` → `usb 1-2`, `/sys/class/mmc_host/mmc0` → `mmc0`. */
function label(directory: string, name: string): string {
  const kind = directory.split('/')[3]?.replace(/_.*/, '') ?? '';
  return name.startsWith(kind) ? name : `${kind} ${name}`;
}

/**
 * What is still under way in the kernel, as sysfs shows it; empty: by themselves no more media come.
 * @param ageMs for how long a path below /sys has been known, in milliseconds: sysfs does not tell
 */
export function pendingHardware(tree: SysTree, ageMs: (path: string) => number): Pending[] {
  const pending: Pending[] = [];
  const names = new Map([...new Set(ROWS.map((row) => row.directory))].map((path) => [path, tree.list(path)]));
  for (const { directory, name: wanted, limitMs, medium, outstanding } of ROWS) {
    for (const name of names.get(directory) ?? []) {
      const path = `${directory}/${name}`;
      if (!wanted.test(name) || ageMs(path) >= limitMs) continue;
      const what = outstanding(tree, path);
      if (what === undefined) continue;
      const text = `${label(directory, name)}: ${what}`;
      pending.push(medium === undefined ? { text } : { text, medium });
    }
  }
  return pending;
}
