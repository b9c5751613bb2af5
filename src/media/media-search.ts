import type { BlockDevice, Slot } from './block-devices.ts';
import { type ImageCandidate, mountsOf } from './candidate.ts';

import { messageOf } from './inside.ts';
import { type DeviceReport, findImages, newSearchState, release, releaseMounts, type SearchOptions } from './search.ts';

interface Disk {
  readonly devices: readonly BlockDevice[];
  reports: readonly DeviceReport[];
  /** The first look is under way: what it will show is waited for. */
  isNew: boolean;
  isSearching: boolean;
  /** So many looks have failed. */
  failures: number;
  /** When it is looked at again, in milliseconds; undefined: never. */
  nextMs: number | undefined;
}

/** What makes a disk another one than before under the same name: another medium, or another partition table. */
function identityOf(devices: readonly BlockDevice[]): string {
  const parts = devices.map(({ name, sizeBytes, partition }) => `${name}:${sizeBytes}:${partition?.startBytes ?? ''}`);
  return `${devices[0]?.sequence} ${parts.sort().join(' ')}`;
}

/** A drive without a disc is asked for one so often: that reads nothing. */
const ASK_DRIVE_MS = 1000;
/** A disk that failed is read again after this, and after twice as long each time: each try may cost it and the log. */
const RETRY_MS = { first: 2000, most: 60_000 };

/** When to look again at a disk of which this was seen; undefined: never. */
function nextLookMs(reports: readonly DeviceReport[], failures: number): number | undefined {
  if (reports.some(({ candidates }) => candidates.length > 0)) return undefined;
  if (reports.some(({ again }) => again === 'failed'))
    return Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** (failures - 1));
  // what was silent has a call under way that will tell
  return reports.some(({ again }) => again === 'no medium') ? ASK_DRIVE_MS : undefined;
}

/**
 * The search for images while hardware still appears: told of the block devices again and again, it looks at each disk
 * once, at those that failed again later, and forgets those that have gone.
 */
export class MediaSearch {
  readonly #options: SearchOptions;
  readonly #state = newSearchState();
  readonly #disks = new Map<string, Disk>();
  readonly #asking = new Set<string>();
  /** By path of a slot: when it is asked again. */
  readonly #askMs = new Map<string, number>();
  #isClosed = false;
  #changed = Promise.withResolvers<void>();

  constructor(options: SearchOptions) {
    this.#options = options;
  }

  /**
   * Starts to look at what is new, or due, and returns at once.
   * @param nowMs milliseconds of a clock that only goes forward
   */
  update(devices: readonly BlockDevice[], nowMs: number): void {
    const present = new Map<string, readonly BlockDevice[]>();
    for (const disk of Map.groupBy(devices, (device) => device.disk).values()) present.set(identityOf(disk), disk);
    for (const [identity, disk] of this.#disks) if (!present.has(identity)) this.#forget(identity, disk);
    const due: Disk[] = [];
    for (const [identity, ofDisk] of present) {
      const known = this.#disks.get(identity);
      if (known === undefined) {
        const fresh = { devices: ofDisk, reports: [], isNew: true, isSearching: false, failures: 0, nextMs: undefined };
        this.#disks.set(identity, fresh);
        due.push(fresh);
      } else if (!known.isSearching && known.nextMs !== undefined && nowMs >= known.nextMs) due.push(known);
    }
    if (due.length > 0) this.#look(due, nowMs);
  }

  /**
   * Asks drives and card slots whose medium can be changed, so that the kernel notices one that was put in: it tells of
   * it as of a new disk. Nothing is read. Drives with an image are left alone.
   */
  askSlots(slots: readonly Slot[], nowMs: number): void {
    const inUse = new Set(this.candidates.map(({ device }) => `/dev/${device.disk}`));
    for (const { path, isCd } of slots) {
      const askMs = this.#askMs.get(path);
      if (askMs !== undefined && (inUse.has(path) || this.#asking.has(path) || nowMs < askMs)) continue;
      this.#askMs.set(path, nowMs + ASK_DRIVE_MS);
      // its driver has just asked it
      if (askMs === undefined) continue;
      this.#asking.add(path);
      this.#options.access
        .medium(path, isCd)
        .catch(() => 'none') // it went, or fails: the search says so of what it is asked
        .finally(() => this.#asking.delete(path));
    }
  }

  #look(due: readonly Disk[], nowMs: number): void {
    const byName = new Map(due.map((disk) => [disk.devices[0]?.disk, disk]));
    for (const disk of due) {
      disk.isSearching = true;
      disk.nextMs = undefined;
    }
    const startedMs = performance.now();
    const done = (disk: Disk, reports: readonly DeviceReport[]) => {
      if (!this.#isKnown(disk)) return this.#takeBack(reports);
      disk.reports = reports;
      disk.isNew = false;
      disk.isSearching = false;
      disk.failures += reports.some(({ again }) => again === 'failed') ? 1 : 0;
      const waitMs = nextLookMs(reports, disk.failures);
      disk.nextMs = waitMs === undefined ? undefined : nowMs + (performance.now() - startedMs) + waitMs;
      this.#tell();
    };
    const onDisk = (reports: readonly DeviceReport[]) => {
      const disk = byName.get(reports[0]?.device.disk);
      if (disk !== undefined) done(disk, reports);
    };
    const onLate = (report: DeviceReport) => {
      const disk = byName.get(report.device.disk);
      if (disk === undefined) return;
      const others = disk.reports.filter(({ device }) => device.name !== report.device.name);
      done(disk, [...others, report]);
    };
    findImages(
      due.flatMap(({ devices }) => devices),
      { ...this.#options, onDisk, onLate },
      this.#state,
    ).catch((error: unknown) => {
      // a mount that could not be taken down, for instance: the boot goes on with what the other disks hold
      const failed = (device: BlockDevice): DeviceReport => ({
        device,
        candidates: [],
        seen: messageOf(error),
        again: 'failed',
      });
      for (const disk of due) if (disk.isSearching) done(disk, disk.devices.map(failed));
    });
  }

  #isKnown(disk: Disk): boolean {
    return !this.#isClosed && [...this.#disks.values()].includes(disk);
  }

  #forget(identity: string, disk: Disk): void {
    this.#disks.delete(identity);
    for (const { path } of disk.devices) this.#state.btrfs.leave(path);
    this.#takeBack(disk.reports);
  }

  #takeBack(reports: readonly DeviceReport[]): void {
    release(reports, this.#options.access).catch(() => {}); // the device went, its mount may have gone first
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** Disks that have not been seen through yet, for the first time. */
  get underWay(): readonly BlockDevice[] {
    return [...this.#disks.values()].filter(({ isNew }) => isNew).flatMap(({ devices }) => devices[0] ?? []);
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

  /**
   * Unmounts every medium but those of `keep`, and looks at nothing any more: what a look that is under way has mounted
   * is taken down when it ends.
   */
  async release(keep: readonly ImageCandidate[]): Promise<void> {
    this.#isClosed = true;
    const kept = new Set(keep.flatMap(mountsOf));
    const all = this.candidates.flatMap(mountsOf).filter((path) => !kept.has(path));
    await releaseMounts(all, this.#options.access);
  }
}
