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
  /** The image has no modules for the running kernel: what can be driven is driven from here. */
  readonly alone?: boolean;
  /** Nothing is left to the image: what the class rules defer is loaded as well. */
  readonly everything?: boolean;
  /**
   * What a module may ask the kernel for while it looks at its device (weakdep) is loaded beforehand: before the root is
   * there, nobody answers the kernel. modprobe leaves it to the kernel.
   */
  readonly weakdeps?: boolean;
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
  readonly after: Set<string>;
  readonly reason: string;
  optional: boolean;
  readonly wantedBy: Set<string>;
}

/** What is asked for, and on whose behalf. */
interface Asked {
  readonly want: string;
  readonly optional: boolean;
  /** Modules whose soft dependencies have been gone through for this want. */
  readonly visited: Set<string>;
}

/**
 * Collects what is to be loaded: each module once, after what it needs, and otherwise in the order of `modprobe`, wants
 * one after another (kmod_module_get_probe_list in libkmod/libkmod-module.c).
 */
class Closure {
  readonly entries = new Map<string, Entry>();
  readonly #index: ModuleIndex;
  readonly #weakdeps: boolean;

  constructor(index: ModuleIndex, weakdeps: boolean) {
    this.#index = index;
    this.#weakdeps = weakdeps;
  }

  /** Adds a module with all it needs; that all of it is there was checked before. */
  add(name: string, reason: string, want: string): void {
    this.#visit(name, reason, { want, optional: false, visited: new Set() });
  }

  #visit(name: string, reason: string, asked: Asked): void {
    // A softdep may lead back to where it came from; whoever is visited first goes on without the other.
    if (asked.visited.has(name)) {
      if (this.entries.has(name)) this.#enter(name, reason, asked);
      return;
    }
    asked.visited.add(name);
    // The farthest first.
    for (const dependency of this.#dependencies(name)) this.#withSoft(dependency, `${name} needs it`, asked);
    this.#withSoft(name, reason, asked);
  }

  #dependencies(name: string): readonly string[] {
    return this.#index.file(name)?.dependencies.toReversed() ?? [];
  }

  #withSoft(name: string, reason: string, asked: Asked): void {
    const { pre = [], post = [] } = this.#index.softdep(name) ?? {};
    const weak = this.#weakdeps ? this.#index.weakdeps(name) : [];
    const before = [...pre, ...weak].flatMap((soft) => this.#addSoft(soft, `${name} works better after it`, asked));
    const entry = this.#enter(name, reason, asked);
    for (const soft of before) if (soft !== name) entry?.after.add(soft);
    for (const soft of post) {
      for (const late of this.#addSoft(soft, `${name} wants it afterwards`, asked)) {
        if (late !== name) this.entries.get(late)?.after.add(name);
      }
    }
  }

  #addSoft(alias: string, reason: string, { want, visited }: Asked): string[] {
    const names: string[] = [];
    for (const { module, verdict } of resolveModule(alias, this.#index, 'device')) {
      if (verdict !== 'load') continue;
      this.#visit(module, reason, { want, optional: true, visited });
      names.push(module);
    }
    return names;
  }

  /** At the end of the list, unless it is there; whatever led here, what the module needs comes before it. */
  #enter(name: string, reason: string, asked: Asked): Entry | undefined {
    const known = this.entries.get(name);
    if (known !== undefined) {
      known.wantedBy.add(asked.want);
      if (!asked.optional) known.optional = false;
      return known;
    }
    const file = this.#index.file(name);
    if (file === undefined) return undefined;
    const needs = this.#dependencies(name);
    for (const dependency of needs) {
      const isRound = this.#index.file(dependency)?.dependencies.includes(name) === true;
      if (!isRound) this.#enter(dependency, `${name} needs it`, asked);
    }
    const entry: Entry = {
      name,
      path: file.path,
      needs: file.dependencies,
      after: new Set(),
      reason,
      optional: asked.optional,
      wantedBy: new Set([asked.want]),
    };
    this.entries.set(name, entry);
    return entry;
  }
}

function choose(resolved: Resolved, index: ModuleIndex, why: string, options: PlanOptions): ModuleChoice {
  const { module, verdict, reason } = resolved;
  if (verdict !== 'load') return { module, verdict, reason };
  const path = index.file(module)?.path ?? '';
  const deferred = options.everything ? undefined : deferredReason(path, options.alone);
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
    if (index.lookup(modalias).length === 0) continue;
    for (const resolved of resolveModule(modalias, index, 'device')) take(resolved, `drives ${modalias}`);
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
  const closure = new Closure(index, options.weakdeps === true);
  for (const { want, choices } of planned.toSorted((a, b) => order(a) - order(b))) {
    for (const { module, verdict, reason } of choices) if (verdict === 'load') closure.add(module, reason, want);
  }
  const drivers = new Set(
    planned.flatMap(({ device, choices }) => (device === undefined ? [] : choices)).map(({ module }) => module),
  );
  const entries = [...closure.entries.values()];
  const places = new Map(entries.map(({ name }, place) => [name, place]));
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
      // Of softdeps that go round, one comes first.
      after: [...entry.after].filter((name) => (places.get(name) ?? place) < place),
      wantedBy: [...entry.wantedBy],
    };
  });
  return { wants: planned, modules };
}
