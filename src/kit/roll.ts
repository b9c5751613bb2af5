import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { printable } from '../codec/printable.ts';
import { isImageName } from '../image/image-name.ts';
import { IMAGE_SUFFIX, parseImageReference } from '../image/image-reference.ts';
import {
  encodeRelease,
  parseRelease,
  parseWord,
  type Release,
  type ReleaseWord,
  signRelease,
} from '../image/release.ts';
import { describeError } from '../linux/describe-error.ts';
import { change, changeFacts, findChange, whyFirmware } from '../runes/roll/change.ts';
import { askKnown, askOffer, askRelease, type RollDone, type RollKnown } from '../runes/roll/known.ts';
import { backRelease, type KnownImage, type NextOptions, outRelease, tryRelease } from '../runes/roll/next-release.ts';
import { describeRoll } from '../runes/roll/view.ts';
import { type Command, UsageError } from './command.ts';
import { unlocked } from './image/secret-key.ts';
import { DEFAULT_DAYS, parseExpiry } from './release.ts';
import { shutdown } from './shutdown.ts';
import { writeWhole } from './write-whole.ts';

export const roll: Command = {
  name: 'roll',
  summary: 'roll out a new image to machines that boot by network, try it on one before, and go back',
  usage: `usage: viver roll try NEW --on HOST… [--name LINE] [--now] [--expires DAYS|TIME] [--secret FILE] [-o FILE]
       viver roll out [NEW] [--role ROLE] [--share N%] [--name LINE] [--now] [--expires DAYS|TIME] [--secret FILE]
                      [-o FILE]
       viver roll back [--now] [--expires DAYS|TIME] [--secret FILE] [-o FILE]
       viver roll status [--json]
       viver roll change

As root on a machine that VIVER booted. When its initrd has public keys, on any machine, with the secret key; without
keys on the boot server only.

try     the machines HOST (a host name, a MAC, or a pattern with * and ?) boot NEW when they are started the next time.
        NEW is the path of an image with its index beside it, which this machine then gives to others, or the name of an
        image that a machine offers already
out     all machines boot it, those of a role, or a share of the machines; without NEW the one that is tried
back    all machines boot the image again that they had before
status  how it goes: who got it, who is healthy with it, who failed, and whether it has stopped
change  this machine ends its system and begins anew with what the boot server has for it now. Where that has the kernel and
        initrd that run here, under systemd, the initramfs begins anew, without firmware and loader; else the firmware does
        --name LINE    what is rolled out, when nothing is yet; without it the name of the image that runs here
        --now          machines that run another image start anew at once; signed releases only
        --expires      after so many days, default ${DEFAULT_DAYS}, or at 2026-12-27T16:40:00Z: nobody takes the release up after that
        --secret FILE  the secret key of minisign -G that signs the release
        -o FILE        writes the release there too
        --json         one object: server, isServer, hasKeys, own, rolls: [{text, view}], images, machines
                       (src/runes/roll/known.ts)

Machines that run the old version go on with it until they are started anew. One that does not become healthy within five
minutes starts anew by itself, and gets the old version; the roll-out then stops, and status names the machine.
`,
  async run(args, signal) {
    const { action, words, values } = parseWords(args);
    const known = await askKnown();
    if (action === 'change') return await changeThis(known, signal);
    checkMay(action, values, known);
    if (action === 'status') {
      process.stdout.write(values.json === true ? `${JSON.stringify(known)}\n` : describe(known));
      return;
    }
    const made = await make(action, words, values, known);
    await bring(made, known, values, signal);
  },
};

type Action = 'try' | 'out' | 'back' | 'status' | 'change';
type Values = ReturnType<typeof parseOptions>['values'];

const COMMON = ['now', 'expires', 'secret', 'output'];
const TAKES: Readonly<Record<Action, readonly string[]>> = {
  try: ['on', 'name', ...COMMON],
  out: ['role', 'share', 'name', ...COMMON],
  back: COMMON,
  status: ['json'],
  change: [],
};
const MOST_IMAGES: Readonly<Record<Action, number>> = { try: 1, out: 1, back: 0, status: 0, change: 0 };

function parseWords(args: readonly string[]): { action: Action; words: readonly string[]; values: Values } {
  const [name = '', ...rest] = args;
  const action = (Object.keys(TAKES) as Action[]).find((each) => each === name);
  if (action === undefined)
    throw new UsageError(name === '' ? 'try, out, back, status or change wanted' : `no action '${name}'`);
  const { values, positionals: words } = parseOptions(rest);
  for (const option of Object.keys(values))
    if (!TAKES[action].includes(option)) throw new UsageError(`${action} takes no --${option}`);
  if (words.length > MOST_IMAGES[action]) throw new UsageError(`${action} takes no '${words[MOST_IMAGES[action]]}'`);
  if (action === 'try' && (words.length === 0 || values.on === undefined))
    throw new UsageError('try needs NEW and --on HOST');
  if (values.name !== undefined && !isImageName(values.name))
    throw new UsageError(`--name: '${values.name}' is no name`);
  return { action, words, values };
}

function parseOptions(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        on: { type: 'string', multiple: true },
        role: { type: 'string' },
        share: { type: 'string' },
        name: { type: 'string' },
        now: { type: 'boolean' },
        expires: { type: 'string' },
        secret: { type: 'string' },
        output: { type: 'string', short: 'o' },
        json: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** @throws UsageError */
function word(option: string, text: string): ReleaseWord {
  try {
    return parseWord(text);
  } catch (error) {
    throw new UsageError(`--${option}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** A host by the MAC of its card where it is known: its name may be the DHCP server's, which a boot server does not know. */
function hostWord(text: string, { machines }: RollKnown): ReleaseWord {
  const asked = text.toLowerCase();
  const found = machines.find(({ hostname, address }) => hostname.toLowerCase() === asked || address === asked);
  if (found !== undefined) return word('on', `mac:${found.mac}`);
  return /^[0-9a-f*?]{1,2}([:-][0-9a-f*?]{1,2})+$/.test(asked)
    ? word('on', `mac:${asked.replaceAll('-', ':')}`)
    : word('on', `host:${asked}`);
}

/** What this machine is to boot, at once: without firmware where that can be. */
async function changeThis(known: RollKnown, signal: AbortSignal): Promise<void> {
  const facts = changeFacts(known);
  let why = whyFirmware(facts);
  if (why === undefined) {
    try {
      const found = await findChange(facts);
      const { name, id } = found.image;
      const what = printable(`${name}@${id.slice(0, 12)}`);
      if (id === known.own?.id) {
        process.stdout.write(`this machine runs ${what} already, as the boot server has it for it\n`);
        return;
      }
      process.stdout.write(`this machine begins anew with ${what}, without its firmware\n`);
      change(facts, found);
      return;
    } catch (error) {
      why = describeError(error);
    }
  }
  process.stdout.write(`this machine is started anew by its firmware: ${printable(why)}\n`);
  await shutdown.run(['reboot'], signal);
}

async function make(action: Action, words: readonly string[], values: Values, known: RollKnown): Promise<Release> {
  const { own } = known;
  if (own === null) throw new Error('this machine has no field: its image has no index, so others cannot boot from it');
  const last = lastOf(known, values.name);
  const options: NextOptions = {
    name: values.name ?? own.name,
    expiresSeconds: parseExpiry(values.expires),
    when: values.now === true ? 'now' : 'reboot',
    running: own,
  };
  if (action === 'back') {
    const instead = last?.instead;
    if (last === undefined || instead === undefined)
      throw new Error('there is nothing to go back to: no roll-out names an image before it');
    return backRelease(last, findImage(`${instead.name}@sha256:${instead.id}`, known), options);
  }
  const [text] = words;
  if (text === undefined && last === undefined) throw new UsageError('out needs NEW: nothing is tried');
  const image = text === undefined ? ofRelease(last) : await imageOf(text, known);
  if (action === 'try')
    return tryRelease(
      last,
      image,
      (values.on ?? []).map((host) => hostWord(host, known)),
      options,
    );
  const whom = [
    ...(values.role === undefined ? [] : [word('role', `role:${values.role}`)]),
    ...(values.share === undefined ? [] : [word('share', `share:${values.share.replace(/%?$/, '%')}`)]),
  ];
  return outRelease(last, image, whom, options);
}

/** @throws Error for what machines would refuse, before an image is given to others for it */
function checkMay(action: Action, { secret, now }: Values, { hasKeys, isServer, server }: RollKnown): void {
  if (action === 'status') return;
  if (hasKeys && secret === undefined)
    throw new Error("--secret FILE is wanted: this machine's initrd has keys, so machines take signed releases only");
  if (hasKeys) return;
  if (now === true)
    throw new Error('--now: without keys no machine takes the word of another to start anew: do it at each machine');
  if (!isServer)
    throw new Error(
      `without keys only the boot server takes a release, which is ${server ?? 'no machine now'}: run this there, or put a public key into the initrd (etc/viver/keys)`,
    );
}

/** The roll-out that goes on: the one of that name, else the only one. */
function lastOf({ rolls }: RollKnown, name: string | undefined): Release | undefined {
  const releases = rolls.map(({ text }) => parseRelease(text).release);
  if (name !== undefined) return releases.find((release) => release.name === name);
  if (releases.length > 1)
    throw new UsageError(`--name wanted: ${releases.map((release) => release.name).join(', ')} are rolled out here`);
  return releases[0];
}

function ofRelease(last: Release | undefined): KnownImage {
  if (last === undefined) throw new UsageError('out needs NEW: nothing is tried');
  return { ...last.image, sizeBytes: last.sizeBytes };
}

async function imageOf(text: string, known: RollKnown): Promise<KnownImage> {
  return text.endsWith(IMAGE_SUFFIX) || text.includes('/') ? await askOffer(resolve(text)) : findImage(text, known);
}

/** @throws Error when no machine has it, or several different ones are called so */
function findImage(text: string, { own, images, rolls }: RollKnown): KnownImage {
  const { name, id } = parseImageReference(text);
  const releases = rolls.map(({ text: release }) => ofRelease(parseRelease(release).release));
  const all = [...(own === null ? [] : [own]), ...images, ...releases];
  const found = all.filter((image) => (id === undefined ? image.name === name : image.id === id));
  const ids = new Set(found.map((image) => image.id));
  if (ids.size > 1) throw new Error(`several images are called ${name}: ${name}@sha256:ID takes one`);
  if (found[0] === undefined) throw new Error(`no machine offers an image ${text}: give the path of its file`);
  return found[0];
}

/** Machines whose own medium holds an image: it is there after a power cut of all. */
function keepers({ images, machines }: RollKnown, id: string): readonly string[] {
  return [
    ...images.filter((image) => image.id === id && image.isKept).map(({ address }) => address),
    ...machines.filter(({ booted, image }) => booted === 'medium' && image?.id === id).map(({ hostname }) => hostname),
  ];
}

async function bring(release: Release, known: RollKnown, values: Values, signal: AbortSignal): Promise<void> {
  const { secret, output } = values;
  const { name, id } = release.image;
  if (keepers(known, id).length === 0)
    process.stderr.write(
      `viver roll: no machine has ${name} on a medium that it boots from: after a power cut of all machines they boot what they had before (docs/roll-out.md)\n`,
    );
  const body = encodeRelease(release);
  const text = secret === undefined ? body : signRelease(body, await unlocked(secret, signal));
  const done = await askRelease(text);
  if (output !== undefined) await writeWhole(output, text);
  report(done);
}

function report({ view, kept, notKept }: RollDone): void {
  process.stdout.write(`${printable(describeRoll(view))}\n`);
  for (const path of kept) process.stdout.write(`${path}: says which image of this medium boots\n`);
  if (notKept !== null)
    process.stderr.write(
      `viver roll: the release is not kept on the medium (${notKept}): -o FILE writes it, to be copied beside the image\n`,
    );
}

/** What people want to know at a glance. */
export function describe({ server, isServer, hasKeys, rolls, images, machines }: RollKnown): string {
  const rows = rolls.flatMap(({ view }) => [
    describeRoll(view),
    `  ${view.keyId === null ? 'not signed' : `signed by key ${view.keyId}`}, until ${view.expires}; the others boot ${
      view.instead === null ? 'what the server has' : `${view.instead.name}@${view.instead.id.slice(0, 12)}`
    }`,
    ...view.failed.map(({ hostname, mac, why }) => `  failed: ${hostname} (${mac}) ${why}`),
  ]);
  const shown = machines.map(({ hostname, address, image, health, role }) => {
    const is = health === null ? '' : `, ${health.state}${health.why === '' ? '' : ` (${health.why})`}`;
    return `${hostname} ${address} (${role}): ${image === null ? 'no image' : `${image.name}@${image.id?.slice(0, 12) ?? 'unindexed'}`}${is}`;
  });
  const lines = [
    ...(rolls.length === 0 ? ['nothing is rolled out'] : rows),
    ...images.map(
      ({ name, id, address, isKept }) =>
        `offered: ${name}@${id.slice(0, 12)} by ${address}${isKept ? ', on its medium' : ''}`,
    ),
    ...shown,
    `boot server: ${server ?? 'none now'}${isServer ? ' (this machine)' : ''}; releases ${hasKeys ? 'must be signed' : 'need no signature, and are taken on the boot server only'}`,
  ];
  return `${lines.map(printable).join('\n')}\n`;
}
