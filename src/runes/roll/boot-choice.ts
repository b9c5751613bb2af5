import { parseImageReference } from '../../image/image-reference.ts';

/** What a boot script starts on a machine where nobody presses a key. */
export interface BootChoice {
  readonly image: { readonly name: string; readonly id: string };
  /** Where its kernel and initrd are, without a slash at the end. */
  readonly directory: string;
  /** For its kernel. */
  readonly commandLine: string;
}

/**
 * Reads a boot script as web/boot-script.ts writes it, as the machine's loader would. Pure.
 * @param mac lower case with colons: of the card that the loader would have loaded by
 * @throws Error that says what it is instead: for another cluster's machine, or one that does not boot here
 */
export function parseBootChoice(script: string, mac: string): BootChoice {
  const said = /^echo VIVER: (.*)$/m.exec(script)?.[1];
  const label =
    /^prompt .*\|\| goto ([a-z0-9]+)$/m.exec(script)?.[1] ??
    /^choose .*--default ([a-z0-9]+) /m.exec(script)?.[1] ??
    /^goto ([a-z0-9]+)$/m.exec(script)?.[1];
  if (/^chain /m.test(script.slice(0, script.indexOf('\nset base '))) || label === undefined)
    throw new Error(said ?? 'another machine says what this one boots');
  const base = /^set base (\S+)$/m.exec(script)?.[1] ?? '';
  const [, url = '', words = ''] = new RegExp(`^:${label}\\nkernel (\\S+?) (.+?) \\|\\| `, 'm').exec(script) ?? [];
  const directory = /^(.*)\/vmlinuz(?:\?.*)?$/.exec(url.replace('$' + '{base}', base))?.[1];
  const commandLine = words
    .split(' ')
    // of the loader's own, and of the first stage, which has nothing to do here
    .filter((word) => !/^(initrd|viver\.first)=/.test(word))
    .join(' ')
    .replaceAll('$' + '{netX/mac:hexhyp}', mac.replaceAll(':', '-'));
  const { name, id } = parseImageReference(/(?:^| )viver\.image=(\S+)/.exec(commandLine)?.[1] ?? '');
  if (directory === undefined || id === undefined || commandLine.includes('$'))
    throw new Error('its boot script names no image, kernel and words that a machine could take by itself');
  return { image: { name, id }, directory, commandLine };
}

/** Where a machine asks its boot server for its script. @param mac lower case with colons */
export const scriptPath = (mac: string): string => `/boot/boot.ipxe?mac=${mac.replaceAll(':', '-')}`;
