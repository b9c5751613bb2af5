/**
 * Which machine gives addresses and boot loaders: one at a time, without anybody's setting. Pure. Two that serve at once
 * do no harm (they give the same machine the same address), so nobody needs to agree; it ends by itself.
 */

/** A machine as far as the election is concerned. */
export interface Candidate {
  /** Node id in the field. */
  readonly id: string;
  readonly role: string;
  /** It has what others boot by, and a DHCP plugin. */
  readonly canServe: boolean;
  /** It gives addresses now. */
  readonly isServing: boolean;
}

export interface Elected {
  readonly serve: boolean;
  readonly why: string;
}

/** Before the others: machines whose role it is; then the smallest node id. */
export function compareCandidates(a: Candidate, b: Candidate): number {
  const rank = ({ role }: Candidate) => (role === 'boot-server' ? 0 : 1);
  return rank(a) - rank(b) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

/**
 * Whether this machine is to serve.
 * @param others all that answer now
 */
export function elect(self: Candidate, others: readonly Candidate[]): Elected {
  if (!self.canServe) return { serve: false, why: 'no kernel and initrd here' };
  const serving = others.filter(({ isServing }) => isServing).sort(compareCandidates);
  const [first] = serving;
  // who serves goes on, whoever comes: a change would cost loading machines their server
  if (first !== undefined && (!self.isServing || compareCandidates(first, self) < 0))
    return { serve: false, why: `${first.id} serves` };
  if (self.isServing) return { serve: true, why: 'nobody before it serves' };
  const [next] = others.filter(({ canServe }) => canServe).sort(compareCandidates);
  if (next !== undefined && compareCandidates(next, self) < 0)
    return { serve: false, why: `nobody serves; ${next.id} is next` };
  return { serve: true, why: others.length === 0 ? 'no other machine is there' : 'nobody serves, and it is next' };
}

/** What asking for DHCP servers has shown, the last time and ever. */
export interface SeenServers {
  /** Servers that are not VIVER's and answered last time. */
  readonly foreign: readonly string[];
  /** Whether a server that is not VIVER's ever answered here. */
  readonly everForeign: boolean;
  /** Whether one of VIVER's ever answered here, or gave this machine its address. */
  readonly everOurs: boolean;
}

/** Anybody can make up servers. */
const MOST_NAMED = 4;

/** Servers by their addresses, as a person reads them. */
export function nameServers(servers: readonly string[]): string {
  const more = servers.length - MOST_NAMED;
  return `${servers.slice(0, MOST_NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** How the machine that serves does it: a network with a DHCP server of its own keeps it. */
export function dhcpModeFor(
  origin: 'lease' | 'static' | 'chosen',
  { foreign, everForeign, everOurs }: SeenServers,
): { readonly mode: 'full' | 'proxy'; readonly why: string } {
  if (foreign.length > 0) return { mode: 'proxy', why: `${nameServers(foreign)} gives the addresses here` };
  if (origin === 'chosen') return { mode: 'full', why: 'no other DHCP server answers here' };
  if (everForeign)
    return { mode: 'proxy', why: 'the DHCP server of this network is silent, but the network is its own' };
  if (everOurs) return { mode: 'full', why: "the addresses here are VIVER's" };
  if (origin === 'static') return { mode: 'full', why: 'no DHCP server answers here' };
  return { mode: 'proxy', why: 'some DHCP server gave this machine its address' };
}
