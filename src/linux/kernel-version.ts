/** A kernel's version as far as it decides what the kernel can: `6.1.0-56-amd64` is 6.1. */
export interface KernelVersion {
  readonly major: number;
  readonly minor: number;
}

/**
 * The oldest kernel that has all the calls without which there is no boot: overlayfs of 4.19 takes the options of the
 * root (metacopy, xino), Node starts threads and watches files as of 4.18, nbd is connected by netlink as of 4.12.
 */
export const OLDEST_KERNEL: KernelVersion = { major: 4, minor: 19 };

/** What begins with numbers, as `uname -r` and a configuration's head have it; undefined: it is no version. */
export function parseKernelVersion(text: string): KernelVersion | undefined {
  const [, major, minor] = /^(\d{1,4})\.(\d{1,4})(?!\d)/.exec(text) ?? [];
  return major === undefined || minor === undefined ? undefined : { major: Number(major), minor: Number(minor) };
}

/** Why a kernel cannot boot VIVER, for a person; undefined: it is new enough, or its version is no number. */
export function tooOld(release: string): string | undefined {
  const version = parseKernelVersion(release);
  if (version === undefined) return undefined;
  const { major, minor } = OLDEST_KERNEL;
  if (version.major > major || (version.major === major && version.minor >= minor)) return undefined;
  return `Linux ${release} is too old: VIVER needs ${major}.${minor} or newer`;
}
