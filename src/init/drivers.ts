import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { type Device, readDevices } from '../hardware/device.ts';
import { readModuleIndex } from '../hardware/module-directory.ts';
import type { ModuleIndex } from '../hardware/module-index.ts';
import { type ModulePlan, type NamedWant, planModules } from '../hardware/plan.ts';
import { BOOT_CONFIG } from '../hardware/requested-modules.ts';
import { sysTree } from '../hardware/sys-tree.ts';
import { SyscallPool } from '../linux/syscall-pool.ts';
import { type MediaAccess, mediaAccess } from '../media/media-access.ts';
import type { BootLog, StageDone } from './boot-log.ts';
import type { BootOptions } from './command-line.ts';
import { describeError } from './failure.ts';

export class Drivers {
  readonly #log: BootLog;
  readonly #index: ModuleIndex;
  readonly #pool: SyscallPool;
  readonly #loaded = new Map<string, Promise<void>>();
  readonly #seen = new Set<string>();
  readonly mediaAccess: MediaAccess = mediaAccess;

  constructor(log: BootLog, index: ModuleIndex, pool: SyscallPool) {
    this.#log = log;
    this.#index = index;
    this.#pool = pool;
  }

  get moduleCount(): number {
    return this.#loaded.size;
  }

  async ensureModules(names: readonly string[]): Promise<void> {
    const wants: NamedWant[] = names.map((name) => ({ name, reason: 'asked for by name' }));
    await this.#load(planModules(wants, this.#index));
  }

  pending(): readonly string[] {
    return [];
  }

  async changed(ms: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ms));
    await this.loadNew();
  }

  async loadNew(): Promise<number> {
    const tree = sysTree();
    for (;;) {
      const devices = readDevices(tree).filter((device: Device) => !this.#seen.has(device.path));
      if (devices.length === 0) return this.#seen.size;
      for (const device of devices) this.#seen.add(device.path);
      await this.#load(planModules(devices, this.#index, { deferNetwork: 'not needed for local media' }));
    }
  }

  async #load(plan: ModulePlan): Promise<void> {
    for (const module of plan.modules) {
      if (this.#loaded.has(module.name)) continue;
      const before = [...module.needs, ...module.after].map((name) => this.#loaded.get(name));
      const load = Promise.allSettled(before)
        .then(() => this.#pool.load(module.path, module.parameters))
        .catch((error) => this.#log.warn(`module ${module.name}: ${describeError(error)}`));
      this.#loaded.set(module.name, load);
    }
    await Promise.all(plan.modules.map((module) => this.#loaded.get(module.name)));
  }

  close(): void {
    this.#pool.close();
  }
}

/** Stage `hardware`: the drivers of everything that is connected. */
export async function startDrivers(options: BootOptions, log: BootLog): Promise<StageDone<Drivers>> {
  const pool = new SyscallPool();
  const blacklist = options.blacklist.map((name) => `blacklist ${name}\n`).join('');
  const index = readModuleIndex(`/lib/modules/${release()}`, {
    cmdline: readFileSync('/proc/cmdline', 'utf8'),
    config: [BOOT_CONFIG, { name: 'viver.modules.blacklist', text: blacklist }],
  });
  const drivers = new Drivers(log, index, pool);
  const devices = await drivers.loadNew();
  return { value: drivers, note: `${drivers.moduleCount} modules for ${devices} devices` };
}
