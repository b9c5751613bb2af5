/** The words for kinds of media, as `viver.media=` and the summary line use them. */
export type Medium = 'nvme' | 'sata' | 'usb' | 'mmc' | 'cd' | 'ide' | 'scsi' | 'net';

/**
 * Rank by kind, best first: the tie-break between media of about equal measured speed, and the order of those
 * that cannot be measured. DESIGN.md section 4 fixes the order.
 */
export const MEDIA: readonly Medium[] = ['nvme', 'sata', 'usb', 'mmc', 'cd', 'ide', 'scsi', 'net'];

function isMedium(word: string): word is Medium {
  return MEDIA.some((medium) => medium === word);
}

/**
 * Parses the value of `viver.media=`: words by comma, best first, repeated ones taken once.
 * @returns the known words in the user's order, and the unknown ones for a warning
 */
export function parseMediaOrder(value: string): {
  readonly order: readonly Medium[];
  readonly unknown: readonly string[];
} {
  const words = [
    ...new Set(
      value
        .split(',')
        .map((word) => word.trim().toLowerCase())
        .filter((word) => word !== ''),
    ),
  ];
  return { order: words.filter(isMedium), unknown: words.filter((word) => !isMedium(word)) };
}
