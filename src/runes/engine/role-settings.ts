import { type ImageReference, parseImageReference } from '../../image/image-reference.ts';
import { describeError } from '../../linux/describe-error.ts';
import { isPasswordHash } from '../web/password.ts';

/** What a role says of a machine beside its plugins. */
export interface RoleSettings {
  /** For the kernel command line; what the machine's own says comes after it and wins. */
  readonly words: readonly string[];
  /** The image it boots from the network; without it the server's own. */
  readonly image?: ImageReference;
  /** `ask`: a key pressed shows it; `none`: nobody gets it; a number: shown for so many seconds. */
  readonly menu: 'ask' | 'none' | number;
  /** Who wants the menu must know it. A hash (password.ts). */
  readonly menuPassword?: string;
  /** Who wants the status of a machine with this role must know it. A hash. */
  readonly statusPassword?: string;
  /** False: a boot server sends it away. */
  readonly boot: boolean;
}

export const NO_SETTINGS: RoleSettings = { words: [], menu: 'ask', boot: true };

type Draft = { -readonly [K in keyof RoleSettings]: RoleSettings[K] };

/** As words are passed on by iPXE, GRUB and the kernel without being taken for something else. */
const WORD = /^[A-Za-z0-9._+~:,=@/[\]-]{1,200}$/;
/** The server says them itself, of the field and the card. */
const SERVERS_OWN = /^(initrd|BOOTIF|viver\.(image|media|peer|release|role))(=|$)/;
const LONGEST_LINE = 1024;
const MOST_SECONDS = 300;

function parseWords(values: readonly string[], into: Draft): string | undefined {
  for (const word of values) {
    if (!WORD.test(word)) return `'${word}' cannot be a word: letters, digits and . _ + ~ : , = @ / [ ] - only`;
    const own = SERVERS_OWN.exec(word)?.[1];
    if (own === 'viver.image') return "'viver.image=' is said by 'image NAME'";
    if (own !== undefined) return `'${own}=' is the boot server's to say`;
  }
  into.words = [...into.words, ...values];
  if (into.words.join(' ').length > LONGEST_LINE) return `more than ${LONGEST_LINE} characters of words`;
  return undefined;
}

function one(values: readonly string[], take: (value: string) => string | undefined): string | undefined {
  const [value = '', more] = values;
  return more === undefined ? take(value) : `one value is wanted, not '${values.join(' ')}'`;
}

/** Each takes what stands after its name; gives what is wrong with it. */
const KEYS: Readonly<Record<string, (values: readonly string[], into: Draft) => string | undefined>> = {
  words: parseWords,
  keymap: (values, into) =>
    one(values, (name) =>
      /^[a-z0-9-]{1,40}$/.test(name)
        ? parseWords([`viver.keymap=${name}`], into)
        : `'${name}' is no keymap: de, fr, us-intl …`,
    ),
  image: (values, into) =>
    one(values, (text) => {
      try {
        into.image = parseImageReference(text);
        return undefined;
      } catch (error) {
        return describeError(error);
      }
    }),
  menu: (values, into) =>
    one(values, (text) => {
      if (text === 'ask' || text === 'none') into.menu = text;
      else if (/^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= MOST_SECONDS) into.menu = Number(text);
      else return `'${text}' is none of ask, none, 1…${MOST_SECONDS} (seconds)`;
      return undefined;
    }),
  'menu-password': (values, into) =>
    one(values, (hash) => {
      into.menuPassword = hash;
      return isPasswordHash(hash) ? undefined : "wants what 'viver role password' prints, never the password itself";
    }),
  'status-password': (values, into) =>
    one(values, (hash) => {
      into.statusPassword = hash;
      return isPasswordHash(hash) ? undefined : "wants what 'viver role password' prints, never the password itself";
    }),
  boot: (values, into) =>
    one(values, (text) => {
      into.boot = text === 'yes';
      return text === 'yes' || text === 'no' ? undefined : `'${text}' is none of yes, no`;
    }),
};

export const SETTING_KEYS: readonly string[] = Object.keys(KEYS);

/** Settings as they are read, line by line. */
export class SettingsReader {
  readonly #draft: Draft = { ...NO_SETTINGS };
  readonly #seen = new Set<string>();

  /** @returns what is wrong; undefined when nothing is */
  take(key: string, values: readonly string[]): string | undefined {
    if (key !== 'words' && this.#seen.has(key)) return `'${key}' is there already`;
    this.#seen.add(key);
    const wrong = KEYS[key]?.(values, this.#draft);
    return wrong === undefined ? undefined : `${key}: ${wrong}`;
  }

  get settings(): RoleSettings {
    return { ...this.#draft };
  }
}
