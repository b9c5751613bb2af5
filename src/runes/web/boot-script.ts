/**
 * What iPXE runs on a machine that boots by network, https://ipxe.org/cmd. Pure. Every command a stripped iPXE may lack
 * (menu, prompt, sanboot) has a way on without it.
 */

import { firstStageWord, type WholeInitrd } from './first-stage.ts';
import { CARD_QUERY, ipxe } from './ipxe-card.ts';

export interface ScriptImage {
  readonly name: string;
  /** Image id; undefined: the machine takes what the field offers. */
  readonly id: string | undefined;
}

export interface OtherScriptImage extends ScriptImage {
  /** Nodes of its field. */
  readonly peers: readonly string[];
  /** Where its kernel and initrd are: a URL without a slash at the end. */
  readonly directory: string;
  /** The machine that has it, when it is not the server. */
  readonly from?: string;
  /** Instead of the server's. */
  readonly words?: readonly string[];
  /** It is this machine's without being chosen; the first of these counts. */
  readonly isFirst?: boolean;
}

export interface BootScript {
  /** Where everything is fetched from: `http://ADDRESS:PORT`. */
  readonly base: string;
  readonly image: ScriptImage;
  /** Others that a person may choose, each with its own kernel and field. */
  readonly others: readonly OtherScriptImage[];
  /** Nodes of the field, `ADDRESS` or `ADDRESS:PORT`. */
  readonly peers: readonly string[];
  /** Words that the started machine gets as this one has them: its consoles. */
  readonly words: readonly string[];
  /** What the first stage would fetch of the server's own image, should the machine get that for initrd; undefined: it does not. */
  readonly whole?: WholeInitrd | undefined;
  /** The VLAN that it boots by. Its image is there, and may not be on the wire itself. */
  readonly vlan?: number;
  readonly hasMemtest: boolean;
  /** `ask`: a key pressed shows it; `none`: it is not there; a number: shown for so many seconds; `open`: until one is chosen. */
  readonly menu?: 'ask' | 'none' | 'open' | number;
  /** Whoever wants the menu gives a password, and gets the script with it from this path of the server. */
  readonly lockedMenu?: string;
}

/** A person has this long to press a key. */
const PROMPT_MS = 1500;

/** What may stand in a word of the kernel's command line, and in iPXE's script without being expanded. */
const SAFE = /^[A-Za-z0-9._+~:,=@/[\]-]+$/;

const BASE = ipxe('base');
const PLATFORM = ipxe('platform');
/** What card loads, for flight.ts; nothing where iPXE does not know. */
const CHIP = `chip=${ipxe('netX/chip:uristring')}`;

/** @throws Error for what iPXE, GRUB or the kernel could take for something else */
export function safeWord(word: string): string {
  if (!SAFE.test(word)) throw new Error(`boot script: ${JSON.stringify(word)} cannot be a word of the command line`);
  return word;
}

/**
 * Words of this machine's command line that hold for the machines it boots: consoles, what follows a failure, and what
 * is so of their common wire: its name, and what the field may take of it.
 */
export function inheritedWords(commandLine: string): string[] {
  const [kernels = ''] = commandLine.split(/\s--(?:\s|$)/);
  return kernels
    .split(/\s+/)
    .filter(
      (word) =>
        /^(console|panic|viver\.verify|viver\.debug|viver\.limit|viver\.site)(=|$)/.test(word) && SAFE.test(word),
    );
}

/**
 * For a machine that is to start from its own disk, by UEFI: iPXE ends, and the firmware goes on. It would stop at its
 * own menu if iPXE ended without an error (UEFI 2.10, section 3.1.1).
 */
export const toDiskScript = '#!ipxe\nexit 1\n';

/** The same for a machine that comes again by another entry of its firmware, or after all for something else. */
export function againToDiskScript(base: string): string {
  return [
    '#!ipxe',
    `prompt --timeout ${PROMPT_MS} This machine's own disk is next: press any key for the menu && goto menu || exit 1`,
    ':menu',
    `chain ${safeWord(base)}/boot/boot.ipxe?menu || exit 1`,
    '',
  ].join('\n');
}

/**
 * For a machine that cannot be let in: its field has a key, and what is sent by network can be read by everybody on the
 * wire. It is told so, and goes on with its next boot entry.
 */
export const keyedFieldScript = [
  '#!ipxe',
  'echo VIVER: the machines here share their image by a secret key, which is never sent by network.',
  'echo VIVER: boot this machine from a medium that carries the key (make iso with initrd/etc/viver/field.key).',
  'sleep 10',
  'exit 1',
  '',
].join('\n');

/**
 * The words of a started machine's command line. The VLAN is the machine's own, never the server's: at a switch port
 * that takes the tag off, a machine is on the server's VLAN without knowing. One that `words` name, as a role does, wins.
 * @param mac of the card that it was booted by: hexadecimal with hyphens, as PXELINUX writes it
 */
export function kernelWords(
  image: ScriptImage,
  { peers, words, vlan }: Pick<BootScript, 'peers' | 'words' | 'vlan'>,
  mac: string,
): string[] {
  const pin = image.id === undefined ? '' : `@sha256:${image.id}`;
  return [
    safeWord(`viver.image=${image.name}${pin}`),
    'viver.media=net',
    ...(peers.length === 0 ? [] : [safeWord(`viver.peer=${peers.join(',')}`)]),
    `BOOTIF=01-${mac}`,
    ...(vlan === undefined || words.some((word) => word.startsWith('viver.vlan=')) ? [] : [`viver.vlan=${vlan}`]),
    ...words.map(safeWord),
  ];
}

function kernelLine(image: ScriptImage, more: Pick<BootScript, 'peers' | 'words' | 'vlan' | 'whole'>): string {
  const first = more.whole === undefined ? [] : [safeWord(firstStageWord(more.whole))];
  // by UEFI the kernel asks for its initrd by name
  return ['initrd=viverrd.zst', ...first, ...kernelWords(image, more, ipxe('netX/mac:hexhyp'))].join(' ');
}

/** What a server wants to know of a machine whose image or role others may have; and by which VLAN it boots. */
export function askMacScript(base: string, isMenu: boolean): string {
  return `#!ipxe\n${askAgain(base, isMenu)}\n`;
}

/** The question again, with what iPXE knows of the machine. */
function askAgain(base: string, isMenu: boolean): string {
  const more = isMenu ? '&menu' : '';
  return `chain ${safeWord(base)}/boot/boot.ipxe?mac=${ipxe('netX/mac:hexhyp')}&${CARD_QUERY}${more} || exit 1`;
}

/** As iPXE calls its first cards; nothing: it has no name for them. */
const UNTAGGED = ['', ...Array.from({ length: 8 }, (_, i) => `net${i}`)];

/**
 * The same where nothing hangs on which machine it is: only one that may boot by a VLAN asks again, to be told it.
 * @param script for all others
 */
export function taggedAskScript(base: string, isMenu: boolean, script: string): string {
  const name = ipxe('netX/ifname');
  // Only `||`: after a command that was not run, iPXE takes `&&` by how the last one ended.
  const isUntagged = UNTAGGED.map((untagged) => `iseq x${name} x${untagged}`).join(' || ');
  return script
    .replace('#!ipxe\n', `#!ipxe\n${isUntagged} || goto tagged\n`)
    .concat(`:tagged\n${askAgain(base, isMenu)}\nexit\n`);
}

/**
 * For a machine of another cluster on this wire: it gets that one's script, and this server's only where that fails.
 * @param script this server's for it
 */
export function ownersScript(base: string, mac: string, script: string): string {
  const hyphened = mac.replaceAll(':', '-');
  return script.replace(
    '#!ipxe\n',
    `#!ipxe\nchain ${safeWord(base)}/boot/boot.ipxe?mac=${safeWord(hyphened)}&${CARD_QUERY} ||\n`,
  );
}

/** For a machine whose role says that it does not boot from here: it goes on with its next boot entry. */
export function notHereScript(role: string): string {
  return `#!ipxe\necho VIVER: this machine does not boot here: its role is ${safeWord(role)}, which says "boot no".\nsleep 3\nexit 1\n`;
}

/** By the device that it came by, a VLAN perhaps; then by any. Without the setting the first is any, too. */
const DHCP_AGAIN = `dhcp ${ipxe('netX/ifname')} || dhcp`;

/** For a machine whose role names an image that is not here: it asks again, since a medium may come. */
export function noImageScript(role: string, image: string): string {
  return [
    '#!ipxe',
    `echo VIVER: this machine's role, ${safeWord(role)}, wants the image ${safeWord(image)}, which is not here; asking again in 10 seconds`,
    'sleep 10',
    `${DHCP_AGAIN} ||`,
    `chain ${ipxe('filename')} || exit 1`,
    '',
  ].join('\n');
}

/** What comes before the menu: how it is got, or not. */
function toMenu({ base, menu = 'ask', lockedMenu }: BootScript, first: { label: string; name: string }): string[] {
  if (menu === 'none') return [`goto ${first.label}`];
  if (menu === 'open') return ['goto menu'];
  if (typeof menu === 'number' && lockedMenu === undefined) return ['goto menu'];
  const goal = lockedMenu === undefined ? 'menu' : 'login';
  const ask = `prompt --timeout ${typeof menu === 'number' ? menu * 1000 : PROMPT_MS} VIVER ${safeWord(first.name)}: press any key for the menu && goto ${goal} || goto ${first.label}`;
  if (lockedMenu === undefined) return [ask];
  const url = safeWord(base).replace('http://', `http://${ipxe('username:uristring')}:${ipxe('password:uristring')}@`);
  return [
    ask,
    ':login',
    'echo The menu has a password (any name with it).',
    `login || goto ${first.label}`,
    `chain ${url}${lockedMenu} ||`,
    'echo That is not the password.',
    'sleep 2',
    `goto ${first.label}`,
  ];
}

/** A line of the menu; its key chooses it, which on a serial line is surer than arrow keys. */
const item = (key: string, label: string, text: string): string =>
  key.length === 1 ? `item --key ${key} ${label} (${key}) ${text}` : `item ${label} (-) ${text}`;

const FAILED = [
  ':failed',
  'echo VIVER could not be loaded; trying again in 3 seconds',
  'sleep 3 ||',
  'imgfree ||',
  // the server may be another one by now
  `${DHCP_AGAIN} || goto failed`,
  `chain ${ipxe('filename')} || goto failed`,
  '',
];

/** @throws Error when a name or peer could be taken for something else by iPXE or the kernel */
export function bootScript(script: BootScript): string {
  const { base, image, others, hasMemtest } = script;
  const start = (label: string, directory: string, line: string, more = { name: '', query: '' }) => [
    `:${label}`,
    // a machine it is sent to may go away; `?here` sends nowhere else
    `kernel ${directory}/vmlinuz?${CHIP} ${line} || kernel ${directory}/vmlinuz?here&${CHIP} ${line} || goto failed`,
    `initrd ${more.name}${directory}/viverrd.zst?${CHIP}${more.query} || initrd ${directory}/viverrd.zst?here&${CHIP} || goto failed`,
    'boot || goto failed',
    '',
  ];
  const own = `${BASE}/boot`;
  // memtest86+ takes these as the kernel does
  const serial = script.words.filter((word) => word.startsWith('console=ttyS')).map((word) => ` ${safeWord(word)}`);
  const memtest = (file: string) => `${BASE}/boot/${file}${serial.join('')}`;
  const mine = others.findIndex(({ isFirst }) => isFirst === true);
  const first =
    mine < 0 ? { label: 'viver', name: image.name } : { label: `other${mine}`, name: others[mine]?.name ?? '' };
  const fromOf = ({ from }: OtherScriptImage) => (from === undefined ? '' : ` from ${safeWord(from)}`);
  const timeout = typeof script.menu === 'number' ? `--timeout ${script.menu * 1000} ` : '';
  const head = ['#!ipxe', '# Served by VIVER.', `set base ${safeWord(base)}`, ...toMenu(script, first), ''];
  const { whole } = script;
  // The server sees by how long the kernel took whether the first stage is sooner, and may give that instead.
  const maybeFirst = whole === undefined ? undefined : { name: '--name viverrd.zst ', query: '&first' };
  const boots = [
    ...start('viver', own, kernelLine(image, script), maybeFirst),
    ...others.flatMap((other, i) =>
      start(
        `other${i}`,
        safeWord(other.directory),
        kernelLine(other, { ...script, whole: undefined, peers: other.peers, words: other.words ?? script.words }),
      ),
    ),
  ];
  // without a menu, or before its password, there is nothing to choose
  if (script.menu === 'none' || script.lockedMenu !== undefined) return [...head, ...boots, ...FAILED].join('\n');
  return [
    ...head,
    ':menu',
    `menu VIVER from ${base} || goto ${first.label}`,
    item('v', 'viver', `VIVER ${image.name}`),
    ...others.map((other, i) => item(String(i + 1), `other${i}`, `VIVER ${safeWord(other.name)}${fromOf(other)}`)),
    item('l', 'local', "This machine's own disk"),
    ...(hasMemtest ? [item('m', 'memtest', 'Memory test (memtest86+)')] : []),
    item('r', 'rescue', 'VIVER, rescue prompt'),
    item('s', 'shell', 'iPXE shell'),
    `choose ${timeout}--default ${first.label} selected && goto ${ipxe('selected')} || goto ${first.label}`,
    '',
    ...boots,
    ...start(
      'rescue',
      own,
      kernelLine(image, { ...script, whole: undefined, words: [...script.words, 'viver.rescue'] }),
    ),
    ':local',
    '# A UEFI firmware goes on with its next boot entry; the server remembers, should that be the network again.',
    `iseq ${PLATFORM} efi && goto localefi ||`,
    'sanboot --no-describe --drive 0x80 || goto menu',
    ':localefi',
    `chain ${own}/disk.ipxe ||`,
    'exit 1',
    '',
    ...(hasMemtest
      ? [
          ':memtest',
          `iseq ${PLATFORM} efi && goto memtestefi ||`,
          `kernel ${memtest('memtest.bin')} && boot || goto menu`,
          ':memtestefi',
          `chain ${memtest('memtest.efi')} || goto menu`,
          '',
        ]
      : []),
    ':shell',
    'shell || goto menu',
    'goto menu',
    '',
    ...FAILED,
  ].join('\n');
}
