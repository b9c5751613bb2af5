import type { Machine } from '../machine.ts';
import type { NewRoot } from '../new-root.ts';
import type { InterfaceName, Interfaces } from './interfaces.ts';
import type { RoleSettings } from './role-settings.ts';
import type { Role } from './roles.ts';
import type { PluginState } from './runner.ts';

/** Grows when a plugin written for the one before might no longer run. */
export const API_VERSION = 1;

/** What a plugin has at hand while it runs. `R`: the interfaces it requires or uses. */
export interface Context<R extends InterfaceName = InterfaceName> {
  readonly machine: Machine;
  /** The name of this machine's role. */
  readonly role: string;
  /** What its role says of it beside the plugins. */
  readonly settings: RoleSettings;
  /** All roles of the roles file, in its order: those of machines that boot from here too. */
  readonly roles: readonly Role[];
  /**
   * The interface of that name. Each request of it ends by a time-out with an error that names both sides.
   * @throws Error when this plugin did not declare it, or nobody provides it (which only an interface of `uses` may)
   */
  ask<N extends R>(name: N): Interfaces[N];
  /** Whether an interface of `uses` is there. */
  has(name: R): boolean;
  /** How all plugins of this machine are. */
  plugins(): readonly PluginState[];
  /** A line for the operator. Of more than a thousand at once a line a second is written, and how many are not. */
  readonly log: (line: string) => void;
  /** Aborts when the plugin is stopped. */
  readonly signal: AbortSignal;
  /** Run when the plugin stops or its start fails, the last one first. */
  defer(cleanup: () => void | Promise<void>): void;
  /** It can do its work no more: it and what requires it are stopped, and tried again later. */
  fail(error: Error): void;
  /** What it told others has changed: it and what requires it are stopped and started again at once. */
  restart(reason: string): void;
}

/** Requests are answered by functions that return promises; what they take and give is typed by the interface. */
export type Provided<P extends InterfaceName> = { readonly [N in P]: Interfaces[N] };

export interface Plugin<P extends InterfaceName = InterfaceName, R extends InterfaceName = InterfaceName> {
  readonly name: string;
  /** One line: what it does. */
  readonly summary: string;
  /** The version of this API that it was written for; one that is not this VIVER's is refused with a line. */
  readonly api?: 1;
  readonly provides?: readonly P[];
  /** Interfaces that must be there: their providers are started first and stopped last. */
  readonly requires?: readonly R[];
  /** Interfaces that are asked when there; their providers are started first too. */
  readonly uses?: readonly R[];
  /** How long `start` may take before it counts as failed, for one that has much to do; default: two minutes. */
  readonly startTimeoutMs?: number;
  /** Before the switch: sets things in the new root. What fails is told, and the boot goes on. */
  prepare?(root: NewRoot): void | Promise<void>;
  /** After the switch. Gives what it provides, when it can answer. */
  start?(context: Context<R>): Provided<P> | Promise<Provided<P>>;
  /** After its last request, before its `defer`s. */
  stop?(): void | Promise<void>;
}

/** A plugin as the list of all takes it, whatever it provides and requires. */
export type AnyPlugin = Omit<Plugin, 'start'> & {
  start?(context: Context): Partial<Interfaces> | Promise<Partial<Interfaces>>;
};

/** Checks the types of a plugin: what it asks must be in `requires` or `uses`, and it gives all it `provides`. */
export function definePlugin<const P extends InterfaceName = never, const R extends InterfaceName = never>(
  plugin: Plugin<P, R>,
): AnyPlugin {
  return plugin as unknown as AnyPlugin;
}
