import { describeError } from '../../linux/describe-error.ts';
import type { MachineStatus } from '../machine-status.ts';
import { hostOf, NoStatusError } from '../peers.ts';
import { type MachineView, makeOverview, type Overview } from './overview.ts';

export interface LookAroundOptions {
  /** This machine's own status, with all it knows of the field. */
  readonly own: () => Promise<MachineStatus>;
  /** @throws NoStatusError */
  readonly fetch: (host: string) => Promise<MachineStatus>;
  readonly nowMs?: () => number;
}

/** Who looks waits no longer for others than this; what they say later is shown the next time. */
const PATIENCE_MS = 150;
/** What is no older is shown as it is. */
const FRESH_MS = 800;
/** A machine that failed is asked again after this, and after twice as long each time, up to the longest. */
const RETRY_MS = 2000;
const LONGEST_RETRY_MS = 30_000;
/** More than any room holds; a stranger may tell of machines that there are not. */
const MOST_MACHINES = 1000;
const MOST_AT_A_TIME = 200;

/** One machine of the field as it answered. */
class Seen {
  status: MachineStatus | undefined;
  atMs = Number.NEGATIVE_INFINITY;
  failure: { readonly kind: NoStatusError['kind']; readonly why: string; readonly times: number } | undefined;
  readonly beganMs: number;
  askedMs = Number.NEGATIVE_INFINITY;
  asking: Promise<void> | undefined;

  constructor(nowMs: number) {
    this.beganMs = nowMs;
  }

  isDue(nowMs: number): boolean {
    if (this.asking !== undefined) return false;
    const times = this.failure?.times ?? 0;
    const waitMs = times === 0 ? FRESH_MS : Math.min(LONGEST_RETRY_MS, RETRY_MS * 2 ** (times - 1));
    return nowMs - this.askedMs >= waitMs;
  }
}

/**
 * All machines of the field, as they answer: asked only while somebody looks, and never waited for longer than a person
 * notices. One that is slow, silent or hostile holds up nobody and is shown as what it is.
 */
export class LookAround {
  readonly #options: LookAroundOptions;
  readonly #now: () => number;
  readonly #seen = new Map<string, Seen>();
  #inFlight = 0;
  #last: { readonly atMs: number; readonly view: Promise<string> } | undefined;

  constructor(options: LookAroundOptions) {
    this.#options = options;
    this.#now = options.nowMs ?? (() => performance.now());
  }

  /** The {@link Overview} as JSON. However many look at once, others are asked once. */
  look(): Promise<string> {
    const nowMs = this.#now();
    if (this.#last !== undefined && nowMs - this.#last.atMs < FRESH_MS) return this.#last.view;
    const view = this.#make(nowMs).then((overview) => `${JSON.stringify(overview)}\n`);
    const last = { atMs: nowMs, view };
    this.#last = last;
    view.catch(() => {
      if (this.#last === last) this.#last = undefined;
    });
    return view;
  }

  async #make(nowMs: number): Promise<Overview> {
    const own = await this.#options.own();
    const all = [...new Set((own.field?.peers ?? []).map(({ address }) => hostOf(address)))];
    const hosts = all.filter((host) => host !== own.address).slice(0, MOST_MACHINES);
    for (const host of this.#seen.keys()) if (!hosts.includes(host)) this.#seen.delete(host);
    for (const host of hosts) if (!this.#seen.has(host)) this.#seen.set(host, new Seen(nowMs));
    // Those that answered are asked before those that did not.
    const due = [...this.#seen].filter(([, seen]) => seen.isDue(nowMs));
    due.sort(([, a], [, b]) => (a.failure?.times ?? 0) - (b.failure?.times ?? 0) || a.askedMs - b.askedMs);
    for (const [host, seen] of due) if (this.#inFlight < MOST_AT_A_TIME) this.#ask(host, seen);
    const fresh = [...this.#seen.values()].filter(({ failure }) => failure === undefined);
    await patience(Promise.all(fresh.map(({ asking }) => asking)));
    const machines = [...this.#seen].map(([host, seen]) => this.#view(host, seen));
    return makeOverview(own, machines, Math.max(0, all.length - hosts.length - (all.includes(own.address) ? 1 : 0)));
  }

  #ask(host: string, seen: Seen): void {
    seen.askedMs = this.#now();
    this.#inFlight++;
    seen.asking = this.#options
      .fetch(host)
      .then(
        (status) => {
          // what it says of others is not believed, not even that it is one of them
          seen.status = { ...status, address: host };
          seen.atMs = this.#now();
          seen.failure = undefined;
        },
        (error: unknown) => {
          const kind = error instanceof NoStatusError ? error.kind : 'broken';
          const why = describeError(error instanceof Error && error.cause !== undefined ? error.cause : error);
          seen.failure = { kind, why: why.slice(0, 200), times: (seen.failure?.times ?? 0) + 1 };
        },
      )
      .finally(() => {
        this.#inFlight--;
        seen.asking = undefined;
      });
  }

  #view(address: string, { status, atMs, failure, beganMs }: Seen): MachineView {
    const nowMs = this.#now();
    const known = { address, status: status ?? null };
    const heardSeconds = status === undefined ? null : Math.round((nowMs - atMs) / 1000);
    if (failure === undefined) {
      const state = status === undefined ? 'late' : 'up';
      return { ...known, state, why: '', heardSeconds };
    }
    // It is in the field, so its first program runs; nobody listens yet where the plugins have not started.
    if (failure.kind === 'refused' && status === undefined) {
      const seconds = Math.round((nowMs - beganMs) / 1000);
      return { ...known, state: 'starting', why: `its system starts, ${seconds} s in the field`, heardSeconds };
    }
    return { ...known, state: failure.kind === 'broken' ? 'broken' : 'silent', why: failure.why, heardSeconds };
  }
}

async function patience(work: Promise<unknown>): Promise<void> {
  const over = Promise.withResolvers<void>();
  const timer = setTimeout(over.resolve, PATIENCE_MS);
  await Promise.race([work, over.promise]);
  clearTimeout(timer);
}
