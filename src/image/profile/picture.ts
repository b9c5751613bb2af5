import type { BootProfile } from './profile.ts';

const COLUMNS = 64;
const ROWS = 16;
/** Read first, later, last, not at all. */
const SHADES = ['█', '▓', '▒', '░'];
const UNREAD = '·';

/**
 * A profile as a picture: the image from its first byte (top left) to its last (bottom right), each place as dark as it is
 * read early. Lines of 64 characters, and then what was counted.
 */
export function drawProfile({ image, size, boots, ranges }: BootProfile): string {
  const cells = COLUMNS * ROWS;
  const first = new Float64Array(cells).fill(Number.POSITIVE_INFINITY);
  let bytes = 0;
  let latest = 1;
  for (const { start, end, at } of ranges) {
    bytes += end - start;
    latest = Math.max(latest, at + 1);
    const to = Math.min(cells - 1, Math.floor(((end - 1) / size) * cells));
    for (let cell = Math.floor((start / size) * cells); cell <= to; cell++)
      first[cell] = Math.min(first[cell] ?? at, at);
  }
  const shade = (at: number): string => {
    if (!Number.isFinite(at)) return UNREAD;
    return SHADES[Math.min(SHADES.length - 1, Math.floor((at / latest) * SHADES.length))] ?? UNREAD;
  };
  const rows = Array.from({ length: ROWS }, (_, row) =>
    Array.from(first.subarray(row * COLUMNS, (row + 1) * COLUMNS), shade).join(''),
  );
  const share = size === 0 ? 0 : (100 * bytes) / size;
  return [
    ...rows,
    `${SHADES.join('')} read early to late, ${UNREAD} not read; the image from top left to bottom right`,
    `${(bytes / 1e6).toFixed(1)} MB of ${(size / 1e6).toFixed(1)} MB (${share.toFixed(1)} %) in ${ranges.length} ranges, ${boots} boots${
      image === undefined ? '' : `, image ${image.slice(0, 12)}`
    }`,
    '',
  ].join('\n');
}
