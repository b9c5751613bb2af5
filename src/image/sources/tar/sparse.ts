import type { Span } from './header.ts';
import { type PaxRecords, paxCount } from './pax.ts';
import { TarError } from './tar-error.ts';

/**
 * Files with holes, as GNU tar writes them ("Storing Sparse Files" in its manual): only the data follows the header, and
 * a map says where it belongs. The map is in the header (old GNU, read by header.ts), in the extended header (0.0, 0.1),
 * or in front of the data (1.0).
 */
export interface SparseMap {
  /** Of the whole file, bytes. */
  readonly realSize: number;
  readonly spans: readonly Span[];
}

/** More spans than any real file has: the map of a hostile one is not kept. */
const MOST_SPANS = 1_000_000;

/** A map is right when its spans follow each other inside the file and are together as long as the data. */
export function checkedMap({ realSize, spans }: SparseMap, dataSize: number): SparseMap {
  let before = 0;
  let sum = 0;
  for (const { start, end } of spans) {
    if (!(Number.isSafeInteger(end) && start >= before && end >= start && end <= realSize)) {
      throw new TarError('the map of its holes is damaged');
    }
    before = end;
    sum += end - start;
  }
  if (sum !== dataSize) throw new TarError(`the map of its holes speaks of ${sum} bytes, ${dataSize} follow`);
  return { realSize, spans: spans.filter(({ start, end }) => end > start) };
}

/** Collects the repeated keys of format 0.0 while an extended header is parsed. */
export class RepeatedSpans {
  readonly #numbers: number[] = [];

  readonly take = (key: string, value: Buffer): boolean => {
    const isOffset = key === 'GNU.sparse.offset';
    if (!isOffset && key !== 'GNU.sparse.numbytes') return false;
    if (this.#numbers.length % 2 === (isOffset ? 1 : 0)) throw new TarError('the map of its holes is damaged');
    if (this.#numbers.length >= 2 * MOST_SPANS) throw new TarError('the map of its holes is too long');
    this.#numbers.push(decimal(value.toString('latin1')));
    return true;
  };

  get spans(): Span[] | undefined {
    return this.#numbers.length === 0 ? undefined : pairs(this.#numbers);
  }
}

/** The map that an extended header gives (0.0 and 0.1); undefined when the file has none there. */
export function paxSparseMap(records: PaxRecords, repeated: Span[] | undefined): SparseMap | undefined {
  const realSize = paxCount(records, 'GNU.sparse.size');
  const text = records.get('GNU.sparse.map')?.toString('latin1');
  if (realSize === undefined) return undefined;
  if (text === undefined) return { realSize, spans: repeated ?? [] };
  const words = text === '' ? [] : text.split(',', 2 * MOST_SPANS + 1);
  if (words.length > 2 * MOST_SPANS) throw new TarError('the map of its holes is too long');
  return { realSize, spans: pairs(words.map(decimal)) };
}

/** Format 1.0: the map lies in front of the data. Gives the size of the whole file. */
export function sizeOfSparse1(records: PaxRecords): number | undefined {
  if (records.get('GNU.sparse.major')?.toString('latin1') !== '1') return undefined;
  const realSize = paxCount(records, 'GNU.sparse.realsize');
  if (realSize === undefined) throw new TarError('a file with holes without its size');
  return realSize;
}

/**
 * Reads the map of format 1.0: decimal numbers, each on a line, how many spans first, filled up to a whole block.
 * @param nextBlock the next 512 bytes of the data
 */
export async function readSparse1(nextBlock: () => Promise<Uint8Array>): Promise<{ spans: Span[]; blocks: number }> {
  const numbers: number[] = [];
  let wanted = 1;
  let digits = '';
  let blocks = 0;
  while (numbers.length < wanted) {
    const block = await nextBlock();
    blocks++;
    for (const byte of block) {
      if (numbers.length === wanted) break; // what fills the block
      if (byte !== 0x0a) {
        digits += String.fromCharCode(byte);
        if (digits.length > 20) throw new TarError('the map of its holes is damaged');
        continue;
      }
      numbers.push(decimal(digits));
      digits = '';
      if (numbers.length > 1) continue;
      const [count = 0] = numbers;
      if (count > MOST_SPANS) throw new TarError('the map of its holes is too long');
      wanted = 1 + 2 * count;
    }
  }
  return { spans: pairs(numbers.slice(1)), blocks };
}

function pairs(numbers: readonly number[]): Span[] {
  if (numbers.length % 2 !== 0) throw new TarError('the map of its holes is damaged');
  return Array.from({ length: numbers.length / 2 }, (_, i) => {
    const start = numbers[2 * i] ?? 0;
    return { start, end: start + (numbers[2 * i + 1] ?? 0) };
  });
}

function decimal(text: string): number {
  const number = Number(text);
  if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(number)) throw new TarError('the map of its holes is damaged');
  return number;
}
