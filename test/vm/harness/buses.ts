import type { Bus, Device, Disk, Scenario } from './scenario.ts';

interface BusRow {
  /** Shared by all disks of the bus. */
  readonly controller?: Device;
  /** The devices of one disk, in the order they are plugged; the last one holds the drive. `unit` counts per bus. */
  readonly disk: (disk: Disk, unit: number) => readonly Device[];
  /** A PCI function of its own: hot-plugging it on q35 takes a root port. */
  readonly ownPciFunction?: boolean;
}

const scsi = (controller: string, driver: 'scsi-hd' | 'scsi-cd', lunsPerTarget: number): BusRow => ({
  controller: { driver: controller, id: controller },
  disk: (disk, unit) => [
    {
      driver,
      bus: `${controller}.0`,
      'scsi-id': Math.floor(unit / lunsPerTarget),
      lun: unit % lunsPerTarget,
      drive: disk.name,
    },
  ],
});

const BUSES: Readonly<Record<Bus, BusRow>> = {
  ide: { disk: (disk, unit) => [{ driver: 'ide-hd', bus: `ide.${unit >> 1}`, unit: unit & 1, drive: disk.name }] },
  'ide-cd': { disk: (disk, unit) => [{ driver: 'ide-cd', bus: `ide.${unit >> 1}`, unit: unit & 1, drive: disk.name }] },
  sata: { disk: (disk, unit) => [{ driver: 'ide-hd', bus: `ide.${unit}`, drive: disk.name }] },
  'sata-cd': { disk: (disk, unit) => [{ driver: 'ide-cd', bus: `ide.${unit}`, drive: disk.name }] },
  nvme: {
    disk: (disk) => [{ driver: 'nvme', serial: `viver-${disk.name}`, drive: disk.name }],
    ownPciFunction: true,
  },
  virtio: { disk: (disk) => [{ driver: 'virtio-blk-pci', drive: disk.name }], ownPciFunction: true },
  scsi: scsi('virtio-scsi-pci', 'scsi-hd', 200),
  'scsi-cd': scsi('virtio-scsi-pci', 'scsi-cd', 200),
  lsi: scsi('lsi53c895a', 'scsi-hd', 1),
  megasas: scsi('megasas', 'scsi-hd', 1),
  pvscsi: scsi('pvscsi', 'scsi-hd', 1),
  usb: {
    controller: { driver: 'qemu-xhci', id: 'xhci' },
    disk: (disk) => [{ driver: 'usb-storage', bus: 'xhci.0', removable: true, drive: disk.name }],
  },
  usb2: {
    controller: { driver: 'usb-ehci', id: 'ehci' },
    disk: (disk) => [{ driver: 'usb-storage', bus: 'ehci.0', removable: true, drive: disk.name }],
  },
  uas: {
    controller: { driver: 'qemu-xhci', id: 'xhci' },
    disk: (disk) => [
      { driver: 'usb-uas', bus: 'xhci.0', id: `${disk.name}-uas` },
      { driver: 'scsi-hd', bus: `${disk.name}-uas.0`, drive: disk.name },
    ],
  },
  sd: { controller: { driver: 'sdhci-pci', id: 'sdhci' }, disk: (disk) => [{ driver: 'sd-card', drive: disk.name }] },
};

/** QEMU has no bootindex for these; the firmware finds them last. */
const WITHOUT_BOOT_INDEX: readonly Bus[] = ['sd'];

export const isCd = (bus: Bus): boolean => bus.endsWith('-cd');

export interface DiskDevices {
  /** By disk name, in plugging order; the last one's id is the disk's name. */
  readonly disks: ReadonlyMap<string, readonly Device[]>;
  readonly controllers: readonly Device[];
}

export function machineType(scenario: Scenario): 'pc' | 'q35' {
  return scenario.machine ?? ((scenario.disks ?? []).some((disk) => disk.bus.startsWith('ide')) ? 'pc' : 'q35');
}

/** The devices that connect a scenario's disks. */
export function planDiskDevices(scenario: Scenario): DiskDevices {
  const controllers = new Map<string, Device>();
  const units = new Map<string, number>();
  const disks = new Map<string, readonly Device[]>();
  for (const [position, disk] of (scenario.disks ?? []).entries()) {
    const row = BUSES[disk.bus];
    const family = disk.bus.replace('-cd', '');
    const unit = units.get(family) ?? 0;
    units.set(family, unit + 1);
    if (row.controller !== undefined) controllers.set(String(row.controller.id), row.controller);
    const bootIndex = disk.bootIndex ?? (scenario.kernel === undefined && !disk.later ? position + 10 : undefined);
    const devices = [...row.disk(disk, unit)];
    const last = devices.pop();
    if (last === undefined) continue;
    const port = row.ownPciFunction && disk.later && machineType(scenario) === 'q35' ? `${disk.name}-port` : undefined;
    if (port !== undefined) {
      controllers.set(port, { driver: 'pcie-root-port', id: port, chassis: position + 1, slot: position + 1 });
    }
    disks.set(disk.name, [
      ...devices,
      {
        ...last,
        id: disk.name,
        ...(disk.blockBytes === undefined
          ? {}
          : { logical_block_size: disk.blockBytes, physical_block_size: disk.blockBytes }),
        ...(port === undefined ? {} : { bus: port }),
        ...(bootIndex === undefined || WITHOUT_BOOT_INDEX.includes(disk.bus) ? {} : { bootindex: bootIndex }),
      },
    ]);
  }
  return { disks, controllers: [...controllers.values()] };
}
