/** A kernel that lies in a tree. */
export interface FoundKernel {
  /** Below the tree's root. */
  readonly path: string;
  /** As in uname -r. */
  readonly version: string;
  /** Whether the tree has its modules. */
  readonly hasModules: boolean;
}

/** Newest first; of one version the one that a family names first. */
export function newestFirst(kernels: readonly FoundKernel[]): FoundKernel[] {
  // Made here: no object of Intl's can be in the snapshot that the executable starts from.
  const versionOrder = new Intl.Collator('en', { numeric: true });
  return kernels.toSorted((a, b) => versionOrder.compare(b.version, a.version));
}

/**
 * The kernel that an image boots others with: of the version that was asked for, else the newest that has modules. Pure.
 * @throws Error saying what there is, and what to do
 */
export function chooseKernel(kernels: readonly FoundKernel[], source: string, asked?: string): FoundKernel {
  const sorted = newestFirst(kernels);
  const there = [
    ...new Set(sorted.map(({ version, hasModules }) => (hasModules ? version : `${version} without modules`))),
  ];
  const list = there.length === 0 ? 'none' : there.join(', ');
  if (asked !== undefined) {
    const found = sorted.filter(({ version }) => version === asked);
    const chosen = found.find(({ hasModules }) => hasModules);
    if (chosen !== undefined) return chosen;
    const what = found.length === 0 ? `no kernel ${asked}` : `no modules of the kernel ${asked}`;
    throw new Error(`${source} has ${what} (there: ${list})`);
  }
  const chosen = sorted.find(({ hasModules }) => hasModules);
  if (chosen !== undefined) return chosen;
  throw new Error(
    `${source} has no kernel with modules (there: ${list}): others cannot boot from such an image. Install one in it, ` +
      'give one by --kernel FILE --viverrd FILE, or say --no-kernel',
  );
}

/** The part of `path` where the pattern has VERSION; `''` where it has none; undefined when it does not fit. */
export function versionIn(pattern: string, path: string): string | undefined {
  const source = pattern
    .replace(/[.*+?^${}()|[\]\\]/g, (c) => (c === '*' ? '[^/]+' : `\\${c}`))
    .replace('VERSION', '([^/]+)');
  const found = RegExp(`^${source}$`).exec(path);
  return found === null ? undefined : (found[1] ?? '');
}
