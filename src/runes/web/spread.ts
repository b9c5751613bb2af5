/** Which machine gives a boot file: the one with the fewest files on their way. Pure. */
export interface FileServer {
  /** `http://ADDRESS:PORT` */
  readonly base: string;
  /** Files being sent now. */
  readonly transfers: number;
}

/** @param self comes last among equals: it has the network's addresses and the field's beginners to look after too */
export function leastLoaded(self: FileServer, others: readonly FileServer[]): FileServer {
  let best = self;
  for (const other of others) {
    if (other.transfers < best.transfers || (other.transfers === best.transfers && best === self)) best = other;
  }
  return best;
}
