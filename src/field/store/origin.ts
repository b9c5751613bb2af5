import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { ChunkIndex } from '../../image/chunk-index.ts';
import { chunkPath, packedLimit, unpackChunk } from '../../image/chunk-store.ts';

/** An origin that answers nothing for so long is passed over. */
const PATIENCE_MS = 5000;
/** After a failure an origin is left alone so long. */
const REST_MS = 3000;

/** Chunk stores on web servers: where chunks come from when no peer has them. */
export class Origins {
  readonly #urls: readonly URL[];
  readonly #restUntil = new Map<URL, number>();
  /** Where the last chunk came from: asked first. */
  #first = 0;
  bytes = 0;

  /** @throws Error when one is no http or https URL */
  constructor(urls: readonly string[]) {
    this.#urls = urls.map((text) => {
      const url = URL.canParse(text) ? new URL(text) : undefined;
      if (url === undefined || !/^https?:$/.test(url.protocol)) throw new Error(`'${text}' is no http or https URL`);
      if (!url.pathname.endsWith('/')) url.pathname += '/';
      return url;
    });
  }

  get count(): number {
    return this.#urls.length;
  }

  /**
   * The chunk's bytes, unpacked and not yet verified, from the first origin that has it.
   * @throws Error when none of them gives it
   */
  async fetch(index: ChunkIndex, chunk: number, now: number): Promise<Uint8Array> {
    const reasons: string[] = [];
    for (let i = 0; i < this.#urls.length; i++) {
      const at = (this.#first + i) % this.#urls.length;
      const base = this.#urls[at] as URL;
      if (now < (this.#restUntil.get(base) ?? 0)) continue;
      try {
        const length = index.length(chunk);
        const packed = await get(new URL(chunkPath(index.digestHex(chunk)), base), packedLimit(length));
        this.bytes += packed.length;
        const bytes = await unpackChunk(packed, length);
        this.#first = at;
        return bytes;
      } catch (error) {
        reasons.push(`${base.host}: ${error instanceof Error ? error.message : String(error)}`);
        this.#restUntil.set(base, now + REST_MS);
      }
    }
    throw new Error(`no origin gives chunk ${chunk}${reasons.length === 0 ? '' : `: ${reasons.join('; ')}`}`);
  }
}

function get(url: URL, limit: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(
      url,
      { timeout: PATIENCE_MS },
      (response) => {
        const parts: Uint8Array[] = [];
        let size = 0;
        if (response.statusCode !== 200) {
          response.resume();
          reject(new Error(`HTTP ${response.statusCode}`));
          return;
        }
        response.on('data', (part: Uint8Array) => {
          size += part.length;
          if (size > limit) request.destroy(new Error(`more than the ${limit} bytes a chunk can have`));
          else parts.push(part);
        });
        response.on('end', () => resolve(Buffer.concat(parts)));
        response.on('error', reject);
      },
    );
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', reject);
    request.end();
  });
}
