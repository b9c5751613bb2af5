import { mount, umount } from '../linux/mount.ts';

/** The calls that building and taking down a root makes; a test gives its own. */
export interface Mounter {
  readonly mount: typeof mount;
  readonly umount: typeof umount;
}

export const mounter: Mounter = { mount, umount };
