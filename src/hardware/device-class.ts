import type { Device } from './device.ts';

/**
 * What a device is to the boot, in the order in which their modules are loaded. First disks that answer at once; then
 * hosts whose devices turn up while other things go on; then controllers whose driver keeps the kernel waiting for slow
 * disks as it starts; then what holds no medium.
 */
export const DEVICE_CLASSES = [
  'disk',
  'usb',
  'card',
  'bus',
  'storage',
  'other',
  'input',
  'display',
  'network',
] as const;
export type DeviceClass = (typeof DEVICE_CLASSES)[number];

/** A module a device brings along besides those its modalias names. */
export interface Companion {
  readonly module: string;
  readonly reason: string;
}

interface ClassRow {
  /** Matched against what follows the bus and its colon. */
  readonly modalias: RegExp;
  readonly class: DeviceClass;
  /** What the device is, for `viver explain`. */
  readonly what: string;
  readonly with?: readonly Companion[];
}

// The kernel would name these modules itself, by the modalias of what it finds behind the controller. Loading them
// beside the controller's own driver saves that round trip: the disk is there as soon as it is found.
const disk: Companion = { module: 'sd_mod', reason: 'disks behind it' };
const cd: Companion = { module: 'sr_mod', reason: 'CD drives behind it' };
const sticks: Companion = { module: 'usb_storage', reason: 'USB sticks, disks and card readers behind it' };
const uas: Companion = { module: 'uas', reason: 'USB disks that speak SCSI over USB' };
const usbKeyboard: Companion = { module: 'usbhid', reason: 'USB keyboards behind it' };
const keyboard: Companion = { module: 'hid_generic', reason: 'keyboards that need no driver of their own' };
const card: Companion = { module: 'mmc_block', reason: 'SD cards and eMMC in it' };
const usbHost: readonly Companion[] = [sticks, uas, disk, cd, usbKeyboard, keyboard];

/**
 * By bus, then by the modalias after the colon: the first row that matches holds. PCI: base class and subclass (PCI Code
 * and ID Assignment Specification); USB: bInterfaceClass; virtio: device numbers of the virtio specification, section 5.
 */
const ROWS: Readonly<Record<string, readonly ClassRow[]>> = {
  pci: [
    { modalias: /bc01sc08/, class: 'disk', what: 'NVMe disk' },
    { modalias: /bc01sc06/, class: 'storage', what: 'SATA controller', with: [disk, cd] },
    { modalias: /bc01sc01/, class: 'storage', what: 'IDE controller', with: [disk, cd] },
    {
      modalias: /^v00001AF4d0000(1001|1042)/,
      class: 'disk',
      what: 'virtio disk',
      with: [{ module: 'virtio_blk', reason: 'the PCI id says what virtio device it is' }],
    },
    {
      modalias: /^v00001AF4d0000(1004|1048)/,
      class: 'disk',
      what: 'virtio SCSI controller',
      with: [{ module: 'virtio_scsi', reason: 'the PCI id says what virtio device it is' }, disk, cd],
    },
    {
      modalias: /^v00001AF4d0000(1000|1041)/,
      class: 'network',
      what: 'virtio network card',
      with: [{ module: 'virtio_net', reason: 'the PCI id says what virtio device it is' }],
    },
    { modalias: /^v00001AF4/, class: 'bus', what: 'virtio device' },
    { modalias: /bc01/, class: 'storage', what: 'storage controller', with: [disk, cd] },
    { modalias: /bc0Csc03i40/, class: 'bus', what: 'Thunderbolt or USB4 host' },
    { modalias: /bc0Csc03i(00|10|20|30)/, class: 'usb', what: 'USB host', with: usbHost },
    {
      modalias: /bc0Csc00/,
      class: 'bus',
      what: 'FireWire host',
      with: [{ module: 'firewire_sbp2', reason: 'FireWire disks behind it' }, disk, cd],
    },
    { modalias: /bc0Csc04/, class: 'storage', what: 'Fibre Channel controller', with: [disk, cd] },
    { modalias: /bc08sc05/, class: 'card', what: 'SD host', with: [card] },
    { modalias: /bc03/, class: 'display', what: 'display controller' },
    { modalias: /bc(02|0D)/, class: 'network', what: 'network card' },
    { modalias: /bc06/, class: 'bus', what: 'bridge' },
  ],
  usb: [
    { modalias: /^v1D6Bp000[123]d/, class: 'usb', what: 'USB root hub', with: usbHost },
    { modalias: /ic08/, class: 'storage', what: 'USB storage', with: [sticks, uas, disk, cd] },
    { modalias: /ic03/, class: 'input', what: 'USB keyboard or mouse', with: [usbKeyboard, keyboard] },
    { modalias: /ic09/, class: 'usb', what: 'USB hub' },
    { modalias: /ic(02|0A)/, class: 'network', what: 'USB network adapter' },
  ],
  virtio: [
    { modalias: /^d00000001/, class: 'network', what: 'virtio network card' },
    { modalias: /^d00000002/, class: 'disk', what: 'virtio disk' },
    { modalias: /^d00000008/, class: 'disk', what: 'virtio SCSI controller', with: [disk, cd] },
    { modalias: /^d00000010/, class: 'display', what: 'virtio display' },
    { modalias: /^d00000012/, class: 'input', what: 'virtio keyboard or mouse' },
  ],
  scsi: [
    { modalias: /^t-0x0[45]/, class: 'storage', what: 'CD drive' },
    { modalias: /^t-0x(00|07|0e|14)/, class: 'storage', what: 'disk' },
  ],
  mmc: [{ modalias: /^/, class: 'card', what: 'SD card or eMMC' }],
  ieee1394: [{ modalias: /sp0000609E/, class: 'storage', what: 'FireWire disk', with: [disk, cd] }],
  hid: [{ modalias: /^/, class: 'input', what: 'input device', with: [keyboard] }],
  serio: [{ modalias: /^/, class: 'input', what: 'PS/2 device' }],
  acpi: [
    {
      modalias: /^(PNP0D40|PNP0FFF|INT33BB|INT33C6|INT3436|INT344D|80860F1[46]|80865A(C[AC]|D0)|AMDI004[01]):/,
      class: 'card',
      what: 'SD host',
      with: [card],
    },
    { modalias: /^PNP0D[12]\d:/, class: 'usb', what: 'USB host', with: usbHost },
    {
      modalias: /^PNP030[0-9A-F]:/,
      class: 'input',
      what: 'PS/2 keyboard',
      with: [
        { module: 'i8042', reason: 'the controller it hangs on' },
        { module: 'atkbd', reason: 'PS/2 keyboards' },
      ],
    },
  ],
  vmbus: [
    // Hyper-V names its devices by GUID, its first bytes in memory order (include/linux/hyperv.h): SCSI, IDE, Fibre Channel; network; keyboard; display.
    {
      modalias: /^(d96361baa104294db60572e2ffb1dc7f|32264132cb86a2449b5c50d1417354f5|4acc9b2f6900f34ab76b6fd0be528cda)/,
      class: 'disk',
      what: 'Hyper-V disks',
      with: [disk, cd],
    },
    { modalias: /^635161f83edfc546913ff2d2f965ed0e/, class: 'network', what: 'Hyper-V network card' },
    { modalias: /^6dad12f9172bea48bd65f927a61c7684/, class: 'input', what: 'Hyper-V keyboard' },
    { modalias: /^02780ada77e3ac4a8e770558eb1073f8/, class: 'display', what: 'Hyper-V display' },
  ],
  xen: [
    { modalias: /^vbd/, class: 'disk', what: 'Xen disk' },
    { modalias: /^vif/, class: 'network', what: 'Xen network card' },
    { modalias: /^vkbd/, class: 'input', what: 'Xen keyboard' },
  ],
};

export interface Classified {
  readonly class: DeviceClass;
  readonly what: string;
  readonly companions: readonly Companion[];
}

/** What the device is and what it brings along, by its modaliases. */
export function classifyDevice(device: Pick<Device, 'modaliases' | 'bus'>): Classified {
  for (const alias of device.modaliases) {
    const colon = alias.indexOf(':');
    const bus = alias.slice(0, colon);
    const rest = alias.slice(colon + 1);
    const row = Object.hasOwn(ROWS, bus) ? ROWS[bus]?.find(({ modalias }) => modalias.test(rest)) : undefined;
    if (row !== undefined) return { class: row.class, what: row.what, companions: row.with ?? [] };
  }
  return { class: 'other', what: `${device.bus} device`, companions: [] };
}

/** Whether disks may hang on it: a disk, a controller, or a bus behind which there may be one. */
export function bringsMedia(device: Pick<Device, 'modaliases' | 'bus'>): boolean {
  return DEVICE_CLASSES.indexOf(classifyDevice(device).class) < DEVICE_CLASSES.indexOf('other');
}

interface DeferredRow {
  /** Of the module's path below kernel/. */
  readonly path: RegExp;
  readonly reason: string;
  /** Also where nobody else would load it. */
  readonly always?: true;
}

/**
 * Modules that match a device but are left to the image's own udev: the console works without them, and loading them
 * before the root is there costs time or firmware the initrd does not have.
 */
const DEFERRED: readonly DeferredRow[] = [
  // On these machines no firmware drives display and keyboard, so there is no console without the driver.
  { path: /\/drivers\/gpu\/drm\/(virtio|hyperv|xen)\//, reason: '' },
  { path: /\/drivers\/video\/fbdev\/(hyperv|xen)/, reason: '' },
  { path: /\/drivers\/input\/misc\/xen/, reason: '' },
  { path: /\/drivers\/gpu\/drm\/tiny\/simpledrm/, reason: '' },
  // What the keyboard of a Surface hangs on.
  { path: /\/drivers\/platform\/surface\/(aggregator\/|surface_aggregator_)/, reason: '' },
  {
    path: /\/drivers\/(gpu|video)\//,
    reason: "the console runs on the firmware's frame buffer; the image loads the full driver, with its firmware",
  },
  { path: /\/(sound|drivers\/media|drivers\/accel)\//, reason: 'sound and pictures are of no use to the boot' },
  {
    path: /\/drivers\/block\/floppy\./,
    reason: 'looking for a floppy drive takes seconds, and no image fits on one',
    always: true,
  },
  {
    path: /\/drivers\/input\/(mouse|joystick|tablet|touchscreen|gameport|misc|serio\/serio_raw|evdev|joydev|mousedev)/,
    reason: 'the console needs a keyboard only',
  },
  {
    path: /\/drivers\/i2c\/busses\/i2c-(i801|piix4|nforce2|viapro|amd(756|8111)|ali|sis)/,
    reason: 'sensors hang on this bus, and no keyboard',
  },
  {
    path: /\/(arch\/\w+\/(kvm|events)|drivers\/(cpufreq|powercap|parport|crypto|platform))\//,
    reason: 'for the running system',
  },
  { path: /\/drivers\/(watchdog|hwmon|thermal|edac|leds|power|rtc)\//, reason: 'of no use to the boot' },
];

/**
 * Why this module is left to the image; undefined: it is loaded.
 * @param alone the image has no modules for the running kernel, so what is left to it nobody drives
 */
export function deferredReason(path: string, alone = false): string | undefined {
  const row = DEFERRED.find((each) => each.path.test(path));
  return row === undefined || row.reason === '' || (alone && row.always !== true) ? undefined : row.reason;
}

/** Whether a module drives a network card, to whatever bus the card is connected. */
export function isNetworkModule(path: string): boolean {
  return /\/drivers\/(net|s390\/net|infiniband)\//.test(path);
}
