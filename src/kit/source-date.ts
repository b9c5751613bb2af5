/**
 * The time that all is given when the same inputs shall give the same bytes: SOURCE_DATE_EPOCH, in whole seconds since 1970.
 * Undefined when it is not set or empty. Source: https://reproducible-builds.org/specs/source-date-epoch/
 * @throws Error when it is no such number, or later than 32 bits reach (2106), which squashfs and cpio do not
 */
export function sourceDate(environment: NodeJS.ProcessEnv = process.env): number | undefined {
  const text = environment.SOURCE_DATE_EPOCH ?? '';
  if (text === '') return undefined;
  if (!/^\d{1,10}$/.test(text) || Number(text) >= 2 ** 32) {
    throw new Error(`SOURCE_DATE_EPOCH: '${text}' is no time in seconds`);
  }
  return Number(text);
}
