/** What a name may be made of: nothing that means something to a path, a shell, a terminal or a kernel command line. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._+~-]{0,199}$/;
const LONGEST = 200;

export function isImageName(name: string): boolean {
  return NAME.test(name);
}

/**
 * An image's name made of what a medium calls it: a file name or a partition label, which may hold anything. The name
 * becomes part of paths, of messages and of what others are told, so what is no name's letter becomes an underscore.
 * @returns a name, or the empty string when nothing of it can be one
 */
export function imageNameOf(label: string): string {
  if (isImageName(label)) return label;
  return label
    .replace(/[^A-Za-z0-9._+~-]/gu, '_')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, LONGEST);
}
