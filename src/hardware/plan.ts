import type { Device } from './device.ts';
import {
  type Classified,
  classifyDevice,
  DEVICE_CLASSES,
  type DeviceClass,
  deferredReason,
  isNetworkModule,
} from './device-class.ts';
import type { ModuleIndex } from './module-index.ts';
import { normalizeModuleName } from './module-name.ts';
import { type Resolved, resolveModule } from './resolve-module.ts';

/** A module asked for by name: a file system, the loop driver. `name` may be an alias, as `fs-iso9660`. */
export interface NamedWant {
  readonly name: string;
  readonly reason: string;
}

export type Verdict = 'load' | 'builtin' | 'blacklisted' | 'missing' | 'deferred';

/** What becomes of one module that a device or a name asks for, and why. */
export interface ModuleChoice {
  readonly module: string;
  readonly verdict: Verdict;
  readonly reason: string;
}

export interface PlannedWant {
  /** The device's path, or the name asked for. */
  readonly want: string;
  readonly device?: Device;
  /** What the device is: `SATA controller`. */
  readonly what: string;
  readonly class: Classified['class'];
  readonly choices: readonly ModuleChoice[];
}

/** A module to be loaded. */
export interface PlannedModule {
  readonly name: string;
  readonly path: string;
  /** As the kernel takes them: `a=1 b=2`. */
  readonly parameters: string;
  /** Must be in the kernel first. */
  readonly needs: readonly string[];
  /** Are loaded first if they can be. */
  readonly after: readonly string[];
  readonly reason: string;
  /** Of the most urgent device that wants it, itself or what needs it; undefined: asked for by name. */
  readonly class: DeviceClass | undefined;
  /** Its start returns at once: it probes nothing, or the kernel probes for it in threads of its own. */
  readonly atOnce: boolean;
  /** Its devices are known when this module, which is loaded later, has started. */
  readonly settledBy?: string;
  /** Wanted as a softdep only: nothing depends on it. */
  readonly optional: boolean;
  /** Devices and names that asked for it, itself or what needs it. */
  readonly wantedBy: readonly string[];
}

export interface ModulePlan {
  readonly wants: readonly PlannedWant[];
  /** In an order in which they could be loaded one by one. */
  readonly modules: readonly PlannedModule[];
}

export interface PlanOptions {
  /** Why network drivers are left out; undefined: they are loaded. */
  readonly deferNetwork?: string;
  /** Nothing is left to the image: what the class rules defer is loaded as well. */
  readonly everything?: boolean;
  /** The first plan of a boot: no driver is probing yet that the next would have to wait for. */
  readonly calm?: boolean;
}

/**
 * The end of finit_module waits for every probe under way in the kernel, also for a disk of another driver that takes
 * seconds to spin up (kernel/module/main.c, do_init_module). A driver's own disks are worth that wait: afterwards they
 * are known. A file system or a library has nothing to wait for, and this parameter, which every module has, says so.
 * With it the probes of a driver too go to threads of the kernel, side by side.
 */
const ASYNC_PROBE = 'async_probe=1';

/**
 * Loaded after the controllers' drivers and without that parameter: when it has started, all their probes are through.
 * It has none of its own then that a disk would have to be waited for.
 */
const SETTLES = 'sd_mod';

/** A disk of the hypervisor's answers at once, and so need not wait until a thread for slow drivers is up. */
const ANSWERS_AT_ONCE = /\/drivers\/(virtio\/virtio_pci|block\/virtio_blk)\./;

/** Each drive that it has not asked yet is seen in sysfs (pending.ts): its end is not needed to know of it. */
const SEEN_IN_SYSFS = /\/drivers\/scsi\/sr_mod\./;

/** How a driver is loaded, so that the boot waits for no more than it must. */
function startOf(
  name: string,
  path: string,
  { isDriver, settled, calm }: { readonly isDriver: boolean; readonly settled: boolean; readonly calm: boolean },
): Pick<PlannedModule, 'atOnce' | 'settledBy'> & { readonly parameters: readonly string[] } {
  if (!isDriver) return { atOnce: true, parameters: [ASYNC_PROBE] };
  if (calm && ANSWERS_AT_ONCE.test(path)) return { atOnce: true, parameters: [] };
  if (SEEN_IN_SYSFS.test(path)) return { atOnce: true, parameters: [ASYNC_PROBE] };
  if (settled && name !== SETTLES) return { atOnce: true, parameters: [ASYNC_PROBE], settledBy: SETTLES };
  return { atOnce: false, parameters: [] };
}

interface Entry {
  readonly name: string;
  readonly path: string;
  readonly needs: readonly string[];
  readonly after: string[];
  readonly reason: string;
  optional: boolean;
  readonly wantedBy: Set<string>;
}

/** Collects what is to be loaded: each module once, after what it needs. */
class Closure {
  readonly entries = new Map<string, Entry>();
  readonly #index: ModuleIndex;
  readonly #visiting = new Set<string>();

  constructor(index: ModuleIndex) {
    this.#index = index;
  }

  /** Adds a module with all it needs; `resolved` says that all of it is there. */
  add(name: string, reason: string, want: string, optional = false): void {
    const known = this.entries.get(name);
    if (known?.wantedBy.has(want) && (optional || !known.optional)) return;
    known?.wantedBy.add(want);
    if (known !== undefined && !optional) known.optional = false;
    const file = this.#index.file(name);
    // A softdep may lead back to where it came from; whoever is visited first goes on without the other.
    if (file === undefined || this.#visiting.has(name)) return;
    this.#visiting.add(name);
    // modules.dep lists the farthest dependency last.
    for (const dependency of file.dependencies.toReversed()) this.add(dependency, `${name} needs it`, want, optional);
    const { pre = [], post = [] } = this.#index.softdep(name) ?? {};
    const after = pre.flatMap((soft) => this.#addSoft(soft, `${name} works better after it`, want));
    if (known === undefined) {
      this.entries.set(name, {
        name,
        path: file.path,
        needs: file.dependencies,
        after,
        reason,
        optional,
        wantedBy: new Set([want]),
      });
    }
    for (const soft of post) {
      for (const late of this.#addSoft(soft, `${name} wants it afterwards`, want))
        this.entries.get(late)?.after.push(name);
    }
    this.#visiting.delete(name);
  }

  #addSoft(alias: string, reason: string, want: string): string[] {
    const names: string[] = [];
    for (const { module, verdict } of resolveModule(alias, this.#index, 'device')) {
      if (verdict !== 'load' || this.#visiting.has(module)) continue;
      this.add(module, reason, want, true);
      names.push(module);
    }
    return names;
  }
}

function choose(resolved: Resolved, index: ModuleIndex, why: string, options: PlanOptions): ModuleChoice {
  const { module, verdict, reason } = resolved;
  if (verdict !== 'load') return { module, verdict, reason };
  const path = index.file(module)?.path ?? '';
  const deferred = options.everything ? undefined : deferredReason(path);
  if (deferred !== undefined) return { module, verdict: 'deferred', reason: deferred };
  if (options.deferNetwork !== undefined && isNetworkModule(path)) {
    return { module, verdict: 'deferred', reason: options.deferNetwork };
  }
  return { module, verdict: 'load', reason: why };
}

function planDevice(device: Device, index: ModuleIndex, options: PlanOptions): PlannedWant {
  const { class: deviceClass, what, companions } = classifyDevice(device);
  const choices = new Map<string, ModuleChoice>();
  const take = (resolved: Resolved, why: string) => {
    if (!choices.has(resolved.module)) choices.set(resolved.module, choose(resolved, index, why, options));
  };
  for (const modalias of device.modaliases) {
    for (const name of index.lookup(modalias)) {
      for (const resolved of resolveModule(name, index, 'device')) take(resolved, `drives ${modalias}`);
    }
  }
  for (const companion of companions) {
    for (const resolved of resolveModule(companion.module, index, 'device')) take(resolved, companion.reason);
  }
  return { want: device.path, device, what, class: deviceClass, choices: [...choices.values()] };
}

function planName({ name, reason }: NamedWant, index: ModuleIndex, options: PlanOptions): PlannedWant {
  const choices = resolveModule(name, index, 'name').map((resolved) =>
    choose(resolved, index, reason, { ...options, everything: true }),
  );
  return { want: name, what: reason, class: 'other', choices };
}

/**
 * What to load for these devices and names, and why. Pure. Modules of devices that matter first come first; each device
 * names every module that matches it, also those that are not loaded: built in, blacklisted, missing from the
 * directory, or left to the image.
 */
export function planModules(
  wants: readonly (Device | NamedWant)[],
  index: ModuleIndex,
  options: PlanOptions = {},
): ModulePlan {
  const planned = wants.map((want) =>
    'modaliases' in want ? planDevice(want, index, options) : planName(want, index, options),
  );
  const order = (want: PlannedWant) => (want.device === undefined ? -1 : DEVICE_CLASSES.indexOf(want.class));
  const closure = new Closure(index);
  for (const { want, choices } of planned.toSorted((a, b) => order(a) - order(b))) {
    for (const { module, verdict, reason } of choices) if (verdict === 'load') closure.add(module, reason, want);
  }
  const drivers = new Set(
    planned.flatMap(({ device, choices }) => (device === undefined ? [] : choices)).map(({ module }) => module),
  );
  const entries = [...closure.entries.values()];
  const settles = entries.findIndex(({ name }) => name === SETTLES);
  const classes = new Map(
    planned.flatMap(({ device, want, class: of }) => (device === undefined ? [] : [[want, of] as const])),
  );
  const onPci = new Set(planned.flatMap(({ device, want }) => (device?.bus === 'pci' ? [want] : [])));
  const modules = entries.map((entry, place) => {
    const { parameters, ...start } = startOf(entry.name, entry.path, {
      isDriver: drivers.has(entry.name),
      settled: options.calm === true && place < settles && [...entry.wantedBy].every((want) => onPci.has(want)),
      calm: options.calm === true,
    });
    const [first] = entry.wantedBy;
    return {
      ...entry,
      ...start,
      class: first === undefined ? undefined : classes.get(first),
      parameters: [...(index.config.options.get(normalizeModuleName(entry.name)) ?? []), ...parameters].join(' '),
      after: [...new Set(entry.after)],
      wantedBy: [...entry.wantedBy],
    };
  });
  return { wants: planned, modules };
}
