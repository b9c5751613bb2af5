import { setTimeout as sleep } from 'node:timers/promises';
import { describeError } from '../linux/describe-error.ts';
import type { Link, Rtnetlink } from '../linux/netlink/rtnetlink.ts';
import { isUsable } from '../net/interfaces.ts';
import { isNamedByUdev, udevIsAtCards } from './udev-cards.ts';

const POLL_MS = 200;
/** A machine with much hardware and slow firmware. */
const UDEV_PATIENCE_MS = 10_000;
/** A link over copper is there two or three seconds after the card is switched on. */
const CARRIER_PATIENCE_MS = 6000;

export interface WiredCardsOptions {
  readonly network: Pick<Rtnetlink, 'links' | 'setUp'>;
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
  /** What udev does; a test has its own. */
  readonly udev?: {
    readonly isAt: (links: readonly Link[]) => boolean;
    readonly hasNamed: (link: Link) => boolean;
  };
  readonly udevPatienceMs?: number;
  readonly carrierPatienceMs?: number;
  readonly pollMs?: number;
}

const OWN_UDEV = {
  isAt: (links: readonly Link[]) => udevIsAtCards(links),
  hasNamed: (link: Link) => isNamedByUdev(link),
};

/**
 * Switches every card on and gives those with a cable, as soon as each is settled or the time is over. The image's udev
 * names a card and finds its driver first: one that is up cannot be renamed before Linux 6.2, and is afterwards under the
 * feet of who knows it by its first name. A card that cannot be switched on (a radio that is off) is none.
 */
export async function cardsWithCarrier({
  network,
  signal,
  log,
  udev = OWN_UDEV,
  udevPatienceMs = UDEV_PATIENCE_MS,
  carrierPatienceMs = CARRIER_PATIENCE_MS,
  pollMs = POLL_MS,
}: WiredCardsOptions): Promise<Link[]> {
  const cards = async () => (await network.links()).filter(isUsable);
  const pause = () => sleep(pollMs, undefined, { signal });
  const udevEndMs = performance.now() + udevPatienceMs;
  let found = await cards();
  for (; performance.now() < udevEndMs && udev.isAt(found); found = await cards()) await pause();
  // udev has had its time for these
  const waitedFor = new Set(found.map(({ index }) => index));
  const unfit = new Set<number>();
  const endMs = performance.now() + carrierPatienceMs;
  for (;;) {
    const links = (await cards()).filter(({ index }) => !unfit.has(index));
    for (const link of links) {
      if (link.up || !(waitedFor.has(link.index) || udev.hasNamed(link))) continue;
      await network.setUp(link, true).catch((error: unknown) => {
        unfit.add(link.index);
        log(`${link.name} is left out: ${describeError(error)}`);
      });
    }
    const carried = links.filter(({ carrier, up }) => carrier && up);
    if ((links.length > 0 && carried.length === links.length) || performance.now() > endMs) return carried;
    await pause();
  }
}
