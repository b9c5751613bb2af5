/** The tar is damaged, cut short, or holds what no image can: one line, its name in front where it is thrown on. */
export class TarError extends Error {
  override readonly name = 'TarError';
}
