/**
 * The kernel command line, as far as VIVER reads it: the `viver.` words, and the kernel's own that concern a boot.
 * Pure: text in, values and warnings out. What a word means is documented beside its row in WORDS.
 */
import { isIP } from 'node:net';
import { parseOrigin } from '../field/origin/place.ts';
import { parseLimits } from '../field/shares/limits.ts';
import { isImageName } from '../image/image-name.ts';
import type { Medium } from '../media/block-devices.ts';
import { MEDIUM_RANKS } from '../media/choose.ts';
import { type DeviceName, parseDeviceName } from '../media/find-device.ts';
import { parseIpSetting } from '../net/address-plan.ts';
import { bootMacOf } from '../net/interfaces.ts';
import { parseVlan } from '../net/vlan.ts';

/** Stages of the boot, in their order; `viver.break=` takes one of them. */
export const STAGES = ['filesystems', 'hardware', 'media', 'image', 'root', 'handover'] as const;
export type StageName = (typeof STAGES)[number];

export type Verification = 'full' | 'lazy' | 'off';

export interface BootOptions {
  /** NAME, or NAME with the image id (SHA-256 of its index, hex) that alone may boot. */
  readonly image: { readonly name: string; readonly id: string | undefined } | undefined;
  /** The ISO file that a boot loader started this from, by a word of other systems' ISOs (ISO_WORDS). */
  readonly iso: { readonly path: string; readonly device: DeviceName | undefined; readonly by: string } | undefined;
  /** Order of preference; undefined: the fastest wins. */
  readonly media: readonly Medium[] | undefined;
  /** `ram`, `keep` (on the boot medium), a device path, or LABEL=…, UUID=…. */
  readonly cow: string;
  /** Where chunks are kept over reboots: a device path, or LABEL=…, UUID=…. */
  readonly store: string | undefined;
  readonly toram: boolean;
  /** undefined: `full` for a pinned image, else `off`. */
  readonly verify: Verification | undefined;
  readonly role: string | undefined;
  readonly peers: readonly string[];
  readonly origins: readonly string[];
  /** What the field may send and fetch, as `parseLimits` reads it. */
  readonly limit: string | undefined;
  /** Which room or wire this machine is in: those of one room fetch the image into it once. */
  readonly site: string | undefined;
  readonly hostname: string | undefined;
  /** `dhcp`, or ADDR/LEN[,gateway]. */
  readonly ip: string | undefined;
  /** The VLAN of the boot card that everything goes by. */
  readonly vlan: number | undefined;
  /** How long to wait for a medium that nothing announces. */
  readonly waitSeconds: number | undefined;
  readonly break: StageName | undefined;
  readonly rescue: boolean;
  /** The image is new to this machine: it has to become healthy with it, or starts anew (health-watch.ts). */
  readonly isTrial: boolean;
  /** Layout of the keyboard, for the prompt. */
  readonly keymap: string | undefined;
  readonly debug: boolean;
  /** The card the machine was booted by, from `BOOTIF=`. */
  readonly bootMac: string | undefined;
  /** The image's init, from the kernel's own word `init=`. */
  readonly init: string | undefined;
  /** The kernel's own word `panic=`: seconds until a reboot after a failure, 0 at once; undefined: stay for a person. */
  readonly panicSeconds: number | undefined;
  /** The kernel's own words `console=`, without their options: `ttyS0`, `hvc0`. */
  readonly consoles: readonly string[];
  /** The kernel's own word `quiet`: the consoles are for warnings and failures. */
  readonly quiet: boolean;
  /** What was not understood, a line each; the boot goes on without it. */
  readonly warnings: readonly string[];
}

type Draft = { -readonly [Key in keyof BootOptions]: BootOptions[Key] };
/** Sets the value, or returns what is wrong with it. */
type Word = (draft: Draft, value: string) => string | undefined;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$/;
/** `NAME@VERSION`; `,other` after it: the machine got another image than that release's. */
const RELEASE = /^[A-Za-z0-9][A-Za-z0-9._+~-]{0,199}@\d{1,16}(,other)?$/;
const list = (value: string) => value.split(',').filter((item) => item !== '');

const WORDS: Readonly<Record<string, Word>> = {
  image(draft, value) {
    const match = /^(.*?)(?:@sha256:([0-9a-fA-F]{64}))?$/.exec(value);
    const name = (match?.[1] ?? '').replace(/\.sqfs$/, '');
    if (!isImageName(name)) return 'wants NAME or NAME@sha256: and 64 hexadecimal digits';
    draft.image = { name, id: match?.[2]?.toLowerCase() };
  },
  media(draft, value) {
    const items = list(value);
    const order = MEDIUM_RANKS.filter((medium) => items.includes(medium));
    const unknown = items.filter((item) => !order.some((medium) => medium === item));
    if (order.length > 0) draft.media = order.sort((left, right) => items.indexOf(left) - items.indexOf(right));
    if (order.length === 0 || unknown.length > 0)
      return `${unknown.join(',') || 'nothing'} is not of ${MEDIUM_RANKS.join(',')}`;
  },
  cow(draft, value) {
    if (!/^(ram|keep|\/dev\/\S+|(LABEL|UUID|PARTUUID|PARTLABEL)=.+)$/.test(value))
      return 'wants ram, keep, /dev/DEVICE, LABEL=… or UUID=…';
    draft.cow = value;
  },
  store(draft, value) {
    if (!/^(\/dev\/\S+|(LABEL|UUID|PARTUUID|PARTLABEL)=.+)$/.test(value)) return 'wants /dev/DEVICE, LABEL=… or UUID=…';
    draft.store = value;
  },
  toram: flag('toram'),
  verify(draft, value) {
    if (value !== 'full' && value !== 'lazy' && value !== 'off') return 'wants full, lazy or off';
    draft.verify = value;
  },
  role(draft, value) {
    if (!NAME.test(value)) return 'wants the name of a role';
    draft.role = value;
  },
  peer(draft, value) {
    const wrong = list(value).filter((peer) => !isPeer(peer));
    draft.peers = [...draft.peers, ...list(value).filter(isPeer)];
    if (wrong.length > 0) return `${wrong.join(',')} is no HOST[:PORT], nor [ADDRESS]:PORT for IPv6`;
  },
  // The daemon would not start with one that is none, and give nothing of what peers have.
  origin(draft, value) {
    const wrong = list(value).filter((origin) => !isOrigin(origin));
    draft.origins = [...draft.origins, ...list(value).filter(isOrigin)];
    if (wrong.length > 0) return `${wrong.join(',')} is no http or https URL`;
  },
  limit(draft, value) {
    try {
      parseLimits(value);
      draft.limit = value;
    } catch {
      return 'wants UP[/DOWN] in bytes per second (10M, none/512K)';
    }
  },
  site(draft, value) {
    if (!NAME.test(value)) return 'wants the name of a room or wire';
    draft.site = value;
  },
  hostname(draft, value) {
    // RFC 1123, section 2.1.
    if (!/^(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*$/.test(value) || value.length > 64)
      return 'wants a host name: letters, digits, hyphens';
    draft.hostname = value;
  },
  ip(draft, value) {
    try {
      parseIpSetting(value);
      draft.ip = value;
    } catch {
      return 'wants dhcp or ADDR/LEN[,gateway] with IPv4 addresses';
    }
  },
  vlan(draft, value) {
    const id = parseVlan(value);
    if (id === undefined) return 'wants the number of a VLAN, 1 to 4094';
    draft.vlan = id;
  },
  wait(draft, value) {
    if (!/^\d{1,6}$/.test(value)) return 'wants seconds, a whole number';
    draft.waitSeconds = Number(value);
  },
  break(draft, value) {
    const stage = STAGES.find((name) => name === value);
    if (stage === undefined) return `wants one of ${STAGES.join(', ')}`;
    draft.break = stage;
  },
  // Read by RUNES (runes/plugins/health.ts, roll.ts): the release by which the boot server chose this machine's image.
  release(draft, value) {
    const match = RELEASE.exec(value);
    if (match === null) return 'wants NAME@VERSION';
    draft.isTrial = match[1] === undefined;
  },
  // Read by the first stage (initrd/first-stage.init), which has done its work.
  first: () => undefined,
  // Read by RUNES (runes/plugins/dhcp.ts).
  serve(_, value) {
    if (!/^(all|none|([0-9a-f]{2}:){5}[0-9a-f]{2}|[A-Za-z][\w.@-]{0,14})$/i.test(value))
      return "wants all, none, or a card's address (MAC) or name";
  },
  rescue: flag('rescue'),
  keymap(draft, value) {
    if (!NAME.test(value)) return 'wants the name of a keymap: de, fr, us-intl';
    draft.keymap = value;
  },
  debug: flag('debug'),
  // Read with the other words for modules (hardware/modprobe-config.ts).
  'modules.blacklist': () => undefined,
};

/**
 * The words by which an ISO that lies as a file on a medium is named to dracut and Ubuntu's casper, Debian's live-boot,
 * and Arch's archiso. `img_dev=` says for `img_loop=` on which device.
 */
const ISO_WORDS = ['iso-scan/filename', 'findiso', 'fromiso', 'isofrom', 'img_loop'];

/** `/dev/sda1/iso/x.iso`: the device and the path on it. */
const DEVICE_AND_PATH = /^(\/dev\/(?:disk\/by-[a-z]+\/[^/]+|[^/]+))(\/.+)$/;

function isoWord(draft: Draft, key: string, value: string): string | undefined {
  const split = key === 'img_loop' ? null : DEVICE_AND_PATH.exec(value);
  const path = `/${split?.[2] ?? value}`.replace(/\/+/g, '/');
  if (path.split('/').some((part) => part === '..' || part === '.') || !/[^/]$/.test(path))
    return 'wants the path of an ISO file';
  draft.iso = { path, device: split?.[1] === undefined ? undefined : parseDeviceName(split[1]), by: `${key}=${value}` };
}

/** For the ISO that another word names, wherever it stands on the line. */
function withDevice(draft: Draft, value: string): string | undefined {
  if (draft.iso === undefined) return 'wants img_loop= with the path of an ISO file';
  try {
    draft.iso = { ...draft.iso, device: parseDeviceName(value), by: `${draft.iso.by} img_dev=${value}` };
  } catch {
    return 'wants the name of a device';
  }
}

function isPeer(text: string): boolean {
  const [whole, ipv6, port = '1'] = /^(?:\[([0-9a-fA-F:.]+)\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (whole === undefined || (ipv6 !== undefined && isIP(ipv6) !== 6)) return false;
  return Number(port) > 0 && Number(port) <= 65_535;
}

function isOrigin(text: string): boolean {
  try {
    parseOrigin(text);
    return true;
  } catch {
    return false;
  }
}

function flag(name: 'toram' | 'rescue' | 'debug'): Word {
  return (draft, value) => {
    if (!/^([01]|yes|no|)$/.test(value)) return 'takes no value';
    draft[name] = value !== '0' && value !== 'no';
  };
}

/** Splits as the kernel does (lib/cmdline.c, next_arg): at white space, save inside double quotes, which go away. */
function splitWords(text: string): string[] {
  return [...text.matchAll(/(?:"[^"]*"?|[^\s"])+/g)].map((match) => match[0].replaceAll('"', ''));
}

/** As the kernel reads an int (kstrtoint with base 0): decimal, 0x hexadecimal, 0 octal, with a sign; undefined: it is none. */
export function parseKernelInt(text: string): number | undefined {
  const match = /^([+-]?)(?:0x([0-9a-f]+)|(0[0-7]*)|([1-9]\d*))$/i.exec(text);
  if (match === null) return undefined;
  const [, sign, hexadecimal, octal, decimal = ''] = match;
  const size =
    hexadecimal !== undefined
      ? Number.parseInt(hexadecimal, 16)
      : octal !== undefined
        ? Number.parseInt(octal, 8)
        : Number(decimal);
  const value = sign === '-' ? -size : size;
  return value >= -(2 ** 31) && value < 2 ** 31 ? value : undefined;
}

/** @param text the contents of /proc/cmdline */
export function parseCommandLine(text: string): BootOptions {
  const warnings: string[] = [];
  const draft: Draft = {
    image: undefined,
    iso: undefined,
    media: undefined,
    cow: 'ram',
    store: undefined,
    toram: false,
    verify: undefined,
    role: undefined,
    peers: [],
    origins: [],
    limit: undefined,
    site: undefined,
    hostname: undefined,
    ip: undefined,
    vlan: undefined,
    waitSeconds: undefined,
    break: undefined,
    rescue: false,
    isTrial: false,
    keymap: undefined,
    debug: false,
    bootMac: bootMacOf(text),
    init: undefined,
    panicSeconds: undefined,
    consoles: [],
    quiet: false,
    warnings,
  };
  let isoDevice: string | undefined;
  for (const word of splitWords(text)) {
    if (word === '--') break; // what follows is the init's
    const equals = word.indexOf('=');
    const key = equals < 0 ? word : word.slice(0, equals);
    const value = equals < 0 ? '' : word.slice(equals + 1);
    if (key.startsWith('viver.')) {
      const name = key.slice('viver.'.length);
      const read = Object.hasOwn(WORDS, name) ? WORDS[name] : undefined;
      const wrong = read === undefined ? 'is not a word VIVER knows' : read(draft, value);
      if (wrong !== undefined) warnings.push(`command line: ${word}: ${wrong}; ignored`);
    } else if (ISO_WORDS.includes(key)) {
      const wrong = isoWord(draft, key, value);
      if (wrong !== undefined) warnings.push(`command line: ${word}: ${wrong}; ignored`);
    } else if (key === 'img_dev') {
      isoDevice = value;
    } else if (key === 'init' && value.startsWith('/')) {
      draft.init = value;
    } else if (key === 'console') {
      draft.consoles = [...draft.consoles, value.split(',')[0] ?? ''];
    } else if (word === 'quiet') {
      draft.quiet = true;
    } else if (key === 'panic') {
      const seconds = parseKernelInt(value);
      if (seconds === undefined) warnings.push(`command line: ${word}: wants seconds, a whole number; ignored`);
      // panic(): above 0 it waits so long, below it reboots at once, with 0 it stays (kernel/panic.c)
      else draft.panicSeconds = seconds === 0 ? undefined : Math.max(0, seconds);
    }
  }
  const wrong = isoDevice === undefined ? undefined : withDevice(draft, isoDevice);
  if (wrong !== undefined) warnings.push(`command line: img_dev=${isoDevice}: ${wrong}; ignored`);
  return draft;
}
