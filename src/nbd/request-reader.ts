import { payloadBytes, REQUEST_BYTES, type Request, readRequest } from './protocol.ts';

/** A request to be filled in. */
export function emptyRequest(): Request {
  return { flags: 0, command: 0, cookieHigh: 0, cookieLow: 0, offset: 0, length: 0 };
}

/**
 * Cuts the client's byte stream into requests, however it is split into packets. Pure, holds no more than one request
 * and the packet it was given, and can be left and taken up again in the middle of a packet, so that a connection with
 * too much in flight simply stops asking.
 */
export class RequestReader {
  /** The packet being read, and how far it is read. */
  #bytes: Uint8Array = new Uint8Array();
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  /** The beginning of a request that the packets before ended with. */
  readonly #carry = new Uint8Array(REQUEST_BYTES);
  readonly #carryView = new DataView(this.#carry.buffer);
  #carried = 0;
  /** A WRITE whose data is still to be thrown away, and how much of it. */
  #write: Request | undefined;
  #payload = 0;
  #broken = false;

  /** Hands over the next packet; the one before must have been read to 'more'. */
  take(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = 0;
  }

  /** What of the packet has not been read yet. */
  get rest(): Uint8Array {
    return this.#bytes.subarray(this.#at);
  }

  /**
   * Puts the next request into `target`. A WRITE is given out when its data has passed, so that the reply comes when
   * the client listens for it.
   * @returns 'more' if the next packet is needed; 'broken' if the stream has lost its frame and stays so
   */
  next(target: Request): 'request' | 'more' | 'broken' {
    if (this.#broken) return 'broken';
    if (this.#write !== undefined) return this.#skipPayload(this.#write, target);
    if (!this.#read(target)) return this.#broken ? 'broken' : 'more';
    this.#payload = payloadBytes(target);
    if (this.#payload === 0) return 'request';
    this.#write = { ...target };
    return this.#skipPayload(this.#write, target);
  }

  #read(target: Request): boolean {
    if (this.#carried === 0 && this.#bytes.length - this.#at >= REQUEST_BYTES) {
      this.#broken = !readRequest(this.#view, this.#at, target);
      this.#at += REQUEST_BYTES;
      return !this.#broken;
    }
    const taken = Math.min(REQUEST_BYTES - this.#carried, this.#bytes.length - this.#at);
    this.#carry.set(this.#bytes.subarray(this.#at, this.#at + taken), this.#carried);
    this.#carried += taken;
    this.#at += taken;
    if (this.#carried < REQUEST_BYTES) return false;
    this.#carried = 0;
    this.#broken = !readRequest(this.#carryView, 0, target);
    return !this.#broken;
  }

  #skipPayload(write: Request, target: Request): 'request' | 'more' {
    const skipped = Math.min(this.#payload, this.#bytes.length - this.#at);
    this.#payload -= skipped;
    this.#at += skipped;
    if (this.#payload > 0) return 'more';
    Object.assign(target, write);
    this.#write = undefined;
    return 'request';
  }
}
