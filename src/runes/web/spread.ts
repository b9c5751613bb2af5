import type { FieldStatus } from '../../field/status.ts';
import { parseAddress } from '../../field/wire/address.ts';

/** Which machine gives a boot file: the one with the least to do. Pure. */
export interface FileServer {
  /** `http://ADDRESS:PORT` */
  readonly base: string;
  /** Files being sent now. */
  readonly transfers: number;
  /** All of the image is there: nothing of a file has to be fetched before it is given. */
  readonly isWhole: boolean;
}

/** Whether the node at this address holds all of the image, as far as `field` has heard. @param host without a port */
export function holdsAll({ image, node, peers }: FieldStatus, host: string): boolean {
  return [node, ...peers].some(({ address, held }) => held === image.chunks && parseAddress(address).host === host);
}

/** Who has to fetch a file block by block while it gives it is as slow as one that gives three. */
const FETCHING = 2;

const burden = ({ transfers, isWhole }: FileServer): number => transfers + (isWhole ? 0 : FETCHING);

/** @param self comes last among equals: it has the network's addresses and the field's beginners to look after too */
export function leastLoaded(self: FileServer, others: readonly FileServer[]): FileServer {
  let best = self;
  for (const other of others) {
    const [more, least] = [burden(other), burden(best)];
    if (more < least || (more === least && best === self)) best = other;
  }
  return best;
}
