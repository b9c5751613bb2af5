const utf8 = new TextDecoder('utf-8');

/** Some bytes of a device from `start` on, zero where nothing was read: a short device is one that lacks the signature. */
export class Head {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  /** @param length so many bytes can be asked for, whatever was read */
  constructor(source: Uint8Array, length: number) {
    this.#bytes = source;
    if (source.length < length) {
      this.#bytes = new Uint8Array(length);
      this.#bytes.set(source);
    }
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length);
  }

  has(offset: number, magic: string): boolean {
    for (let i = 0; i < magic.length; i++) if (this.#bytes[offset + i] !== magic.charCodeAt(i)) return false;
    return true;
  }
  u8 = (offset: number): number => this.#view.getUint8(offset);
  u16 = (offset: number): number => this.#view.getUint16(offset, true);
  u32 = (offset: number): number => this.#view.getUint32(offset, true);
  u32be = (offset: number): number => this.#view.getUint32(offset);
  u64 = (offset: number): bigint => this.#view.getBigUint64(offset, true);
  u64be = (offset: number): bigint => this.#view.getBigUint64(offset);

  bytes(offset: number, length: number): Uint8Array {
    return this.#bytes.subarray(offset, offset + length);
  }
  text(offset: number, length: number, decoder = utf8): string {
    const field = this.bytes(offset, length);
    const end = field.indexOf(0);
    return decoder.decode(end < 0 ? field : field.subarray(0, end)).trimEnd();
  }
  uuid(offset: number): string {
    const hex = Buffer.from(this.bytes(offset, 16)).toString('hex');
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  }
}
