import { Agent } from 'node:http';
import type { FieldStatus } from '../../field/status.ts';
import type { FieldStrip } from '../../field/strip.ts';
import type { MachineStatus } from '../machine-status.ts';
import { LookAround } from '../overview/look-around.ts';
import { RATE_EVERY_SECONDS, RateHistory } from '../overview/rate-history.ts';
import { type Extent, fetchStatus, hostOf } from '../peers.ts';
import { RateLimit } from '../rate-limit.ts';
import { formatMetrics, METRICS_TYPE } from './metrics.ts';
import { PasswordGate } from './password.ts';
import { STATUS_PAGE } from './status-page/page.ts';
import type { Answer } from './web-server.ts';

export interface StatusSource {
  /** This machine's own. */
  readonly address: string;
  /** This machine's status; what it moved lately is added to it. */
  readonly status: (extent: Extent) => Promise<Omit<MachineStatus, 'rates'>>;
  readonly field: () => Promise<FieldStatus | undefined>;
  /** Bytes of boot files sent so far. */
  readonly sentBytes: () => number;
  /** Who looks must know it: a hash (password.ts). Machines of the field tell each other all the same. */
  readonly password?: string;
}

const PATHS = ['/', '/status.json', '/machines.json', '/metrics'];
/** A machine of the field has this long to answer. */
const ANSWER_MS = 2000;
/** A connection that nobody needs for so long is closed; a WebServer closes it a second later. */
const KEPT_MS = 4000;
const MOST_KEPT = 256;
/** A page asks every two seconds, a machine that stands by every 1.5 s, and one in doubt five times a second for a while. */
export const QUESTIONS_OF_ONE = { burst: 60, perSecond: 15 };
/** A row is small, whatever a machine has to tell of itself. */
const MOST_SHUT_OUT = 5;
const LONGEST_WHY = 300;
/** Anybody can make up machines that boot. Those heard of last are shown to others. */
const MOST_LOADING = 400;

/** What the page does not show of a machine is left out. */
function asRow(status: Omit<MachineStatus, 'rates'>): Omit<MachineStatus, 'rates'> {
  const { field, strip, plugins, loading } = status;
  const shortField: FieldStatus | null =
    field === null ? null : { ...field, peers: [], shutOut: field.shutOut.slice(0, MOST_SHUT_OUT) };
  const shortStrip: FieldStrip | null = strip === null ? null : { ...strip, copies: [] };
  return {
    ...status,
    field: shortField,
    strip: shortStrip,
    loading: loading.slice(-MOST_LOADING),
    plugins: plugins.map((plugin) => ({ ...plugin, why: plugin.why?.slice(0, LONGEST_WHY) })),
  };
}

/** The status page and what programs ask: read only, and so many questions for each address that others have theirs. */
export class StatusRoutes {
  readonly #source: StatusSource;
  readonly #history = new RateHistory();
  readonly #limit = new RateLimit(QUESTIONS_OF_ONE);
  readonly #around: LookAround;
  /** Who has the page open asks all machines every two seconds. */
  readonly #agent = new Agent({ keepAlive: true, timeout: KEPT_MS, maxFreeSockets: MOST_KEPT });
  readonly #gate: PasswordGate | undefined;
  #sampling: NodeJS.Timeout | undefined;

  constructor(source: StatusSource) {
    this.#source = source;
    this.#gate = source.password === undefined ? undefined : new PasswordGate(source.password);
    this.#around = new LookAround({
      own: () => this.#own('whole'),
      fetch: (host) => fetchStatus(host, ANSWER_MS, 'row', this.#agent),
    });
  }

  /** Counts what this machine moves, until `stop`. A field that does not answer leaves a gap. */
  start(): void {
    const sample = async (): Promise<void> => {
      const traffic = (await this.#source.field())?.traffic;
      const into = (traffic?.fromPeers ?? 0) + (traffic?.fromOrigin ?? 0);
      const out = (traffic?.toPeers ?? 0) + this.#source.sentBytes();
      this.#history.take({ in: into, out }, performance.now());
    };
    const again = () => void sample().catch(() => undefined);
    again();
    this.#sampling = setInterval(again, RATE_EVERY_SECONDS * 1000);
  }

  stop(): void {
    this.#agent.destroy();
    clearInterval(this.#sampling);
  }

  /** @returns undefined for paths that are not the status's */
  async answer(
    path: string,
    query: URLSearchParams,
    from: string,
    authorization?: string,
  ): Promise<Answer | undefined> {
    if (!PATHS.includes(path)) return undefined;
    if (!this.#limit.allow(from, performance.now())) return { kind: 'limited' };
    const isBrief = path === '/status.json' && query.has('brief');
    if (!isBrief && !(await this.#mayLook(from, authorization))) return { kind: 'locked' };
    if (path === '/') return { kind: 'text', type: 'text/html; charset=utf-8', text: STATUS_PAGE };
    if (path === '/machines.json') return { kind: 'text', type: 'application/json', text: await this.#around.look() };
    if (path === '/metrics') return { kind: 'text', type: METRICS_TYPE, text: formatMetrics(await this.#own('whole')) };
    if (isBrief) return json(await this.#own('brief'));
    return json(await this.#own(query.has('row') ? 'row' : 'whole'));
  }

  async #mayLook(from: string, authorization: string | undefined): Promise<boolean> {
    if (this.#gate === undefined || (await this.#gate.isOpenFor(authorization, from))) return true;
    // `viver status` on this machine: who may run programs here may look
    if (from === this.#source.address) return true;
    return (await this.#source.field())?.peers.some(({ address }) => hostOf(address) === from) === true;
  }

  async #own(extent: Extent): Promise<MachineStatus> {
    const status = await this.#source.status(extent);
    return { ...(extent === 'row' ? asRow(status) : status), rates: this.#history.rates };
  }
}

function json(value: unknown): Answer {
  return { kind: 'text', type: 'application/json', text: `${JSON.stringify(value)}\n` };
}
