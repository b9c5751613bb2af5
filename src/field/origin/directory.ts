import type { Endpoint } from './names.ts';
import { type NameServer, resolveHost } from './names.ts';
import { hostOf, type OriginPlace, portOf } from './place.ts';
import type { HttpProxy } from './proxy.ts';
import { OriginServer } from './server.ts';

/** A name that nobody knew is asked for again after so long. */
const AGAIN_MS = 2000;

export interface DirectoryLinks {
  readonly names: () => NameServer;
  readonly proxyOf: (url: URL) => HttpProxy | undefined;
  readonly log: (line: string) => void;
}

interface Entry {
  readonly place: OriginPlace;
  servers: readonly OriginServer[];
  askAt: number;
  asking: Promise<void> | undefined;
  fault: string | undefined;
}

/** Which servers there are behind the origins' names, now: DNS is asked again when its answers have become old. */
export class Directory {
  readonly #links: DirectoryLinks;
  readonly #entries: readonly Entry[];

  constructor(places: readonly OriginPlace[], links: DirectoryLinks) {
    this.#links = links;
    this.#entries = places.map((place) => ({
      place,
      servers: [],
      askAt: Number.NEGATIVE_INFINITY,
      asking: undefined,
      fault: undefined,
    }));
  }

  /** Those known now. */
  get servers(): readonly OriginServer[] {
    return this.#entries.flatMap(({ servers }) => servers);
  }

  /** Names without a server, and why. */
  get faults(): readonly { readonly name: string; readonly fault: string }[] {
    return this.#entries.flatMap(({ place, fault }) => (fault === undefined ? [] : [{ name: place.name, fault }]));
  }

  /** Has old answers asked for anew. Waits only while no server at all is known. */
  async refresh(now: number): Promise<void> {
    for (const entry of this.#entries) {
      if (now < entry.askAt || entry.asking !== undefined) continue;
      entry.asking = this.#ask(entry, now).finally(() => {
        entry.asking = undefined;
      });
    }
    const asking = this.#entries.flatMap(({ asking }) => asking ?? []);
    while (this.servers.length === 0 && asking.length > 0) {
      await Promise.race(asking.map((each, at) => each.then(() => at))).then((at) => asking.splice(at, 1));
    }
  }

  async #ask(entry: Entry, now: number): Promise<void> {
    const { place } = entry;
    try {
      const proxy = this.#links.proxyOf(place.url);
      const [host, port] = proxy === undefined ? [hostOf(place.url), portOf(place.url)] : [proxy.host, proxy.port];
      const { endpoints, ttlMs } = await resolveHost(
        host,
        port,
        proxy === undefined && place.isService,
        this.#links.names(),
      );
      // What the server is called stays, whoever is asked for it.
      const asked =
        proxy === undefined
          ? endpoints
          : endpoints.map((each) => ({ ...each, host: hostOf(place.url), port: portOf(place.url) }));
      entry.servers = asked.map((endpoint) => entry.servers.find(isAt(endpoint)) ?? new OriginServer(place, endpoint));
      entry.askAt = now + ttlMs;
      entry.fault = undefined;
    } catch (error) {
      // Those of the last answer may be there all the same.
      entry.askAt = now + AGAIN_MS;
      const fault = `its name is not known: ${error instanceof Error ? error.message : String(error)}`;
      if (entry.fault !== fault) this.#links.log(`origin ${place.name}: ${fault}`);
      entry.fault = fault;
    }
  }
}

function isAt(wanted: Endpoint): (server: OriginServer) => boolean {
  return ({ endpoint }) =>
    endpoint.address === wanted.address &&
    endpoint.port === wanted.port &&
    endpoint.host === wanted.host &&
    endpoint.priority === wanted.priority;
}
