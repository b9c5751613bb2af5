import { parseByteCount } from '../../codec/byte-count.ts';

/** What a node may send to its peers, and take from peers and origins; undefined: as much as there is. */
export interface Limits {
  readonly upBytesPerSecond: number | undefined;
  readonly downBytesPerSecond: number | undefined;
}

export const NO_LIMITS: Limits = { upBytesPerSecond: undefined, downBytesPerSecond: undefined };

/**
 * `UP[/DOWN]` in bytes per second, K, M, G allowed; `none`: no limit, as DOWN has when it is left away.
 * @throws Error that says what is wrong
 */
export function parseLimits(text: string): Limits {
  const [up = '', down = 'none', more] = text.split('/');
  if (more !== undefined) throw new Error(`'${text}' is not UP[/DOWN]`);
  return { upBytesPerSecond: parseRate(up), downBytesPerSecond: parseRate(down) };
}

function parseRate(text: string): number | undefined {
  if (text === 'none') return undefined;
  const rate = parseByteCount(text);
  if (rate === undefined || rate < 1) {
    throw new Error(`'${text}' is no number of bytes per second (K, M, G may follow; none: no limit)`);
  }
  return rate;
}

/** As `parseLimits` reads it. */
export function formatLimits({ upBytesPerSecond, downBytesPerSecond }: Limits): string {
  return `${upBytesPerSecond ?? 'none'}/${downBytesPerSecond ?? 'none'}`;
}
