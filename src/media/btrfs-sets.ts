/** A device of a btrfs over several, and what is to be done about it. */
export type BtrfsPlace =
  /** All of its devices are here: mount it by this one. */
  | { readonly kind: 'complete' }
  | { readonly kind: 'missing'; readonly here: number }
  /** It is mounted by another of its devices already. */
  | { readonly kind: 'elsewhere'; readonly path: string };

interface Known {
  readonly paths: Set<string>;
  mountedBy: string | undefined;
}

/** Which devices of each btrfs over several have been seen. */
export class BtrfsSets {
  readonly #sets = new Map<string, Known>();

  /** @param devices so many belong to the file system */
  arrive(uuid: string, devices: number, path: string): BtrfsPlace {
    const set = this.#sets.get(uuid) ?? { paths: new Set<string>(), mountedBy: undefined };
    this.#sets.set(uuid, set);
    set.paths.add(path);
    if (set.mountedBy !== undefined && set.mountedBy !== path) return { kind: 'elsewhere', path: set.mountedBy };
    if (set.paths.size < devices) return { kind: 'missing', here: set.paths.size };
    set.mountedBy = path;
    return { kind: 'complete' };
  }

  /** The device has gone, or could not be mounted: another one may be asked. */
  leave(path: string): void {
    for (const set of this.#sets.values()) {
      set.paths.delete(path);
      if (set.mountedBy === path) set.mountedBy = undefined;
    }
  }
}
