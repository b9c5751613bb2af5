import { isIPv4 } from 'node:net';
import type { Network } from '../engine/interfaces.ts';
import type { MachineStatus } from '../machine-status.ts';
import { fetchStatus } from '../peers.ts';
import { type Candidate, compareCandidates } from './election.ts';
import { isStranded } from './private-range.ts';

/** Gone is who did not answer so many times. */
const MOST_SILENT = 2;
const ANSWER_MS = 1500;
const GIVEN_UP_MS = 10_000;
/** Of many machines only the first in line matter. */
const MOST_ASKED = 16;
/** So many more are asked at a time who they are, by the one that gives addresses. */
const MOST_LEARNT = 32;
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;

/** How often in a row a machine did not answer, and when it is asked again. */
interface Silence {
  readonly times: number;
  readonly untilMs: number;
}

export interface Peer {
  /** Node id in the field. */
  readonly id: string;
  readonly host: string;
}

/** A machine that answered, and where it is. */
export interface KnownMachine extends Candidate {
  readonly mac: string;
  readonly address: string;
}

/** The machines of this machine's field, as far as who serves is concerned: what each says of itself. */
export class FieldMachines {
  readonly #network: Network;
  readonly #silent = new Map<string, Silence>();
  readonly #last = new Map<string, KnownMachine>();
  /** Addresses of machines that answer no more, until it is seen to. */
  #gone: string[] = [];

  constructor(network: Network) {
    this.#network = network;
  }

  /** Whether somebody who is known was silent the last time: look again at once. */
  get isInDoubt(): boolean {
    return [...this.#silent].some(([id, { times }]) => times < MOST_SILENT && this.#last.has(id));
  }

  isKnown(id: string): boolean {
    return this.#last.has(id);
  }

  /** Addresses of machines that have gone since this was asked last. */
  takeGone(): readonly string[] {
    return this.#gone.splice(0);
  }

  /**
   * Those that answer; one that was silent once is not taken for gone. As long as somebody else serves only that one is
   * asked: fifty machines must not ask fifty.
   */
  async look(peers: readonly Peer[], isServing: boolean): Promise<Candidate[]> {
    const ids = new Set(peers.map(({ id }) => id));
    for (const id of this.#silent.keys()) if (!ids.has(id)) this.#silent.delete(id);
    for (const id of this.#last.keys()) if (!ids.has(id)) this.#forget(id);
    const servers = isServing ? [] : peers.filter(({ id }) => this.#last.get(id)?.isServing === true);
    if (servers.length > 0) {
      for (const [id, { times }] of this.#silent)
        if (times < MOST_SILENT && !servers.some((one) => one.id === id)) this.#silent.delete(id);
      const answers = (await Promise.all(servers.map((peer) => this.#one(peer)))).filter((one) => one !== undefined);
      if (answers.some((one) => one.isServing)) return answers;
    }
    const first = [...peers].sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, MOST_ASKED);
    const known = peers.filter(
      ({ id }) => this.#last.get(id)?.isServing === true && !first.some((one) => one.id === id),
    );
    // The field takes longer to give a machine up: it is not waited for again and again meanwhile.
    const nowMs = performance.now();
    const asked = [...first, ...known].filter(({ id }) => (this.#silent.get(id)?.untilMs ?? 0) <= nowMs);
    const answers = await Promise.all(asked.map((peer) => this.#one(peer)));
    await this.learn(
      peers.filter(({ id }) => !this.#last.has(id) && !this.#silent.has(id)),
      MOST_LEARNT,
    );
    return answers.filter((answer) => answer !== undefined).sort(compareCandidates);
  }

  /** Who gives addresses has to know everybody's: a few strangers at a time, until none is left. */
  async learn(strangers: readonly Peer[], most: number): Promise<void> {
    for (let i = 0; i < Math.min(most, strangers.length); i += MOST_LEARNT)
      await Promise.all(strangers.slice(i, i + MOST_LEARNT).map((peer) => this.#one(peer)));
  }

  /** Those whose addresses are known. */
  get machines(): readonly KnownMachine[] {
    return [...this.#last.values()].filter(({ mac, address }) => isIPv4(address) && MAC.test(mac));
  }

  async #one(peer: Peer): Promise<Candidate | undefined> {
    const { id, host } = peer;
    try {
      const said = candidateOf(peer, await fetchStatus(host, ANSWER_MS, 'brief'));
      const candidate = isStranded(host, this.#network) ? { ...said, canServe: false } : said;
      this.#silent.delete(id);
      this.#last.set(id, candidate);
      return candidate;
    } catch {
      const times = (this.#silent.get(id)?.times ?? 0) + 1;
      const untilMs = times < MOST_SILENT ? 0 : performance.now() + GIVEN_UP_MS;
      this.#silent.set(id, { times, untilMs });
      if (times < MOST_SILENT) return this.#last.get(id);
      this.#forget(id);
      return undefined;
    }
  }

  #forget(id: string): void {
    const gone = this.#last.get(id);
    if (gone !== undefined && isIPv4(gone.address)) this.#gone.push(gone.address);
    this.#last.delete(id);
  }
}

function candidateOf({ id, host }: Peer, status: MachineStatus): KnownMachine {
  const mode = status.dhcp?.mode;
  return {
    id,
    mac: status.mac,
    // what it says of others is not believed
    address: status.address === host ? host : '',
    role: status.role,
    canServe: status.canServe && mode !== undefined && status.dhcp?.never !== true,
    isServing: mode === 'full' || mode === 'proxy',
  };
}
