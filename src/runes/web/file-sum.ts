import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';

/** The SHA-256 of a file that never changes, in hexadecimal. It is read once, when somebody first wants it. */
export class FileSum {
  readonly #path: string;
  #made: Promise<string> | undefined;
  #known: string | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Once it has been made. */
  get known(): string | undefined {
    return this.#known;
  }

  /** @throws SyscallError when the file cannot be read; the next question tries again */
  async get(): Promise<string> {
    this.#made ??= sumOf(this.#path);
    try {
      this.#known = await this.#made;
    } catch (error) {
      this.#made = undefined;
      throw error;
    }
    return this.#known;
  }
}

async function sumOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}
