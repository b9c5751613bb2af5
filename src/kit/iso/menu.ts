/** The boot menu of an ISO: GRUB's configuration files, made of the images it holds. Pure. */

export interface MenuImage {
  readonly name: string;
  /** Of kernel and initrd in the ISO, as absolute paths. */
  readonly kernel: string;
  readonly initrd: string;
}

/** Kernel messages go to both consoles. */
const CONSOLES = 'console=ttyS0,115200 console=tty0';

interface Way {
  readonly title: string;
  readonly words: string;
  /** Why. */
  readonly comment?: string;
}

const USUAL: Way = { title: '', words: 'panic=30' };
const OTHERS: readonly Way[] = [
  {
    title: ', changes kept on this medium',
    words: 'viver.cow=keep',
    comment: 'Without panic=: what was kept is to be seen to by a person when it cannot be used.',
  },
  { title: ', image copied to RAM (the medium can be taken out)', words: 'panic=30 viver.toram' },
  { title: ', rescue prompt', words: 'viver.rescue' },
];

const HEAD = `# Boots VIVER at once; any key stops the count. Kernel messages go to both consoles.
# Sourced by loopback.cfg with $iso_word set; then the terminals and the count are somebody else's.
if [ -z "$iso_word" ]; then
  if serial --unit=0 --speed=115200; then
    terminal_input console serial
    terminal_output console serial
  fi
  set timeout=TIMEOUT
  set default=0
fi
`;

function entry(title: string, { kernel, initrd }: MenuImage, way: Way, imageWord: string): string {
  const comment = way.comment === undefined ? '' : `# ${way.comment}\n`;
  return `${comment}menuentry '${title}${way.title}' {
  linux ${kernel} ${CONSOLES} ${way.words}${imageWord} "$iso_word"
  initrd ${initrd}
}
`;
}

/**
 * `/boot/grub/grub.cfg`. One image is booted after a second; of several the first after ten, time to choose another.
 * @param images at least one; their names hold letters, digits and `._+~-` only
 */
export function grubMenu(images: readonly MenuImage[]): string {
  const [only, ...more] = images;
  if (only === undefined) throw new Error('an ISO needs an image');
  if (more.length === 0) {
    return [HEAD.replace('TIMEOUT', '1'), ...[USUAL, ...OTHERS].map((way) => entry('VIVER', only, way, ''))]
      .join('\n')
      .replaceAll('}\n\n', '}\n');
  }
  const wordOf = ({ name }: MenuImage): string => ` viver.image=${name}`;
  const first = images.map((image) => entry(`VIVER: ${image.name}`, image, USUAL, wordOf(image)));
  const rest = images.map((image) => {
    const entries = OTHERS.map((way) => entry(`VIVER: ${image.name}`, image, way, wordOf(image))).join('');
    return `submenu '${image.name}: other ways' {\n${entries.replaceAll(/^(?=.)/gm, '  ')}}\n`;
  });
  return `${HEAD.replace('TIMEOUT', '10')}\n${[...first, ...rest].join('')}`;
}

/** For boot loaders that start an ISO which lies as a file on a medium (https://www.supergrubdisk.org/wiki/Loopback.cfg). */
export const LOOPBACK_MENU = `# For boot loaders that start an ISO which lies as a file on a medium (https://www.supergrubdisk.org/wiki/Loopback.cfg):
# $iso_path is where it lies there, $root the ISO.
set iso_word="iso-scan/filename=\${iso_path}"
export iso_word
source /boot/grub/grub.cfg
`;

/** What UEFI starts from lies on the EFI system partition alone; from there to the ISO that the partition is part of. */
export function findMediumMenu(id: string): string {
  return `set viver_id=${id}
# From the EFI system partition to the ISO that it is part of.
search --no-floppy --file --set=root /boot/grub/$viver_id.id
set prefix=($root)/boot/grub
if [ -e $prefix/grub.cfg ]; then
  source $prefix/grub.cfg
else
  echo "VIVER: the ISO's own file system, with /boot/grub/$viver_id.id, is on no disk that the firmware shows."
  sleep --interruptible 30
fi
`;
}
