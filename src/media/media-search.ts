import type { BlockDevice } from './block-devices.ts';
import type { ImageCandidate } from './candidate.ts';
import { type DeviceReport, findImages, release, type SearchOptions } from './search.ts';

interface Disk {
  /** The whole disk, or what is known of it. */
  readonly device: BlockDevice;
  reports: readonly DeviceReport[];
  searching: boolean;
}

/** What makes a disk another one than before under the same name: another medium, or another partition table. */
function identityOf(devices: readonly BlockDevice[]): string {
  const parts = devices.map(({ name, sizeBytes, partition }) => `${name}:${sizeBytes}:${partition?.startBytes ?? ''}`);
  return `${devices[0]?.sequence} ${parts.sort().join(' ')}`;
}

export interface UpdateOptions {
  /** Look again at disks that could not be read, such as a drive that had no disc in it. */
  readonly retryFailed?: boolean;
}

/**
 * The search for images while hardware still appears: told of the block devices again and again, it looks at each disk
 * once, and forgets those that have gone.
 */
export class MediaSearch {
  readonly #options: SearchOptions;
  readonly #disks = new Map<string, Disk>();
  #changed = Promise.withResolvers<void>();

  constructor(options: SearchOptions) {
    this.#options = options;
  }

  /** Starts to look at what is new and returns at once. */
  update(devices: readonly BlockDevice[], { retryFailed = false }: UpdateOptions = {}): void {
    const present = new Map<string, readonly BlockDevice[]>();
    for (const disk of Map.groupBy(devices, (device) => device.disk).values()) present.set(identityOf(disk), disk);
    for (const [identity, disk] of this.#disks) {
      const failed = !disk.searching && disk.reports.some((report) => report.failed);
      if (present.has(identity) && !(retryFailed && failed && !hasCandidates(disk))) continue;
      this.#disks.delete(identity);
      void release(disk.reports, this.#options.access).catch(() => {}); // the device went, its mount may have gone first
    }
    const fresh = [...present].filter(([identity]) => !this.#disks.has(identity));
    if (fresh.length === 0) return;
    const searches = new Map<string, Disk>();
    for (const [identity, [device]] of fresh) {
      if (device === undefined) continue;
      const search: Disk = { device, reports: [], searching: true };
      this.#disks.set(identity, search);
      searches.set(device.disk, search);
    }
    const onDisk = (reports: readonly DeviceReport[]) => {
      const search = searches.get(reports[0]?.device.disk ?? '');
      if (search === undefined) return;
      search.reports = reports;
      search.searching = false;
      this.#tell();
    };
    void findImages(
      fresh.flatMap(([, disk]) => disk),
      { ...this.#options, onDisk },
    );
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** Disks that have not been seen through yet. */
  get underWay(): readonly BlockDevice[] {
    return [...this.#disks.values()].filter(({ searching }) => searching).map(({ device }) => device);
  }

  /** What was seen on each device so far. */
  get reports(): readonly DeviceReport[] {
    return [...this.#disks.values()].flatMap((disk) => disk.reports);
  }

  get candidates(): readonly ImageCandidate[] {
    return this.reports.flatMap((report) => report.candidates);
  }

  /** Resolves when the next disk has been seen through. */
  get changed(): Promise<void> {
    return this.#changed.promise;
  }

  /** Unmounts every medium but those of `keep`. Media still being looked at stay: their reports are not in yet. */
  async release(keep: readonly ImageCandidate[]): Promise<void> {
    const kept = new Set(keep.map((candidate) => candidate.mountpoint));
    const others = this.reports.map((report) => ({
      candidates: report.candidates.filter((candidate) => !kept.has(candidate.mountpoint)),
    }));
    await release(others, this.#options.access);
  }
}

function hasCandidates(disk: Disk): boolean {
  return disk.reports.some((report) => report.candidates.length > 0);
}
