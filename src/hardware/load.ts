import type { ModulePlan, PlannedModule } from './plan.ts';

/** Puts one module file into the kernel; rejects with the kernel's error. */
export interface ModuleLoader {
  load(module: Pick<PlannedModule, 'path' | 'parameters' | 'atOnce' | 'class'>): Promise<void>;
  /** Whether the kernel has it already. By finit_module(2) that costs its file read and its signature checked. */
  has(module: Pick<PlannedModule, 'name' | 'atOnce'>): boolean;
}

export type LoadOutcome =
  | { readonly kind: 'loaded'; readonly module: PlannedModule; readonly ms: number }
  /** It was in the kernel already. */
  | { readonly kind: 'present'; readonly module: PlannedModule }
  /** `reason`: the error with its errno text, or which module it needs failed. `code`: the errno's name. */
  | { readonly kind: 'failed'; readonly module: PlannedModule; readonly reason: string; readonly code?: string };

/** What has been loaded so far, and what is being loaded. */
export interface Loading {
  /** Module → the attempt; each module is tried once. */
  readonly attempts: Map<string, Promise<LoadOutcome>>;
  /** Modules handed to the kernel that has not answered yet, or whose devices are not known yet, with their paths. */
  readonly underWay: Map<string, string>;
}

export function newLoading(): Loading {
  return { attempts: new Map(), underWay: new Map() };
}

/** `nvme (/…/nvme.ko) for 0000:00:04.0: finit_module …: ENODEV (No such device)`. */
export function describeFailure(outcome: Extract<LoadOutcome, { kind: 'failed' }>): string {
  const { name, path, wantedBy } = outcome.module;
  const wanted = wantedBy.map((want) => want.slice(want.lastIndexOf('/') + 1)).join(', ');
  return `module ${name} (${path}) for ${wanted}: ${outcome.reason}`;
}

/** A module's turn: it is handed over after the one before it in the plan, whatever becomes of that one then. */
interface Turn {
  readonly before: Promise<void>;
  readonly taken: () => void;
}

async function loadOne(
  module: PlannedModule,
  loader: ModuleLoader,
  loading: Loading,
  turn: Turn,
): Promise<LoadOutcome> {
  // Looked up before the first wait: what comes later in the plan is not waited for, so no two wait for each other.
  const needed = module.needs.map((name) => ({ name, attempt: loading.attempts.get(name) }));
  const before = module.after.map((name) => loading.attempts.get(name));
  for (const { name, attempt } of needed) {
    const outcome = await attempt;
    if (outcome?.kind === 'failed')
      return { kind: 'failed', module, reason: `needs ${name}, which failed: ${outcome.reason}` };
  }
  await Promise.all([turn.before, ...before]);
  const start = performance.now();
  loading.underWay.set(module.name, module.path);
  let settles: Promise<LoadOutcome> | undefined;
  const settled = () => (module.settledBy === undefined ? undefined : loading.attempts.get(module.settledBy));
  try {
    if (loader.has(module)) {
      turn.taken();
      settles = settled();
      return { kind: 'present', module };
    }
    const load = loader.load(module);
    turn.taken();
    try {
      await load;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      // Whoever has loaded it need not have waited for what it finds.
      settles = settled();
      return { kind: 'present', module };
    }
    settles = settled();
    return { kind: 'loaded', module, ms: performance.now() - start };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
    const reason = error instanceof Error ? error.message : String(error);
    return { kind: 'failed', module, reason, ...(code === undefined ? {} : { code }) };
  } finally {
    if (settles === undefined) loading.underWay.delete(module.name);
    else void settles.then(() => loading.underWay.delete(module.name));
  }
}

/**
 * Loads what the plan says. Modules are handed to the kernel in the plan's order, each as soon as what it needs is there,
 * and no module waits for the end of one it does not need: drivers that wait for their devices do so side by side. Libraries
 * of later devices do not overtake the first disk's driver. A module that fails takes only those with it that need it.
 * Never rejects.
 * @param loading keeps what other plans have loaded; a module in it is not loaded again, its outcome is taken
 */
export async function loadModules(
  plan: ModulePlan,
  loader: ModuleLoader,
  loading: Loading = newLoading(),
): Promise<LoadOutcome[]> {
  let before = Promise.resolve();
  const attempts = plan.modules.map((module) => {
    const known = loading.attempts.get(module.name);
    if (known !== undefined) return known;
    const { promise, resolve } = Promise.withResolvers<void>();
    const attempt = loadOne(module, loader, loading, { before, taken: resolve });
    // Also when it is not handed over at all, because what it needs has failed.
    void attempt.then(() => resolve());
    before = promise;
    loading.attempts.set(module.name, attempt);
    return attempt;
  });
  return Promise.all(attempts);
}
