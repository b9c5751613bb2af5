import { type Codec, prefixed, struct } from '../../codec/struct.ts';
import { several, varint } from './varint.ts';

/**
 * What people have signed and the field carries: signatures of the image's index, and releases. Opaque bytes to who has
 * no keys; together they fit into one control frame.
 */
export interface Papers {
  /** Minisign's format, over the index file. */
  readonly signatures: readonly Uint8Array[];
  /** NAME.release files. */
  readonly releases: readonly Uint8Array[];
}

export const NO_PAPERS: Papers = { signatures: [], releases: [] };

/** Of each kind. An image may be signed by an old key and a new one, and one who cannot judge keeps what others show. */
export const PAPERS_LIMIT = 4;
/** Minisign ends its two comments at 1 and 8 KiB. */
export const SIGNATURE_LIMIT = 10 * 1024;
export const RELEASE_LIMIT = 4 * 1024;

export const papersCodec: Codec<Papers> = struct('papers', [
  ['signatures', several(prefixed(varint, SIGNATURE_LIMIT), PAPERS_LIMIT)],
  ['releases', several(prefixed(varint, RELEASE_LIMIT), PAPERS_LIMIT)],
]);

/** As it may be sent; undefined: it is too long, or nothing. */
export function fittingPaper(paper: Uint8Array, kind: keyof Papers): Uint8Array | undefined {
  const limit = kind === 'signatures' ? SIGNATURE_LIMIT : RELEASE_LIMIT;
  return paper.length > 0 && paper.length <= limit ? paper : undefined;
}
