import { createHmac, hash, timingSafeEqual } from 'node:crypto';

/** Bytes of the MAC behind every datagram of a keyed field. */
export const MAC_SIZE = 16;
export const PROOF_SIZE = 32;

/** The secret that the nodes of a keyed field share. Whoever does not know it is a stranger. */
export class FieldKey {
  readonly #secret: Buffer;

  /**
   * @param bytes the key file's content, whitespace around it not counted
   * @throws Error when there are fewer than 16 bytes of it
   */
  constructor(bytes: Uint8Array) {
    const text = Buffer.from(bytes).toString('latin1').trim();
    if (text.length < 16) throw new Error('a field key needs 16 bytes at least');
    this.#secret = hash('sha256', Buffer.from(text, 'latin1'), 'buffer');
  }

  /** A datagram with its MAC behind it. */
  seal(datagram: Uint8Array): Uint8Array {
    return Buffer.concat([datagram, this.#mac('datagram', datagram).subarray(0, MAC_SIZE)]);
  }

  /** What `seal` was given, or undefined when the MAC is not ours. */
  open(sealed: Uint8Array): Uint8Array | undefined {
    const size = sealed.length - MAC_SIZE;
    if (size < 0) return undefined;
    const datagram = sealed.subarray(0, size);
    const expected = this.#mac('datagram', datagram).subarray(0, MAC_SIZE);
    return timingSafeEqual(expected, sealed.subarray(size)) ? datagram : undefined;
  }

  /** Shows knowledge of the key for one connection: over both hellos, so that it is of no use anywhere else. */
  proof(side: 'dialler' | 'dialled', diallerHello: Uint8Array, dialledHello: Uint8Array): Uint8Array {
    return this.#mac(side, Buffer.concat([diallerHello, dialledHello]));
  }

  #mac(purpose: string, bytes: Uint8Array): Buffer {
    return createHmac('sha256', this.#secret).update(purpose).update('\0').update(bytes).digest();
  }
}

export function isSameProof(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
