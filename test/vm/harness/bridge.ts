/** Ethernet (IEEE 802.3): destination and source address, 6 bytes each, then the type. */
const ADDRESS_BYTES = 6;
export const HEADER_BYTES = 14;

/**
 * The memory of a learning switch: which address was last heard at which port. No socket, no clock: a frame in, the
 * ports it goes out of.
 */
export class Bridge<Port> {
  readonly #learned = new Map<string, Port>();

  /** Where a frame from `from` goes: to the port its address was heard at, or, unknown or to a group, to all others. */
  forward(from: Port, frame: Uint8Array, ports: Iterable<Port>): readonly Port[] {
    if (frame.length < HEADER_BYTES) return [];
    const text = Buffer.from(frame.buffer, frame.byteOffset, HEADER_BYTES);
    const source = text.toString('hex', ADDRESS_BYTES, 2 * ADDRESS_BYTES);
    if (!isGroup(text[ADDRESS_BYTES] ?? 0)) this.#learned.set(source, from);
    const known = isGroup(text[0] ?? 0) ? undefined : this.#learned.get(text.toString('hex', 0, ADDRESS_BYTES));
    if (known !== undefined) return known === from ? [] : [known];
    return [...ports].filter((port) => port !== from);
  }

  /** A port is gone, and what was heard there may come back at another. */
  forget(port: Port): void {
    for (const [address, at] of this.#learned) if (at === port) this.#learned.delete(address);
  }
}

/** The lowest bit of the first byte: broadcast and multicast. */
const isGroup = (firstByte: number): boolean => (firstByte & 1) === 1;
