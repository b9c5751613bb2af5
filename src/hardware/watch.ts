import { BUSLESS, type Device, listBuses, readDevice, readDevices } from './device.ts';
import { bringsMedia } from './device-class.ts';
import { describeFailure, type LoadOutcome, loadModules, type ModuleLoader, newLoading } from './load.ts';
import type { ModuleIndex } from './module-index.ts';
import { type Pending, pendingDriver, pendingHardware } from './pending.ts';
import { type ModulePlan, type PlannedWant, type PlanOptions, planModules } from './plan.ts';
import type { SysTree } from './sys-tree.ts';

/** What is needed of a kernel uevent; linux/netlink/uevent.ts gives more. */
export interface HardwareEvent {
  readonly action: string;
  /** As the kernel gives it: `/devices/…`. */
  readonly devpath: string;
  readonly subsystem: string;
  readonly sequence: number;
  readonly env: Readonly<Record<string, string>>;
}

export interface WatchOptions {
  readonly tree: SysTree;
  readonly index: ModuleIndex;
  readonly loader: ModuleLoader;
  /** Milliseconds of a clock that only goes forward; performance.now() unless given. */
  readonly now?: () => number;
  readonly plan?: PlanOptions;
  /** Resolves when there is time for what is not urgent: where there is no controller on PCI, a disk may still be. */
  readonly quiet?: () => Promise<void>;
  /** A module failed: one line with name, path, errno text and device. */
  readonly onFailure?: (text: string) => void;
}

const UNHEARD_MS = 500;
/** Loop devices and RAM disks: nothing has been plugged in. */
const VIRTUAL_DISKS = '/devices/virtual/block/';
/** Few enough that a disk which appears meanwhile is not kept waiting. */
const DEVICES_A_TURN = 4;

/** Drives this machine's devices: those that are there, then those that come. */
export class HardwareWatch {
  readonly #tree: SysTree;
  readonly #index: ModuleIndex;
  readonly #loader: ModuleLoader;
  readonly #now: () => number;
  readonly #quiet: () => Promise<void>;
  #planOptions: PlanOptions;
  readonly #onFailure: (text: string) => void;
  readonly #loading = newLoading();
  readonly #reported = new Set<string>();
  /** Path → what became of it. */
  readonly #wants = new Map<string, PlannedWant>();
  readonly #firstSeen = new Map<string, number>();
  readonly #waiting = new Set<() => void>();
  #wake: NodeJS.Immediate | undefined;
  /** At the last question nothing was pending but events not heard yet. */
  #onlyUnheard = false;
  /** Scans that have not seen all buses yet. */
  #scans = 0;
  /** Devices found by a scan and not yet planned for. */
  #unplanned = 0;
  /** Number of the last uevent heard, or sent before the last scan. */
  #heard = 0;

  constructor(options: WatchOptions) {
    this.#tree = options.tree;
    this.#index = options.index;
    // What starts at once has found nothing yet: its disks are told of by the kernel.
    const started = ({ atOnce }: { readonly atOnce: boolean }) => {
      if (!atOnce) this.#changed();
    };
    this.#loader = {
      has: (module) => {
        const isHere = options.loader.has(module);
        if (isHere) started(module);
        return isHere;
      },
      load: async (module) => {
        try {
          await options.loader.load(module);
        } finally {
          started(module);
        }
      },
    };
    this.#now = options.now ?? (() => performance.now());
    this.#quiet = options.quiet ?? (() => Promise.resolve());
    this.#planOptions = options.plan ?? {};
    this.#onFailure = options.onFailure ?? (() => undefined);
  }

  /** Loads what the disk controllers on PCI want, a first step of rescan: they take longest to show what they have. */
  driveControllers(): Promise<LoadOutcome[]> {
    return this.#drive(readDevices(this.#tree, 'pci').filter(bringsMedia), { calm: true });
  }

  /**
   * Looks at every device and loads what those that are new want, bus by bus and a few devices at a time, each in a
   * quiet moment. At the start of the boot, and again when uevents were lost. Resolves when all of it is loaded or has
   * failed; loading one driver may bring further devices, which come by uevents.
   */
  async rescan(): Promise<LoadOutcome[]> {
    this.#heard = Math.max(this.#heard, this.#sent());
    this.#scans++;
    const attempts: Promise<LoadOutcome[]>[] = [];
    const others: Device[] = [];
    for (const bus of [...listBuses(this.#tree), BUSLESS]) {
      await this.#turn();
      const fresh = readDevices(this.#tree, bus).filter((device) => !this.#wants.has(device.path));
      const media = fresh.filter(bringsMedia);
      if (media.length > 0) attempts.push(this.#drive(media));
      others.push(...fresh.filter((device) => !bringsMedia(device)));
    }
    this.#scans--;
    // The drivers of disks start while the others are planned for.
    this.#unplanned += others.length;
    while (others.length > 0) {
      await this.#turn();
      const next = others.splice(0, DEVICES_A_TURN);
      this.#unplanned -= next.length;
      attempts.push(this.#drive(next.filter((device) => !this.#wants.has(device.path))));
    }
    return (await Promise.all(attempts)).flat();
  }

  /** The next turn of the event loop in which nothing urgent is to be done. */
  async #turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    await this.#quiet();
  }

  /** A uevent has come. Must be listened for before the first rescan, so that no device falls between. */
  async event({ action, devpath, subsystem, sequence, env }: HardwareEvent): Promise<LoadOutcome[]> {
    this.#heard = Math.max(this.#heard, sequence);
    // Drivers announce a dozen devices each: only a disk changes what is to be done, or that all has been announced when
    // that is what is waited for.
    if (subsystem === 'block' && !devpath.startsWith(VIRTUAL_DISKS)) this.#changed();
    else if (this.#onlyUnheard && this.#heard >= this.#sent()) this.#changed();
    if (action === 'remove') {
      this.#wants.delete(devpath);
      for (const path of this.#firstSeen.keys()) {
        if (path.endsWith(devpath.slice(devpath.lastIndexOf('/')))) this.#firstSeen.delete(path);
      }
      return [];
    }
    // Input devices (as keyboard or mouse, beside the HID or PS/2 device itself) want event handlers only.
    const matters = env.MODALIAS !== undefined && subsystem !== 'input';
    if ((action !== 'add' && action !== 'change') || !matters || this.#wants.has(devpath)) return [];
    const device = readDevice(this.#tree, devpath, subsystem);
    return device === undefined ? [] : this.#drive([device]);
  }

  /**
   * Loads modules by name with all they need; names may be aliases (`fs-iso9660`). What is built in, or not there, is
   * not tried.
   */
  ensureModules(names: readonly string[], reason = 'asked for by name'): Promise<LoadOutcome[]> {
    return this.#apply(
      planModules(
        names.map((name) => ({ name, reason })),
        this.#index,
        this.#planOptions,
      ),
    );
  }

  /**
   * Network drivers that were left out are loaded after all: those of cards that come at once, the others' with the next
   * scan.
   * @returns whether there is anything to scan for
   */
  includeNetwork(): boolean {
    const { deferNetwork, ...options } = this.#planOptions;
    if (deferNetwork === undefined) return false;
    this.#planOptions = options;
    for (const [path, { choices }] of this.#wants) {
      if (choices.some(({ verdict, reason }) => verdict === 'deferred' && reason === deferNetwork))
        this.#wants.delete(path);
    }
    return true;
  }

  /** The image has no modules for this kernel: what was left to it is driven with the next scan. */
  includeAll(): void {
    const { deferNetwork: _, ...options } = this.#planOptions;
    this.#planOptions = { ...options, alone: true };
    for (const [path, { choices }] of this.#wants) {
      if (choices.some(({ verdict }) => verdict === 'deferred')) this.#wants.delete(path);
    }
  }

  /** What may still bring a medium: drivers that are starting, and what sysfs shows. Empty: nothing more comes by itself. */
  pending(): Pending[] {
    const now = this.#now();
    const ageMs = (path: string): number => {
      const since = this.#firstSeen.get(path) ?? now;
      this.#firstSeen.set(path, since);
      return now - since;
    };
    const starting = [...this.#loading.underWay].flatMap(([name, path]) => pendingDriver(name, path) ?? []);
    // A device that has just come is known to the kernel before its event is read here. An event may also never come
    // (those of other network namespaces do not): it counts for a short while only.
    const sent = this.#sent();
    const unheard =
      sent > this.#heard && ageMs(`uevent ${sent}`) < UNHEARD_MS
        ? [{ text: 'new devices are being announced', vague: true as const }]
        : [];
    const unseen = this.#scans > 0 ? [{ text: 'buses are being looked at' }] : [];
    const unplanned = this.#unplanned > 0 ? [{ text: 'devices are being looked at', vague: true as const }] : [];
    const others = [...starting, ...unseen, ...unplanned, ...pendingHardware(this.#tree, ageMs)];
    this.#onlyUnheard = others.length === 0 && unheard.length > 0;
    return [...unheard, ...others];
  }

  /** Number of the last uevent the kernel has sent. */
  #sent(): number {
    return Number(this.#tree.read('/sys/kernel/uevent_seqnum') ?? 0);
  }

  /** Every device and name so far with its modules and reasons, for boot.json. */
  get wants(): readonly PlannedWant[] {
    return [...this.#wants.values()];
  }

  /** What became of every module so far; modules still starting are not among them. */
  async outcomes(): Promise<LoadOutcome[]> {
    const settled = [...this.#loading.attempts].filter(([name]) => !this.#loading.underWay.has(name));
    return Promise.all(settled.map(([, attempt]) => attempt));
  }

  /** Resolves at the next uevent or when a module has started, at the latest after `timeoutMs`. */
  changed(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      this.#waiting.add(done);
    });
  }

  /** Events come by the dozen: who waits is woken once for all of them, after the event loop has seen to the rest. */
  #changed(): void {
    this.#wake ??= setImmediate(() => {
      this.#wake = undefined;
      for (const done of this.#waiting) done();
    });
  }

  #drive(devices: Parameters<typeof planModules>[0], options: PlanOptions = {}): Promise<LoadOutcome[]> {
    return this.#apply(planModules(devices, this.#index, { ...this.#planOptions, ...options }));
  }

  async #apply(plan: ModulePlan): Promise<LoadOutcome[]> {
    for (const want of plan.wants) this.#wants.set(want.want, want);
    if (plan.modules.length === 0) return [];
    const outcomes = await loadModules(plan, this.#loader, this.#loading);
    for (const outcome of outcomes) {
      if (outcome.kind !== 'failed' || this.#reported.has(outcome.module.name)) continue;
      // A softdep such as crc32c-intel on another processor: it says that it is not for this machine, and is not missed.
      if (outcome.module.optional && outcome.code === 'ENODEV') continue;
      this.#reported.add(outcome.module.name);
      this.#onFailure(describeFailure(outcome));
    }
    this.#changed();
    return outcomes;
  }
}

/**
 * Starts to drive the hardware: cold devices at once, then what comes.
 * @param options `listen` is called once and starts to hear kernel uevents (linux/netlink/uevent.ts, openUevents)
 * @returns `cold` resolves when the devices that were there have their drivers; disks behind them may still be scanned
 */
export function watchHardware(
  options: WatchOptions & {
    readonly listen: (onEvent: (event: HardwareEvent) => void, onLost: () => void) => void;
  },
): { readonly watch: HardwareWatch; readonly cold: Promise<LoadOutcome[]> } {
  const watch = new HardwareWatch(options);
  const failed = (error: unknown) => options.onFailure?.(error instanceof Error ? error.message : String(error));
  const controllers = watch.driveControllers();
  // Not awaited: a driver that takes long to start must not keep back the next device.
  options.listen(
    (event) => void watch.event(event).catch(failed),
    () => void watch.rescan().catch(failed),
  );
  // What came before there was an ear for it is found now.
  const rest = watch.rescan();
  return { watch, cold: Promise.all([controllers, rest]).then((outcomes) => outcomes.flat()) };
}
