import type { Address } from '../../field/wire/address.ts';
import type { Offer } from '../../field/wire/offer.ts';
import { isImageName } from '../../image/image-name.ts';
import type { BootOptions } from '../command-line.ts';

/** An offer and where it came from. */
export interface HeardOffer extends Offer {
  readonly from: Address;
}

export type OfferChoice =
  | {
      readonly kind: 'take';
      readonly image: { readonly name: string; readonly id: string; readonly peers: readonly Address[] };
      readonly why: string;
      readonly warnings: readonly string[];
    }
  /** None of the offers may be taken; `saw` says what they were. */
  | { readonly kind: 'none'; readonly saw: readonly string[] };

const ID_DIGITS = 12;

/**
 * Which image to take of those that nodes offer. Pure. The pinned one alone when there is a pin; else one of the name
 * asked for, or any; of several different ones that which most nodes have, then the one with the lowest id, so that
 * machines choose alike.
 * @param refused images that were looked at and may not boot: why, by their ids
 */
export function chooseOffer(
  offers: readonly HeardOffer[],
  wanted: BootOptions['image'],
  refused: ReadonlyMap<string, string>,
): OfferChoice {
  const saw = offers.map(({ name, id, from }) => {
    const why = refused.get(id);
    return `${name}@${id.slice(0, ID_DIGITS)} offered by ${from}${why === undefined ? '' : `, refused: ${why}`}`;
  });
  const fits = offers.filter(
    ({ id, name }) =>
      !refused.has(id) && (wanted?.id === undefined ? wanted === undefined || wanted.name === name : wanted.id === id),
  );
  const byId = Map.groupBy(fits, ({ id }) => id);
  const [best, ...others] = [...byId].sort(([leftId, left], [rightId, right]) =>
    left.length === right.length ? (leftId < rightId ? -1 : 1) : right.length - left.length,
  );
  if (best === undefined) return { kind: 'none', saw: [...new Set(saw)] };
  const [id, nodes] = best;
  const offered = nodes.map(({ name }) => name).find(isImageName);
  const name = wanted?.name ?? offered ?? id.slice(0, ID_DIGITS);
  const pinned = wanted?.id === undefined ? 'offered' : 'the very image, offered';
  return {
    kind: 'take',
    image: { name, id, peers: nodes.map(({ from }) => from) },
    why: `${pinned} by ${nodes.length === 1 ? nodes[0]?.from : `${nodes.length} nodes`}`,
    warnings: others.map(
      ([other, { length }]) =>
        `the network also offers ${other.slice(0, ID_DIGITS)} (${length} of its nodes heard): ` +
        'viver.image=NAME@sha256:ID takes exactly one',
    ),
  };
}
