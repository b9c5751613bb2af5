import { expect, test } from 'vitest';
import { SyscallError } from '../../../src/linux/errno.ts';
import { LINK_TYPE_ETHERNET, type Link } from '../../../src/linux/netlink/rtnetlink.ts';
import { cardsWithCarrier } from '../../../src/runes/wired-cards.ts';

const card = (index: number, more: Partial<Link> = {}): Link => ({
  index,
  name: `eth${index}`,
  type: LINK_TYPE_ETHERNET,
  mac: `52:54:00:00:00:0${index}`,
  mtu: 1500,
  up: false,
  loopback: false,
  carrier: false,
  operstate: 'down',
  kind: undefined,
  ...more,
});

/** A kernel whose cards have a link as soon as they are switched on. */
class Kernel {
  readonly cards = new Map<number, Link>();
  readonly raised: number[] = [];
  readonly said: string[] = [];
  readonly refuses = new Map<number, number>();
  /** Before each list of the links. */
  onList: (count: number) => void = () => {};
  #lists = 0;

  constructor(...cards: Link[]) {
    for (const one of cards) this.cards.set(one.index, one);
  }

  async links(): Promise<Link[]> {
    this.onList(this.#lists++);
    return [...this.cards.values()];
  }

  async setUp({ index, name }: Pick<Link, 'index' | 'name'>): Promise<void> {
    const link = this.cards.get(index);
    const errno = link === undefined ? 19 : this.refuses.get(index);
    if (link === undefined || errno !== undefined) throw new SyscallError('set up', name, errno ?? 19);
    this.raised.push(index);
    this.cards.set(index, { ...link, up: true, carrier: true });
  }

  find(udev = { isAt: (_: readonly Link[]) => false, hasNamed: (_: Link) => true }, carrierPatienceMs = 60) {
    return cardsWithCarrier({
      network: this,
      signal: new AbortController().signal,
      log: (line) => this.said.push(line),
      udev,
      udevPatienceMs: 40,
      carrierPatienceMs,
      pollMs: 5,
    });
  }
}

const names = (links: readonly Link[]) => links.map(({ name }) => name);

test('every card is switched on, and those with a cable are given', async () => {
  const kernel = new Kernel(card(2), card(3), card(4, { loopback: true }), card(5, { kind: 'bridge' }));
  expect(names(await kernel.find())).toEqual(['eth2', 'eth3']);
  expect(kernel.raised).toEqual([2, 3]);
});

test('a card that cannot be switched on, as a radio that is off, costs the others nothing and is told of once', async () => {
  const kernel = new Kernel(card(2), card(3));
  kernel.refuses.set(2, 132);
  const begun = performance.now();
  expect(names(await kernel.find(undefined, 60_000))).toEqual(['eth3']);
  expect(performance.now() - begun).toBeLessThan(30_000);
  expect(kernel.said).toEqual(['eth2 is left out: set up eth2: ERFKILL (Operation not possible due to RF-kill)']);
});

test('a card that is pulled out before it is switched on costs the others nothing', async () => {
  const kernel = new Kernel(card(2), card(3));
  const links = kernel.links.bind(kernel);
  kernel.links = async () => {
    const all = await links();
    kernel.cards.delete(2);
    return all;
  };
  expect(names(await kernel.find())).toEqual(['eth3']);
});

test('no card is switched on before udev has seen to those that are there', async () => {
  const kernel = new Kernel(card(2));
  let asked = 0;
  const found = kernel.find({ isAt: () => ++asked < 4 && kernel.raised.length === 0, hasNamed: () => true });
  expect(names(await found)).toEqual(['eth2']);
  expect(asked).toBe(4);
});

test('a udev that never comes to an end, or never names a card, is not waited for longer than it may take', async () => {
  const kernel = new Kernel(card(2));
  expect(names(await kernel.find({ isAt: () => true, hasNamed: () => false }))).toEqual(['eth2']);
});

test('a card that comes later is switched on when it has its name', async () => {
  const kernel = new Kernel(card(2));
  kernel.refuses.set(2, 19);
  let isNamed = false;
  kernel.onList = (count) => {
    if (count === 4) kernel.cards.set(3, card(3));
    if (count === 8) {
      expect(kernel.raised).toEqual([]);
      isNamed = true;
      kernel.cards.set(3, card(3, { name: 'enp0s3' }));
    }
  };
  const udev = { isAt: () => false, hasNamed: () => isNamed };
  expect(names(await kernel.find(udev, 60_000))).toEqual(['enp0s3']);
});
