import { AsyncLocalStorage } from 'node:async_hooks';
import { limitedLog } from '../../codec/line-limit.ts';
import { describeError } from '../../linux/describe-error.ts';
import type { Machine } from '../machine.ts';
import { dependentsOf, type PluginGraph } from './graph.ts';
import type { Interfaces } from './interfaces.ts';
import type { AnyPlugin, Context } from './plugin.ts';
import { NO_SETTINGS, type RoleSettings } from './role-settings.ts';
import type { Role } from './roles.ts';

export interface PluginState {
  readonly name: string;
  readonly state: 'waiting' | 'starting' | 'running' | 'failed' | 'stopped';
  /** Why it is not running. */
  readonly why: string | undefined;
}

export interface RunnerOptions {
  readonly graph: PluginGraph;
  readonly machine: Machine;
  readonly role: string;
  readonly settings?: RoleSettings;
  /** All roles of the roles file. */
  readonly roles?: readonly Role[];
  readonly log: (line: string) => void;
  readonly startTimeoutMs?: number;
  readonly requestTimeoutMs?: number;
  /** Before a failed plugin is tried again; doubles each time up to a minute. */
  readonly retryMs?: number;
}

const START_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 20_000;
const REQUEST_TIMEOUT_MS = 10_000;
const RETRY_MS = 1000;
const LONGEST_RETRY_MS = 60_000;
/** A plugin that ran so long has recovered: the next trouble is a new one. */
const RECOVERED_MS = 60_000;

interface Running {
  readonly stop: AbortController;
  readonly cleanups: (() => void | Promise<void>)[];
  readonly provided: Partial<Interfaces>;
  readonly startedAt: number;
}

interface Slot {
  readonly plugin: AnyPlugin;
  /** What it says itself, over all its starts: much of it is about what strangers send. */
  readonly log: (line: string) => void;
  state: PluginState['state'];
  why: string | undefined;
  running: Running | undefined;
  failures: number;
  retry: NodeJS.Timeout | undefined;
}

async function within<T>(work: T | Promise<T>, ms: number, late: () => Error, signal?: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(late()), ms);
  const onAbort = () => reject(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

const asError = (value: unknown) => (value instanceof Error ? value : new Error(String(value)));

/** Starts, watches and stops the plugins of one machine. Starts go side by side, what takes down one at a time. */
export class Runner {
  readonly #options: RunnerOptions;
  readonly #slots = new Map<string, Slot>();
  #queue: Promise<void> = Promise.resolve();
  /** Starts under way. */
  readonly #starts = new Set<Promise<void>>();
  /** Whose plugin's doing something is, by its name: kept through timers, sockets and promises. */
  readonly #owner = new AsyncLocalStorage<string>();
  /** Aborts when all is to stop, also in the middle of a start. */
  readonly #ending = new AbortController();

  constructor(options: RunnerOptions) {
    this.#options = options;
    for (const plugin of options.graph.order) {
      this.#slots.set(plugin.name, {
        plugin,
        log: limitedLog((line) => options.log(`${plugin.name}: ${line}`)),
        state: 'waiting',
        why: undefined,
        running: undefined,
        failures: 0,
        retry: undefined,
      });
    }
  }

  get states(): readonly PluginState[] {
    return [...this.#slots].map(([name, { state, why }]) => ({ name, state, why }));
  }

  /**
   * Starts all, each as soon as what it asks is there; one that fails is tried again later, and what needs it waits.
   * Resolves when each has had its first try. Never rejects.
   */
  async start(): Promise<void> {
    await this.#enqueue(() => this.#startAll());
    const isFirst = ({ state, failures }: Slot) => state === 'starting' && failures === 0;
    while ([...this.#slots.values()].some(isFirst)) await Promise.race(this.#starts);
  }

  /** Stops all, the last started first. */
  stop(): Promise<void> {
    this.#ending.abort(new Error('the end'));
    return this.#enqueue(async () => {
      for (const slot of [...this.#slots.values()].reverse()) {
        clearTimeout(slot.retry);
        await this.#stopOne(slot, 'stopped', 'the end');
      }
    });
  }

  #enqueue(work: () => void | Promise<void>): Promise<void> {
    this.#queue = this.#queue.then(work);
    return this.#queue;
  }

  /** Begins every start that can begin; each goes its own way from then on, and what hangs holds up only who asks it. */
  #startAll(): void {
    for (const { name } of this.#options.graph.order) {
      const slot = this.#slots.get(name);
      if (this.#ending.signal.aborted || slot === undefined || slot.state !== 'waiting') continue;
      const lacking = this.#options.graph.needs.get(name)?.find((need) => this.#slots.get(need)?.state !== 'running');
      const awaited = lacking ?? this.#options.graph.asks.get(name)?.find((asked) => this.#isComing(asked));
      if (awaited !== undefined) {
        slot.why = `waits for ${awaited}`;
        continue;
      }
      const start = this.#startOne(slot).finally(() => this.#starts.delete(start));
      this.#starts.add(start);
    }
  }

  /** It starts, or will when others have that do. */
  #isComing(name: string): boolean {
    const slot = this.#slots.get(name);
    if (slot?.state !== 'waiting') return slot?.state === 'starting';
    return this.#options.graph.asks.get(name)?.some((asked) => this.#isComing(asked)) === true;
  }

  async #startOne(slot: Slot): Promise<void> {
    const { plugin } = slot;
    const startTimeoutMs = plugin.startTimeoutMs ?? this.#options.startTimeoutMs ?? START_TIMEOUT_MS;
    const running: Running = { stop: new AbortController(), cleanups: [], provided: {}, startedAt: performance.now() };
    const { signal } = running.stop;
    slot.state = 'starting';
    slot.why = undefined;
    slot.running = running;
    try {
      const provided = await within(
        this.#owner.run(plugin.name, async () => plugin.start?.(this.#context(slot, signal, running.cleanups)) ?? {}),
        startTimeoutMs,
        () => new Error(`did not start within ${startTimeoutMs / 1000} s`),
        this.#ending.signal,
      );
      if (signal.aborted) return;
      for (const name of plugin.provides ?? [])
        if (provided[name] === undefined) throw new Error(`started without the interface '${name}' it provides`);
      slot.running = { ...running, provided };
      slot.state = 'running';
    } catch (error) {
      await this.#enqueue(async () => {
        if (signal.aborted) return; // stopped meanwhile, and told why
        await this.#stopOne(slot, 'failed', describeError(error));
        if (this.#ending.signal.aborted) return;
        this.#retryLater(slot);
        const waiting = dependentsOf(this.#options.graph, plugin.name);
        this.#options.log(
          `${plugin.name} failed: ${slot.why}${waiting.length === 0 ? '' : `; waiting for it: ${waiting.join(', ')}`}`,
        );
      });
    }
    await this.#enqueue(() => this.#startAll());
  }

  /**
   * An error that nobody caught, such as an error event without a listener: it costs the plugin whose doing it was, and
   * where that is unknown nobody. To be called where it came up (process.on('uncaughtException')).
   */
  stray(error: unknown): void {
    const name = this.#owner.getStore();
    const slot = name === undefined ? undefined : this.#slots.get(name);
    const why = `an error that it did not catch: ${describeError(error)}`;
    if (slot === undefined) this.#options.log(`no plugin's: ${why}`);
    else if (slot.state === 'running' || slot.state === 'starting') void this.#enqueue(() => this.#down(slot, why));
    else this.#options.log(`${slot.plugin.name}, which is ${slot.state}: ${why}`);
  }

  #context(slot: Slot, signal: AbortSignal, cleanups: Running['cleanups']): Context {
    const { graph, machine, role, settings = NO_SETTINGS, roles = [] } = this.#options;
    const { plugin, log } = slot;
    const allowed = new Set<string>([...(plugin.requires ?? []), ...(plugin.uses ?? [])]);
    const live = () => !signal.aborted;
    const providerOf = (name: string) => {
      const provider = graph.providers.get(name);
      return provider === undefined ? undefined : this.#slots.get(provider);
    };
    return {
      machine,
      role,
      settings,
      roles,
      signal,
      ask: (name) => {
        if (!allowed.has(name))
          throw new Error(`'${plugin.name}' asks '${name}', which is in neither its requires nor its uses`);
        return this.#requests(plugin.name, name, () => providerOf(name)?.running?.provided[name]);
      },
      has: (name) => allowed.has(name) && providerOf(name)?.state === 'running',
      plugins: () => this.states,
      log,
      defer: (cleanup) => {
        // Its start took too long, or it was stopped in the middle: nobody would come to clean up.
        if (live()) cleanups.push(cleanup);
        else void this.#undo(plugin, cleanup);
      },
      fail: (error) => {
        if (live()) void this.#enqueue(() => (live() ? this.#down(slot, describeError(error)) : Promise.resolve()));
      },
      restart: (reason) => {
        if (live()) void this.#enqueue(() => (live() ? this.#again(slot, reason) : Promise.resolve()));
      },
    };
  }

  /** The interface as its asker sees it: looked up anew at each request, since its provider may have been restarted. */
  #requests<N extends keyof Interfaces>(
    asker: string,
    name: N,
    find: () => Partial<Interfaces>[N] | undefined,
  ): Interfaces[N] {
    const { requestTimeoutMs = REQUEST_TIMEOUT_MS } = this.#options;
    return new Proxy({} as Interfaces[N], {
      get: (_, request) => {
        if (typeof request !== 'string' || request === 'then') return undefined;
        return async (...args: unknown[]) => {
          const provided = find() as Readonly<Record<string, unknown>> | undefined;
          const answer = provided?.[request];
          const what = `${name}.${request}() asked by '${asker}'`;
          if (provided === undefined) throw new Error(`${what}: nobody provides '${name}' now`);
          if (typeof answer !== 'function') throw new Error(`${what}: '${name}' has no such request`);
          return await within(
            Reflect.apply(answer, provided, args) as unknown,
            requestTimeoutMs,
            () => new Error(`${what}: no answer within ${requestTimeoutMs / 1000} s`),
          );
        };
      },
    });
  }

  async #down(slot: Slot, why: string): Promise<void> {
    const { graph, log } = this.#options;
    const dependents = dependentsOf(graph, slot.plugin.name);
    log(
      `${slot.plugin.name} failed: ${why}${dependents.length === 0 ? '' : `; down with it: ${dependents.join(', ')}`}`,
    );
    await this.#stopWith(slot, dependents);
    slot.state = 'failed';
    slot.why = why;
    this.#retryLater(slot);
  }

  async #again(slot: Slot, reason: string): Promise<void> {
    const { graph, log } = this.#options;
    const dependents = dependentsOf(graph, slot.plugin.name);
    log(`${[slot.plugin.name, ...dependents].join(', ')} started anew: ${reason}`);
    await this.#stopWith(slot, dependents);
    this.#startAll();
  }

  async #stopWith(slot: Slot, dependents: readonly string[]): Promise<void> {
    for (const name of dependents) {
      const dependent = this.#slots.get(name);
      if (dependent !== undefined) await this.#stopOne(dependent, 'waiting', `waits for ${slot.plugin.name}`);
    }
    await this.#stopOne(slot, 'waiting', undefined);
  }

  #retryLater(slot: Slot): void {
    if (this.#ending.signal.aborted) return;
    const { retryMs = RETRY_MS } = this.#options;
    const delay = Math.min(retryMs * 2 ** Math.min(slot.failures, 16), LONGEST_RETRY_MS);
    slot.failures++;
    slot.retry = setTimeout(() => {
      void this.#enqueue(() => {
        if (slot.state === 'failed') slot.state = 'waiting';
        this.#startAll();
      });
    }, delay);
    slot.retry.unref();
  }

  async #stopOne(slot: Slot, state: PluginState['state'], why: string | undefined): Promise<void> {
    const { running, plugin } = slot;
    slot.running = undefined;
    if (running !== undefined) {
      if (slot.state === 'running' && performance.now() - running.startedAt > RECOVERED_MS) slot.failures = 0;
      running.stop.abort(new Error(`'${plugin.name}' is stopped`));
      const undo = [...running.cleanups].reverse();
      for (const step of [() => plugin.stop?.(), ...undo]) await this.#undo(plugin, step);
    }
    if (state !== 'waiting' || slot.state !== 'failed') {
      slot.state = state;
      slot.why = why;
    }
  }

  async #undo(plugin: AnyPlugin, step: () => void | Promise<void>): Promise<void> {
    const late = () => new Error(`did not stop within ${STOP_TIMEOUT_MS / 1000} s`);
    const work = this.#owner.run(plugin.name, () => Promise.try(step));
    await within(work, STOP_TIMEOUT_MS, late).catch((error: unknown) =>
      this.#options.log(`${plugin.name}: ${describeError(asError(error))}`),
    );
  }
}
