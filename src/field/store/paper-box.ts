import { hash } from 'node:crypto';
import type { ChunkIndex } from '../../image/chunk-index.ts';
import { fittingPaper, PAPERS_LIMIT, type Papers } from '../wire/papers.ts';

/** Whose signatures count. Both throw an Error that says why this one does not. */
export interface Trust {
  /** Cheap, before there is an index: it may be one of an index by a key we know. */
  promises(signature: Uint8Array): void;
  /** It is one of this index. */
  proves(signature: Uint8Array, index: ChunkIndex): void;
}

export interface PaperRules {
  /** Nothing but an image that is signed so is taken from others. */
  readonly trust?: Trust | undefined;
  /** Says of a release that somebody shows whether it takes the place of those that are here. Without it all are kept. */
  readonly takesRelease?: ((release: Uint8Array) => boolean) | undefined;
}

/** What was judged once is not judged again. */
const JUDGED_LIMIT = 256;

/**
 * What is signed, as a node has it from its files and from others, for others. Who has keys keeps only what is good by
 * them; who has none keeps the first few that come, as they are.
 */
export class PaperBox {
  readonly #rules: PaperRules;
  /** From this machine's own files: they stay. */
  readonly #own: Papers;
  #signatures: Uint8Array[] = [];
  #releases: Uint8Array[] = [];
  readonly #judged = new Set<string>();
  #index: ChunkIndex | undefined;
  #why: string | undefined;

  constructor(own: Papers, rules: PaperRules) {
    this.#own = {
      signatures: own.signatures.filter((each) => fittingPaper(each, 'signatures') !== undefined),
      releases: own.releases.filter((each) => fittingPaper(each, 'releases') !== undefined),
    };
    this.#rules = rules;
    for (const signature of this.#own.signatures) this.#takeSignature(signature);
  }

  /** To be shown to others. */
  get papers(): Papers {
    const { signatures, releases } = this.#own;
    const isProven = this.#rules.trust === undefined || this.#index !== undefined;
    return {
      signatures: distinct(isProven ? [...signatures, ...this.#signatures] : signatures),
      releases: distinct([...releases, ...this.#releases]),
    };
  }

  /** A signature is here that may be one of the index. Always when nothing has to be signed. */
  get isPromising(): boolean {
    return this.#rules.trust === undefined || this.#signatures.length > 0;
  }

  /** Why the last signature that was shown does not count; undefined: none was refused. */
  get why(): string | undefined {
    return this.#why;
  }

  /** What a peer shows. @param log is told why a signature does not count, once for each */
  take({ signatures, releases }: Papers, log: (line: string) => void = () => {}): void {
    const before = this.#why;
    for (const signature of signatures) this.#takeSignature(Uint8Array.from(signature));
    for (const release of releases) this.#takeRelease(Uint8Array.from(release));
    if (this.#why !== before) log(`a signature does not count: ${this.#why}`);
  }

  /** Whether the image with this index may be used. From then on only what proves it is kept. */
  admits(index: ChunkIndex): boolean {
    const { trust } = this.#rules;
    if (trust === undefined) return true;
    this.#signatures = this.#signatures.filter((each) => this.#passes(() => trust.proves(each, index)));
    if (this.#signatures.length === 0) return false;
    this.#index = index;
    return true;
  }

  #takeSignature(signature: Uint8Array): void {
    if (fittingPaper(signature, 'signatures') === undefined) return;
    if (this.#signatures.length >= PAPERS_LIMIT || !this.#isNews(signature)) return;
    const { trust } = this.#rules;
    const index = this.#index;
    const isGood = trust === undefined || this.#passes(() => trust.promises(signature));
    if (!isGood || (index !== undefined && !this.#passes(() => trust?.proves(signature, index)))) return;
    this.#signatures.push(signature);
  }

  #takeRelease(release: Uint8Array): void {
    if (fittingPaper(release, 'releases') === undefined || !this.#isNews(release)) return;
    const { takesRelease } = this.#rules;
    if (takesRelease === undefined) {
      if (this.#releases.length < PAPERS_LIMIT) this.#releases.push(release);
    } else if (takesRelease(release)) this.#releases = [release];
  }

  #isNews(paper: Uint8Array): boolean {
    const name = hash('sha256', paper, 'base64');
    if (this.#judged.has(name)) return false;
    // The oldest are forgotten: to be judged again costs little.
    for (const oldest of this.#judged) {
      if (this.#judged.size < JUDGED_LIMIT) break;
      this.#judged.delete(oldest);
    }
    this.#judged.add(name);
    return true;
  }

  #passes(check: () => void): boolean {
    try {
      check();
      return true;
    } catch (error) {
      this.#why = error instanceof Error ? error.message : String(error);
      return false;
    }
  }
}

/** Our own first; no more than a frame carries. */
function distinct(papers: readonly Uint8Array[]): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (const paper of papers) if (!found.some((each) => Buffer.compare(each, paper) === 0)) found.push(paper);
  return found.slice(0, PAPERS_LIMIT);
}
