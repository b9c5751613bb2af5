/** Manual pages out of the usage texts (man(7)). Pure. */
import type { Command } from '../command.ts';
import { usageParts } from './usage.ts';

/** roff gives a meaning to a backslash, and to a dot or an apostrophe at the start of a line; `-` would become a hyphen. */
function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/^([.'])/gm, '\\&$1');
}

const header = (title: string, { version, date }: PageFacts): string =>
  `.TH ${title.toUpperCase()} 1 "${date}" "viver ${version}" "VIVER"\n`;

export interface PageFacts {
  readonly version: string;
  /** `2026-11-27`. */
  readonly date: string;
}

/** `viver-NAME(1)`. */
export function commandPage(command: Command, facts: PageFacts): string {
  const { synopsis, description } = usageParts(command.usage);
  const forms = synopsis.map((line) => `.nf\n${escaped(line)}\n.fi\n`).join('');
  return `${header(`viver-${command.name}`, facts)}.SH NAME
viver\\-${escaped(command.name)} \\- ${escaped(command.summary)}
.SH SYNOPSIS
${forms}.SH DESCRIPTION
.nf
${escaped(description)}
.fi
.SH EXIT STATUS
0: done. 1: failed, with one line on standard error that says what and why. 2: wrong usage.
.SH SEE ALSO
.BR viver (1)
`;
}

/** `viver(1)`. */
export function mainPage(commands: readonly Command[], facts: PageFacts): string {
  const rows = commands.map(({ name, summary }) => `.TP\n.BR viver\\-${escaped(name)} (1)\n${escaped(summary)}\n`);
  return `${header('viver', facts)}.SH NAME
viver \\- boots Linux machines without installing anything on them and without a server
.SH SYNOPSIS
.nf
viver COMMAND ...
viver help [COMMAND]
viver \\-\\-version
.fi
.SH DESCRIPTION
VIVER runs one Linux, from one image, on any number of machines: the first boots from a stick, the others from the network,
and each gives what it has of the image to the others. This program makes the image and the stick of an installed Linux, and
tells what goes on in a machine that runs from one.
.SH COMMANDS
${rows.join('')}.SH EXIT STATUS
0: done. 1: failed, with one line on standard error that says what and why. 2: wrong usage.
`;
}
