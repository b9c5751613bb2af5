import type { Link } from '../../linux/netlink/rtnetlink.ts';
import { askDhcp } from '../../net/ask-dhcp.ts';
import { type DhcpOffer, readOptions } from '../../net/dhcp-message.ts';
import { VIVER_MARK, VIVER_OPTION } from './dnsmasq-config.ts';

/** Which DHCP servers are on the wire, by their answers to two questions: one of a VIVER machine's, one of firmware's. */
export interface DhcpAnswers {
  /** Servers that give addresses and are not VIVER's. */
  readonly foreign: readonly string[];
  /** VIVER's, with the address that each would give; `0.0.0.0`: it answers beside another server. */
  readonly marked: readonly { readonly server: string; readonly yourAddress: string }[];
}

const VENDOR_CLASS = 60;
const VENDOR_OPTIONS = 43;
/** Nobody: a server that answers beside another one (PXE specification 2.1, section 2.2.3) gives no address. */
const NO_ADDRESS = '0.0.0.0';

const option = (code: number, value: Iterable<number>): readonly number[] => {
  const bytes = [...value];
  return [code, bytes.length, ...bytes];
};

/** VIVER's server answers its own machines; another VIVER's answer is known by its mark. */
const AS_VIVER = option(VENDOR_CLASS, Buffer.from(VIVER_MARK));
/** Beside another server it answers firmware only: RFC 4578, a BIOS with a UUID of nobody. */
const AS_FIRMWARE = [
  ...option(VENDOR_CLASS, Buffer.from('PXEClient:Arch:00000:UNDI:002001')),
  ...option(93, [0, 0]),
  ...option(94, [1, 2, 1]),
  ...option(97, [0, ...Buffer.from('viver asks round')]),
];

/** Whether one of VIVER's servers made the offer: its mark is among the options, or among PXE's (option 43). Pure. */
export function isMarked({ options }: Pick<DhcpOffer, 'options'>): boolean {
  const isMark = (value: Uint8Array | undefined) => Buffer.from(value ?? []).toString('latin1') === VIVER_MARK;
  if (isMark(options.get(VIVER_OPTION))) return true;
  const inside = options.get(VENDOR_OPTIONS);
  return inside !== undefined && isMark(readOptions(inside).get(VIVER_OPTION));
}

/** What the offers say together. Pure. @param own this machine's address: its own server is none to be found */
export function sortOffers(offers: readonly DhcpOffer[], own: string): DhcpAnswers {
  const foreign = new Set<string>();
  const marked = new Map<string, string>();
  for (const offer of offers) {
    const { server, yourAddress } = offer;
    if (server === own) continue;
    if (!isMarkedSafely(offer)) {
      if (yourAddress !== NO_ADDRESS) foreign.add(server);
    } else if ((marked.get(server) ?? NO_ADDRESS) === NO_ADDRESS) marked.set(server, yourAddress);
  }
  return {
    foreign: [...foreign],
    marked: [...marked].map(([server, yourAddress]) => ({ server, yourAddress })),
  };
}

/** What is in option 43 is anybody's own business: another vendor's need not be made of options at all. */
function isMarkedSafely(offer: DhcpOffer): boolean {
  try {
    return isMarked(offer);
  } catch {
    return false;
  }
}

/** @throws SyscallError when the link is down or gone */
export async function whoAnswers(
  link: Pick<Link, 'index' | 'mac'>,
  own: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<DhcpAnswers> {
  const questions = [AS_VIVER, AS_FIRMWARE].map((extra) =>
    askDhcp(link, { timeoutMs, wanted: [VENDOR_OPTIONS, VIVER_OPTION], extra, signal }),
  );
  return sortOffers((await Promise.all(questions)).flat(), own);
}
