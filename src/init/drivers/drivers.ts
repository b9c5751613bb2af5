import { existsSync } from 'node:fs';
import {
  chosenModules,
  type FirmwareLack,
  firmwareBelow,
  lackingFirmware,
  readNamedFirmware,
  undrivenForFirmware,
} from '../../hardware/firmware.ts';
import type { LoadOutcome } from '../../hardware/load.ts';
import type { ModuleIndex } from '../../hardware/module-index.ts';
import type { Pending } from '../../hardware/pending.ts';
import type { PlannedWant } from '../../hardware/plan.ts';
import { sysTree } from '../../hardware/sys-tree.ts';
import { type HardwareWatch, watchHardware } from '../../hardware/watch.ts';
import { describeError } from '../../linux/describe-error.ts';
import { openUevents } from '../../linux/netlink/uevent.ts';
import type { SyscallPool } from '../../linux/syscall-pool.ts';
import { type MediaAccess, mediaAccess } from '../../media/media-access.ts';
import { readStartFiles, startFilesBelow } from '../../root/read-ahead.ts';
import type { BootLog, StageDone } from '../boot-log.ts';
import type { BootOptions } from '../command-line.ts';
import { wantsNetwork } from '../source/source-order.ts';
import { isBegunAgain } from '../take-up.ts';
import { runningKernel } from './image-modules.ts';
import { ModuleQueue } from './module-queue.ts';
import { modulePlaces, type OwnModules, openOwnModules } from './own-modules.ts';

/** A card shows its address some time after its driver has started, which no event of a module tells. */
const CARD_LOOK_MS = 20;
/** What has not shown its address so long after all drivers have started has none, or has no driver here. */
const CARD_SHOWS_MS = 2000;

/** The hardware of this machine while it boots: its drivers, and the threads that load them and mount media. */
export class Drivers {
  readonly mediaAccess: MediaAccess;
  readonly #watch: HardwareWatch;
  readonly #queue: ModuleQueue;
  readonly #pool: SyscallPool;
  readonly #stop: AbortController;

  /** Why the initrd has no modules for this kernel; undefined: it has. */
  readonly problem: string | undefined;
  readonly #index: ModuleIndex;

  constructor(
    watch: HardwareWatch,
    queue: ModuleQueue,
    pool: SyscallPool,
    stop: AbortController,
    { index, problem }: OwnModules,
  ) {
    this.problem = problem;
    this.#index = index;
    this.#watch = watch;
    this.#queue = queue;
    this.#pool = pool;
    this.#stop = stop;
    this.mediaAccess = mediaAccess(pool);
  }

  /** Loads modules by name with all they need; one that is built in or not there is no error. */
  async ensureModules(names: readonly string[]): Promise<void> {
    using _ = this.#queue.hurry();
    await this.#watch.ensureModules(names);
  }

  /** Until this is disposed of, no module is started on this thread: for a measurement. */
  pause(): Disposable {
    return this.#queue.pause();
  }

  /** While a disk is looked at, the thread that will mount it is not given to a driver that waits for others. */
  lookingAtDisks(looking: boolean): void {
    this.#queue.holdSlow(looking);
  }

  /** Loads the network's drivers too, where they were left to the image. */
  async includeNetwork(): Promise<void> {
    if (this.#watch.includeNetwork()) await this.#watch.rescan();
  }

  /** The image is there: what drives no disk, and has not been looked at yet, is left for the image's udev. */
  leaveRest(left: boolean): void {
    this.#queue.leaveRest(left);
  }

  /**
   * Drives all that was left, the network too: the image has nothing that would.
   * @param alone the image has no modules for this kernel either, so what is of no use to the boot is driven as well
   * @returns whether all of it has started within `limitMs`
   */
  async driveRest(limitMs: number, alone: boolean): Promise<boolean> {
    this.#queue.leaveRest(false);
    using limit = new DisposableStack();
    const late = new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), limitMs);
      limit.defer(() => clearTimeout(timer));
    });
    if (alone) this.#watch.includeAll();
    else this.#watch.includeNetwork();
    return Promise.race([this.#watch.rescan().then(() => true), late]);
  }

  /**
   * Loads the network's drivers, with what else comes in the meantime, until `isEnough` or `limitMs` is over, or all have
   * started some time ago.
   * @returns whether it was enough
   */
  async driveCards(isEnough: () => boolean, limitMs: number): Promise<boolean> {
    let endMs = performance.now() + limitMs;
    this.#queue.leaveRest(false);
    this.#watch.includeNetwork();
    // Not awaited: it ends with the boot, when the rest is left again. Modules that fail are told of by the watch.
    const scan = this.#watch.rescan().then(() => {
      endMs = Math.min(endMs, performance.now() + CARD_SHOWS_MS);
    });
    const failed = new Promise<never>((_, reject) => scan.catch(reject));
    while (!isEnough() && performance.now() < endMs) await Promise.race([this.changed(CARD_LOOK_MS), failed]);
    this.#queue.leaveRest(true);
    return isEnough();
  }

  /** What may still bring a medium by itself. */
  pending(): readonly Pending[] {
    return this.#watch.pending();
  }

  /** Resolves when the hardware changes, at the latest after `timeoutMs`. */
  changed(timeoutMs: number): Promise<void> {
    return this.#watch.changed(timeoutMs);
  }

  outcomes(): Promise<readonly LoadOutcome[]> {
    return this.#watch.outcomes();
  }

  /** Each device and name with its modules and reasons. */
  get wants(): readonly PlannedWant[] {
    return this.#watch.wants;
  }

  /** Drivers that were loaded, and whose firmware is not in the initrd. */
  firmwareLacks(): FirmwareLack[] {
    const chosen = chosenModules(this.#watch.wants, ['load']);
    const here = firmwareBelow((path) => path, runningKernel());
    return lackingFirmware(chosen, readNamedFirmware(this.#index, chosen), here);
  }

  /** A line for each device that may hold the image, or lead to it, and that stands still for lack of firmware. */
  undriven(): string[] {
    const lines = undrivenForFirmware(this.#watch.wants, this.firmwareLacks(), isDriven);
    return lines.map((line) => `${line} (make initrd FIRMWARE=yes)`);
  }

  /** Reads on a thread of those that load modules what the image's init is started from. */
  async readAhead(root: string, program: string): Promise<void> {
    await readStartFiles(
      program,
      startFilesBelow(root, (path) => this.#pool.read(path)),
    );
  }

  close(): void {
    this.#stop.abort();
    this.#pool.close();
  }
}

/** Whether a driver has taken a device, by its path in sysfs. */
export function isDriven(device: string): boolean {
  return existsSync(`/sys${device}/driver`);
}

/** What every root is made of (build-root.ts): loaded while disks are still looked for. */
export const ROOT_MODULES = ['loop', 'squashfs', 'overlay'];
/** What the image most often lies on; others are loaded when a medium turns out to have them. */
const LIKELY_FILE_SYSTEMS = ['ext4', 'isofs'];

/** Consoles whose driver is no part of most kernels: who sits there sees nothing before it is loaded. */
function consoleModules({ consoles }: BootOptions): readonly string[] {
  return consoles.some((name) => /^hvc\d/.test(name)) ? ['virtio_console'] : [];
}

/** Why network drivers are not loaded here: the image's udev loads them a second later, in parallel with its services. */
const NETWORK_DEFERRED = 'the network is not needed for a local medium: left to the image';

/** Stage `hardware`: drivers for everything that is connected, and from now on for everything that comes. */
export async function startDrivers(options: BootOptions, pool: SyscallPool, log: BootLog): Promise<StageDone<Drivers>> {
  const stop = new AbortController();
  const queue = new ModuleQueue(pool, (path, parameters) => log.detail(`loaded ${path} ${parameters}`));
  const own = openOwnModules(modulePlaces());
  const { index, problem } = own;
  // They were deleted when the system before took over; what they drive goes on.
  if (problem !== undefined && !isBegunAgain()) log.warn(problem);
  const { watch, cold } = watchHardware({
    tree: sysTree(),
    index,
    loader: queue,
    // Who boots from the network waits for its card, others for a disk and for nothing else.
    ...(wantsNetwork(options)
      ? { plan: { weakdeps: true } }
      : { plan: { weakdeps: true, deferNetwork: NETWORK_DEFERRED }, quiet: () => queue.quiet() }),
    onFailure: (text) => {
      // What the threads had not begun when the root took over, the image's udev does.
      if (!stop.signal.aborted) log.warn(text);
    },
    listen: (onEvent, onLost) => {
      const onError = (error: Error) => log.warn(`device events: ${error.message}`);
      openUevents({ onEvent, onOverrun: onLost, onError }, stop.signal);
    },
  });
  // Not awaited: one disk is looked at while the driver of another still starts. What is under way is in pending().
  // While controllers look for their disks, what the first of them will need is loaded.
  Promise.all([cold, watch.ensureModules([...consoleModules(options), ...LIKELY_FILE_SYSTEMS, ...ROOT_MODULES])]).catch(
    (error) => log.warn(`hardware: ${describeError(error)}`),
  );
  for (const problem of index.problems) log.warn(problem);
  return {
    value: new Drivers(watch, queue, pool, stop, own),
    note: `${watch.wants.length} controllers and buses, their drivers are starting`,
  };
}
