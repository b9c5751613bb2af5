import { Resolver } from 'node:dns/promises';
import { readdirSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { seek } from '../../field/edge/seek.ts';
import { type Address, formatAddress, hostOf, parseAddress } from '../../field/wire/address.ts';
import { FieldKey } from '../../field/wire/key.ts';
import type { Offer } from '../../field/wire/offer.ts';
import { DEFAULT_PORT } from '../../field/wire/protocol.ts';
import { describeError } from '../../linux/describe-error.ts';
import type { NetworkUp } from '../../net/bring-up.ts';
import type { BootLog } from '../boot-log.ts';
import type { BootOptions } from '../command-line.ts';
import type { Drivers } from '../drivers/drivers.ts';
import { BootFailure } from '../failing/failure.ts';
import { proveOffer, RefusedOffers } from '../trust/prove-offer.ts';
import { needsProof, whyNoField } from '../trust/signing-keys.ts';
import { fieldKeyFile } from './field-daemon.ts';
import type { Network } from './network.ts';
import { chooseOffer, type HeardOffer, type OfferChoice } from './offer-choice.ts';
import type { KeptStore } from './store-device.ts';

/** An image that others on the network have. */
export interface FieldImage {
  readonly name: string;
  readonly id: string;
  /** Nodes to begin with, `ADDRESS:PORT`. */
  readonly peers: readonly Address[];
  /** undefined: all of it lies in a store on this machine, and nobody else was found. */
  readonly network: NetworkUp | undefined;
  readonly why: string;
  /** The device of a medium that has the image too, and is slower. */
  readonly insteadOf?: string;
  /** Its index, with the signature that was checked beside it. */
  readonly provenIndex?: string | undefined;
  readonly store?: KeptStore | undefined;
}

export interface FieldQuestion {
  readonly image: BootOptions['image'];
  /** The id that it names is known to be signed. */
  readonly isProven?: boolean;
  /** With an answer or without, it ends then; a network that came up late has `answerMs` more. */
  readonly limitMs: number;
  /** Once the network is up, others have at least this long to answer, however long the network took. */
  readonly answerMs: number;
  /** Without any card, it ends then. */
  readonly cardMs: number;
  /** A network that is not up by the end is not waited for by anybody else. */
  readonly endsNetwork: boolean;
}

/** What a person has asked for is waited for this long; DHCP behind a port that forwards after 30 s takes half of it. */
const ASKED_MS = 60_000;
/** The last resort of a machine that was not told of any network: a switch port forwards after 30 s. */
const LAST_RESORT_MS = 45_000;
/** Without a cable in any card nothing comes: a link takes three seconds. */
const NO_LINK_MS = 15_000;
/** A driver, a link and an address may take a slow machine all its time; then it has still asked nobody. */
const ANSWER_MS = 15_000;
/** Cards are there at once or soon after their driver. */
const NO_CARD_MS = 3000;
/** After the first offer, for others to be heard. */
const MORE_OFFERS_MS = 300;
/** A web server alone, without any node, can serve a pinned image: nodes get this long to answer first. */
const ORIGIN_ONLY_MS = 3000;
const SAY_EVERY_MS = 5000;
/** Hosts that are listened to. */
const OFFERS_HEARD = 256;

/** @param wanted whether the command line speaks of a network: then it is waited for longer */
export function questionOf({ image, waitSeconds }: BootOptions, wanted: boolean): FieldQuestion {
  const limitMs = waitSeconds === undefined ? (wanted ? ASKED_MS : LAST_RESORT_MS) : waitSeconds * 1000;
  const answerMs = waitSeconds === undefined ? ANSWER_MS : 0; // a person's word is not stretched
  return { image, limitMs, answerMs, cardMs: wanted ? limitMs : NO_CARD_MS, endsNetwork: true };
}

/**
 * Brings the network up and asks there for an image.
 * @throws BootFailure with what was seen
 */
export async function findField(
  question: FieldQuestion,
  options: BootOptions,
  drivers: Drivers,
  network: Network,
  log: BootLog,
): Promise<FieldImage & { readonly network: NetworkUp }> {
  const { image, limitMs, answerMs } = question;
  const refused = whyNoField();
  if (refused !== undefined) throw new BootFailure(`the network is not asked for an image: ${refused}`, {});
  const limit = AbortSignal.timeout(limitMs);
  await drivers.includeNetwork();
  const up = await bringUp(network, limit, question);
  const peers = await resolvePeers(options.peers, up.plan.dns, log);
  const keyFile = fieldKeyFile();
  const key = keyFile === undefined ? undefined : new FieldKey(readFileSync(keyFile));
  const heard = new Map<string, HeardOffer>();
  const stop = new AbortController();
  let changed = Promise.withResolvers<void>();
  const onOffer = (offer: Offer, from: Address): void => {
    // One host, one voice, whatever names it gives itself.
    const host = hostOf(from);
    if (heard.size < OFFERS_HEARD || heard.has(host)) heard.set(host, { ...offer, from });
    changed.resolve();
  };
  const mustProve = question.isProven !== true && needsProof(image);
  const refusedOffers = new RefusedOffers();
  const choose = (): OfferChoice => chooseOffer([...heard.values()], image, refusedOffers.at(performance.now()));
  const seeking = seek({ peers, multicast: true, key, onOffer, signal: stop.signal });
  const beganMs = performance.now();
  let saidMs = beganMs;
  try {
    for (;;) {
      const choice = choose();
      if (choice.kind === 'take') {
        await sleep(MORE_OFFERS_MS);
        const last = choose();
        if (last.kind !== 'take') continue;
        const found = { ...last.image, peers: [...new Set([...peers, ...last.image.peers])] };
        try {
          const provenIndex = mustProve ? await proveOffer(found, up.plan.address, key, options, log) : undefined;
          for (const warning of last.warnings) log.warn(warning);
          return { ...found, network: up, why: mustProve ? `signed, ${last.why}` : last.why, provenIndex };
        } catch (error) {
          const why = describeError(error);
          refusedOffers.add(found.id, why, performance.now());
          log.warn(`${found.name}@${found.id.slice(0, 12)}, ${last.why}, is not used: ${why}`);
          continue;
        }
      }
      const isPatienceOver = performance.now() - beganMs > ORIGIN_ONLY_MS;
      if (!mustProve && image?.id !== undefined && options.origins.length > 0 && isPatienceOver) {
        const why = 'no node answers; the origins are asked';
        return { name: image.name, id: image.id, peers, network: up, why };
      }
      if (limit.aborted && performance.now() - beganMs >= answerMs) {
        const tryThis = hintsOf({ image, origins: options.origins, mustProve, hasKey: key !== undefined });
        throw nothing(image, up, peers, choice.saw, performance.now() - beganMs, tryThis);
      }
      if (performance.now() - saidMs > SAY_EVERY_MS) {
        saidMs = performance.now();
        log.tell(
          `asking on ${up.link.name} (${up.plan.address}) for an image${choice.saw.map((line) => `; ${line}`).join('')}`,
        );
      }
      await Promise.race([changed.promise, sleep(200)]);
      changed = Promise.withResolvers();
    }
  } finally {
    stop.abort();
    await seeking;
  }
}

async function bringUp(
  network: Network,
  limit: AbortSignal,
  { cardMs, endsNetwork }: FieldQuestion,
): Promise<NetworkUp> {
  const noCard = new AbortController();
  const timer = setTimeout(() => hasCard() || noCard.abort(new Error('no card')), cardMs);
  const linkTimer = setTimeout(() => hasLink() || noCard.abort(new Error('no link')), Math.max(cardMs, NO_LINK_MS));
  try {
    const signal = AbortSignal.any([limit, noCard.signal]);
    return await (endsNetwork ? network.ready(signal) : network.within(signal));
  } catch (error) {
    throw new BootFailure(error instanceof Error ? error.message : String(error), {
      tryThis: [
        'check the cable and the DHCP server and type exit',
        'viver.ip=ADDRESS/LENGTH,GATEWAY where there is no DHCP server',
      ],
    });
  } finally {
    clearTimeout(timer);
    clearTimeout(linkTimer);
  }
}

function hasCard(): boolean {
  return readdirSync('/sys/class/net').some((name) => name !== 'lo');
}

/** The kernel refuses to say (EINVAL) while a card is not switched on. */
function hasLink(): boolean {
  return readdirSync('/sys/class/net').some((name) => {
    if (name === 'lo') return false;
    try {
      return readFileSync(`/sys/class/net/${name}/carrier`, 'utf8').trim() === '1';
    } catch {
      return false;
    }
  });
}

/** Host names by the DNS servers the network came with; a name that nobody knows is warned of. */
async function resolvePeers(peers: readonly string[], dns: readonly string[], log: BootLog): Promise<Address[]> {
  const resolved: Address[] = [];
  const resolver = new Resolver({ timeout: 2000, tries: 2 });
  if (dns.length > 0) resolver.setServers([...dns]);
  for (const peer of peers) {
    const [host = '', port] = isIP(peer) !== 0 || peer.startsWith('[') ? [peer] : peer.split(':');
    try {
      const isName = !peer.startsWith('[') && isIP(host) === 0;
      if (isName && dns.length === 0) throw new Error('the network has no DNS server');
      const hosts = isName ? await resolver.resolve4(host) : [undefined];
      for (const address of hosts) {
        const endpoint =
          address === undefined
            ? parseAddress(peer, DEFAULT_PORT)
            : { host: address, port: Number(port ?? DEFAULT_PORT) };
        resolved.push(formatAddress(endpoint.host, endpoint.port));
      }
    } catch (error) {
      log.warn(`viver.peer=${peer}: ${describeError(error)}`);
    }
  }
  return resolved;
}

function nothing(
  image: BootOptions['image'],
  { link, plan }: NetworkUp,
  peers: readonly Address[],
  saw: readonly string[],
  askedMs: number,
  tryThis: readonly string[],
): BootFailure {
  const asked =
    image === undefined ? 'an image' : `${image.name}${image.id === undefined ? '' : `@${image.id.slice(0, 12)}`}`;
  return new BootFailure(`no machine on the network offers ${asked} (${Math.round(askedMs / 1000)} s)`, {
    saw: [
      `${link.name} with ${plan.address}/${plan.prefixLength}`,
      `asked by multicast on the wire${peers.map((peer) => `, and at ${peer}`).join('')}`,
      ...(saw.length === 0 ? ['no answer at all'] : saw),
    ],
    tryThis,
  });
}

export interface Unanswered {
  readonly image: BootOptions['image'];
  readonly origins: readonly string[];
  readonly mustProve: boolean;
  readonly hasKey: boolean;
}

/** What a person can try when nobody on the network has offered an image. Pure. */
export function hintsOf({ image, origins, mustProve, hasKey }: Unanswered): readonly string[] {
  const withOrigins = mustProve
    ? 'viver.origin= alone boots nothing that must be signed: a machine on the network has to show the signature'
    : 'viver.image=NAME@sha256:ID: an origin is asked for the image of that id, and cannot say which ones it has';
  return [
    'switch on a machine that has the image and type exit',
    'viver.peer=ADDRESS of such a machine, when it is not on the same wire',
    ...(origins.length > 0 && (mustProve || image?.id === undefined) ? [withOrigins] : []),
    ...(hasKey ? [] : ['a boot medium that carries its key, if the field has one: it is never given out by network']),
  ];
}
