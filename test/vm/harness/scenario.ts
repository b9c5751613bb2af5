/**
 * A scenario is a record of one machine: its parts, what it boots, and the steps from power-on to the end. See
 * run-scenario.ts for what runs it and docs in each field for what QEMU makes of it.
 */

import type { Firmware } from './firmware.ts';

/** How a disk is connected; buses.ts has the QEMU devices behind each word. */
export type Bus =
  | 'ide'
  | 'ide-cd'
  | 'sata'
  | 'sata-cd'
  | 'nvme'
  | 'virtio'
  | 'scsi'
  | 'scsi-cd'
  | 'lsi'
  | 'megasas'
  | 'pvscsi'
  | 'usb'
  | 'usb2'
  | 'uas'
  | 'sd';

/** A read (or write) that fails with errno (5 is EIO), everywhere or where a request touches one 512-byte sector. */
export interface DiskError {
  readonly on: 'read' | 'write';
  readonly errno: number;
  readonly sector?: number;
}

export interface Disk {
  /** Names the disk in attach and detach steps; letters and digits. */
  readonly name: string;
  readonly bus: Bus;
  /** A raw image. Left out: a disk of zeroes of sizeBytes. */
  readonly file?: string;
  /** Size the machine sees, when it is more than the file (an SD card must have a power of two). */
  readonly sizeBytes?: number;
  /** A drive or card reader without a medium (of a kind whose medium can be changed); an insert step puts one in. */
  readonly empty?: boolean;
  /** Logical and physical block size of the disk, 512 unless given; not for CDs. */
  readonly blockBytes?: 512 | 4096;
  /** What the machine writes goes into the file itself. Otherwise it goes into an overlay that is thrown away. */
  readonly keepWrites?: boolean;
  readonly bytesPerSecond?: number;
  readonly errors?: readonly DiskError[];
  /** Not there at power-on; an attach step brings it. */
  readonly later?: boolean;
  /** 1 boots first. Without direct kernel boot, disks are tried in the order of the list by themselves. */
  readonly bootIndex?: number;
}

export interface Nic {
  /** Names the card in link steps. */
  readonly name: string;
  readonly model:
    | 'virtio-net-pci'
    | 'e1000'
    | 'e1000e'
    | 'rtl8139'
    | 'vmxnet3'
    | 'usb-net'
    | 'igb'
    | 'pcnet'
    | 'ne2k_pci'
    | 'i82550';
  readonly mac?: string;
  /** The wire it is on: machines whose cards name the same wire see each other. Left out: no cable. */
  readonly wire?: string;
  /** Try to boot from it (PXE), 1 first. */
  readonly bootIndex?: number;
  /**
   * Which PXE code: the card's own ROM, which is iPXE (default), or what the firmware has for it (UEFI, virtio-net).
   * `http`: the firmware boots by HTTP, and PXE is switched off in it.
   */
  readonly pxe?: 'rom' | 'firmware' | 'http';
}

/** Kernel and initrd handed over by QEMU, without a boot loader. */
export interface DirectKernel {
  readonly kernel: string;
  readonly initrd?: string;
  readonly commandLine: string;
}

/** A device as QEMU's -device and device_add take it. */
export type Device = { readonly driver: string; readonly id?: string } & Readonly<
  Record<string, string | number | boolean>
>;

export type Step =
  /** A complete console line, from the last match on. */
  | { readonly wait: string | RegExp; readonly within: number }
  /** Text that no end of line need follow, as a login prompt's. */
  | { readonly prompt: string | RegExp; readonly within: number }
  | { readonly type: string }
  /** A command for the shell a LOGIN left; its status must be 0 (or the given one), its output match `output`. */
  | {
      readonly run: string;
      readonly output?: string | RegExp;
      readonly status?: number;
      readonly within?: number;
    }
  | { readonly pauseSeconds: number; readonly because: string }
  | { readonly attach: string }
  | { readonly detach: string; readonly within?: number }
  /** A medium, an image file, is put into an empty drive. */
  | { readonly insert: string; readonly file: string }
  | { readonly link: string; readonly up: boolean }
  | { readonly qmp: string; readonly arguments?: Readonly<Record<string, unknown>> }
  /** The guest must switch the machine off, or restart it, by itself. */
  | { readonly expect: 'power-off' | 'reset'; readonly within: number };

export interface Scenario {
  /** Unique; names the directory under build/vm/. */
  readonly name: string;
  /** Default: bios. `secure-boot` is UEFI with Microsoft's keys. */
  readonly firmware?: Firmware;
  /** Default: pc when a disk is on IDE, else q35. */
  readonly machine?: 'pc' | 'q35';
  /** Default: 1. An emulated processor more makes a machine faster and takes more of the host's for the same. */
  readonly cpus?: number;
  readonly memoryMiB?: number;
  /** What its clock shows at power-on, as `2000-01-01T00:00:00`. Default: the time. */
  readonly clock?: string;
  readonly disks?: readonly Disk[];
  readonly nics?: readonly Nic[];
  readonly kernel?: DirectKernel;
  /** Where the console is: a serial port (default), or a virtio console on a machine without any serial port. */
  readonly console?: 'serial' | 'virtio';
  /** More devices, as they are. */
  readonly devices?: readonly Device[];
  readonly steps: readonly Step[];
  /** A console line that matches one of these ends the scenario as failed. Default: FORBIDDEN. */
  readonly forbidden?: readonly RegExp[];
  /** The machine may still run after the last step; it is then switched off hard. Default: false. */
  readonly mayStillRun?: boolean;
}

export const FORBIDDEN: readonly RegExp[] = [
  /Kernel panic/,
  /\bBUG: /,
  /\bOops: /,
  /general protection fault/,
  /soft lockup/,
  /Out of memory: Killed/,
];
