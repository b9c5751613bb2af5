/**
 * Where the bytes of a read-only block device come from. The one thing `nbd` and `field` share:
 * the NBD front end reads from it, the field (or a file, or a test) is behind it.
 */
export interface BlockSource {
  /** Size of the device in bytes. */
  readonly size: number;
  /**
   * The bytes [offset, offset + length), which the caller has checked to lie within [0, size).
   * May wait for as long as nobody holds the bytes; rejects only when `signal` aborts.
   * The result is valid until the caller lets go of it and must not be written to.
   */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> | Uint8Array;
  /** The caller has let go of what `read` gave: its memory may be used again. Who does not say so leaves it to the collector. */
  release?(bytes: Uint8Array): void;
}
