import type { ConfigFile } from './modprobe-config.ts';

/**
 * What modules ask the kernel for while they work (request_module), and which no table of the kernel says. Before the
 * root is there nobody answers such a call, so these come along beforehand, as softdeps in modprobe.d's words.
 */
const REQUESTED: readonly { readonly module: string; readonly wants: string; readonly reason: string }[] = [
  { module: 'vfat', wants: 'nls_cp437 nls_ascii nls_iso8859_1 nls_utf8', reason: 'names in the default code pages' },
  { module: 'isofs', wants: 'nls_utf8 nls_iso8859_1', reason: 'Joliet names in the default code page' },
  { module: 'ntfs3', wants: 'nls_utf8', reason: 'names in the default code page' },
  { module: 'exfat', wants: 'nls_utf8', reason: 'names in the default code page' },
  { module: 'xfs', wants: 'crc32c', reason: 'checksums of its metadata' },
];

/** Parameters that differ from the kernel's defaults; a later one, from modprobe.d or the command line, overrides. */
const PARAMETERS: readonly { readonly module: string; readonly parameters: string; readonly reason: string }[] = [
  {
    module: 'usb_storage',
    parameters: 'delay_use=0',
    // Firmware has just read the loader from that stick, or it has been powered since the host came up; INQUIRY is
    // repeated and a disk that still spins up is waited for by sd. usb-storage.delay_use=1 brings the second back.
    reason: 'the kernel otherwise waits a second before it looks at a stick',
  },
  {
    module: 'nbd',
    parameters: 'nbds_max=1',
    // More come as they are asked for by netlink (nbd-client, viver); nbd.nbds_max=16 has them from the start.
    reason: "the kernel otherwise makes 16 devices that the image's udev has to look at",
  },
];

/** VIVER's own configuration of modules, to be read before modprobe.d. */
export const BOOT_CONFIG: ConfigFile = {
  name: 'viver',
  text: [
    ...REQUESTED.map(({ module, wants }) => `softdep ${module} pre: ${wants}\n`),
    ...PARAMETERS.map(({ module, parameters }) => `options ${module} ${parameters}\n`),
  ].join(''),
};
