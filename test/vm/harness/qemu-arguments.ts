import { isCd, machineType, planDiskDevices } from './buses.ts';
import type { UefiFiles } from './firmware.ts';
import type { Device, Disk, Nic, Scenario } from './scenario.ts';

export interface Surroundings {
  readonly accelerator: 'tcg' | 'kvm';
  /** Where each disk's bytes are: the file itself or the overlay over it. */
  readonly backing: ReadonlyMap<string, { readonly file: string; readonly format: 'raw' | 'qcow2' }>;
  /** Firmware for UEFI: the read-only code and this machine's own copy of the variables. */
  readonly uefi?: UefiFiles;
  /** File descriptors the machine inherits: QMP, and one per card on a wire. */
  readonly qmpFd: number;
  readonly wireFds: ReadonlyMap<string, number>;
}

type Json = Readonly<Record<string, unknown>>;

/** The block graph of one disk, lowest node first; the last one is named as the disk is. */
function blockNodes(disk: Disk, backing: Surroundings['backing']): readonly Json[] {
  const nodes: Json[] = [];
  const readOnly = isCd(disk.bus);
  const where = backing.get(disk.name);
  nodes.push(
    where === undefined
      ? { driver: 'null-co', size: disk.sizeBytes ?? 1 << 20, 'read-zeroes': true, 'read-only': readOnly }
      : {
          driver: where.format,
          file: { driver: 'file', filename: where.file, 'read-only': readOnly },
          'read-only': readOnly,
          discard: 'unmap',
        },
  );
  if (disk.errors !== undefined) {
    nodes.push({
      driver: 'blkdebug',
      'read-only': readOnly,
      // The event none with an iotype fires on every request, whatever the layer above calls it.
      'inject-error': disk.errors.map((error) => ({
        event: 'none',
        iotype: error.on,
        errno: error.errno,
        once: false,
        ...(error.sector === undefined ? {} : { sector: error.sector }),
      })),
    });
  }
  if (disk.bytesPerSecond !== undefined) {
    nodes.push({ driver: 'throttle', 'throttle-group': `${disk.name}-throttle`, 'read-only': readOnly });
  }
  return nodes.map((node, depth) => {
    const name = depth === nodes.length - 1 ? disk.name : `${disk.name}-${depth}`;
    const below = `${disk.name}-${depth - 1}`;
    if (depth === 0) return { ...node, 'node-name': name };
    return { ...node, 'node-name': name, [node.driver === 'blkdebug' ? 'image' : 'file']: below };
  });
}

const device = (value: Device): readonly string[] => ['-device', JSON.stringify(value)];

function diskArguments(scenario: Scenario, surroundings: Surroundings): readonly string[] {
  const disks = scenario.disks ?? [];
  const devices = planDiskDevices(scenario);
  const args: string[] = [];
  for (const disk of disks) {
    if (disk.bytesPerSecond === undefined) continue;
    const limits = { 'bps-read': disk.bytesPerSecond };
    args.push('-object', JSON.stringify({ 'qom-type': 'throttle-group', id: `${disk.name}-throttle`, limits }));
  }
  for (const disk of disks) {
    // a drive of its own, so that a medium can be put into it
    if (disk.empty) args.push('-drive', `if=none,id=${disk.name}`);
    else for (const node of blockNodes(disk, surroundings.backing)) args.push('-blockdev', JSON.stringify(node));
  }
  for (const controller of devices.controllers) args.push(...device(controller));
  for (const disk of disks) {
    if (!disk.later) args.push(...(devices.disks.get(disk.name) ?? []).flatMap(device));
  }
  return args;
}

/** Without a boot index the card's ROM only costs start-up time. */
function hasRom({ model, bootIndex, pxe = 'rom' }: Nic): boolean {
  return model === 'usb-net' || (bootIndex !== undefined && pxe === 'rom');
}

function nicArguments(scenario: Scenario, surroundings: Surroundings): readonly string[] {
  const args: string[] = ['-nic', 'none'];
  for (const nic of scenario.nics ?? []) {
    const fd = surroundings.wireFds.get(nic.name);
    const netdev = `${nic.name}-netdev`;
    args.push('-netdev', fd === undefined ? `hubport,id=${netdev},hubid=99` : `socket,id=${netdev},fd=${fd}`);
    args.push(
      ...device({
        driver: nic.model,
        id: nic.name,
        netdev,
        ...(nic.mac === undefined ? {} : { mac: nic.mac }),
        ...(nic.bootIndex === undefined ? {} : { bootindex: nic.bootIndex }),
        ...(hasRom(nic) ? {} : { romfile: '' }),
      }),
    );
  }
  return [...args, ...withoutPxe(scenario)];
}

/** The switches that a firmware's setup has for PXE, as OVMF takes them from QEMU: HTTP is then its first entry. */
function withoutPxe({ nics = [] }: Scenario): readonly string[] {
  if (!nics.some(({ pxe }) => pxe === 'http')) return [];
  return ['IPv4', 'IPv6'].flatMap((ip) => ['-fw_cfg', `name=opt/org.tianocore/${ip}PXESupport,string=n`]);
}

/** With graphics=off, SeaBIOS and the boot ROMs it runs write to the serial console, so their words are in its log. */
function bootsFromCard(scenario: Scenario): boolean {
  return (scenario.nics ?? []).some((nic) => nic.bootIndex !== undefined);
}

function consoleArguments({ console = 'serial' }: Scenario): readonly string[] {
  if (console === 'serial') return ['-serial', 'chardev:console'];
  const port = { driver: 'virtconsole', chardev: 'console' };
  return [...device({ driver: 'virtio-serial-pci', id: 'console-bus' }), ...device(port)];
}

/**
 * QEMU's arguments for a scenario. The machine starts paused (-S) so that power-on is the moment QMP says `cont`.
 * The CPU model is fixed: under TCG qemu64 is several times faster than max, and figures stay comparable.
 */
export function qemuArguments(scenario: Scenario, surroundings: Surroundings): readonly string[] {
  const accelerator = surroundings.accelerator === 'kvm' ? 'kvm' : 'tcg,thread=multi';
  const machine = [
    machineType(scenario),
    ...(bootsFromCard(scenario) ? ['graphics=off'] : []),
    ...(surroundings.uefi?.smm === true ? ['smm=on'] : []),
  ].join(',');
  const args = [
    ...['-name', scenario.name, '-nodefaults', '-no-user-config', '-S'],
    ...['-machine', machine],
    // Firmware that has found nothing to boot from begins anew, as a PC's does.
    ...(bootsFromCard(scenario) ? ['-boot', 'reboot-timeout=5000'] : []),
    ...['-accel', accelerator, '-cpu', 'qemu64'],
    ...['-smp', String(scenario.cpus ?? 1), '-m', `${scenario.memoryMiB ?? 2048}M`],
    ...(scenario.clock === undefined ? [] : ['-rtc', `base=${scenario.clock}`]),
    ...['-display', 'none', '-vga', 'std'],
    ...['-chardev', 'stdio,id=console,signal=off', ...consoleArguments(scenario)],
    ...['-chardev', `socket,id=qmp,fd=${surroundings.qmpFd}`, '-mon', 'chardev=qmp,mode=control'],
  ];
  if (surroundings.uefi !== undefined) {
    if (surroundings.uefi.smm) args.push('-global', 'driver=cfi.pflash01,property=secure,value=on');
    args.push('-drive', `if=pflash,format=raw,readonly=on,file=${surroundings.uefi.code}`);
    args.push('-drive', `if=pflash,format=raw,file=${surroundings.uefi.variables}`);
  }
  if (scenario.kernel !== undefined) {
    args.push('-kernel', scenario.kernel.kernel, '-append', scenario.kernel.commandLine);
    if (scenario.kernel.initrd !== undefined) args.push('-initrd', scenario.kernel.initrd);
  }
  args.push(...diskArguments(scenario, surroundings), ...nicArguments(scenario, surroundings));
  args.push(...(scenario.devices ?? []).flatMap(device));
  return args;
}
