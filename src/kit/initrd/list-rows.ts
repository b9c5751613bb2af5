/** The rows of a list of `initrd/`, without comments and empty lines. */
export function listRows(text: string): string[] {
  return text
    .split('\n')
    .map((row) => row.replace(/\s*#.*/, '').trim())
    .filter((row) => row !== '');
}
