import { askControl } from '../../field/control.ts';
import type { Health } from '../health/health.ts';
import { ROLL_SOCKET } from '../places.ts';
import type { KnownImage } from './next-release.ts';
import type { RollView } from './view.ts';

/** What `viver roll` wants to know before it makes a release: the answer to `known` on the control socket. */
export interface RollKnown {
  /** The machine that boots others now. */
  readonly server: string | null;
  readonly isServer: boolean;
  /** Releases must be signed by one of the keys in this machine's initrd. */
  readonly hasKeys: boolean;
  /** The image that this machine runs. */
  readonly own: KnownImage | null;
  readonly rolls: readonly { readonly text: string; readonly view: RollView }[];
  /** Images that machines offer beside those they run. */
  readonly images: readonly (KnownImage & { readonly address: string; readonly isKept: boolean })[];
  /** This one first. */
  readonly machines: readonly RolledMachine[];
}

export interface RolledMachine {
  readonly hostname: string;
  readonly mac: string;
  readonly address: string;
  readonly role: string;
  readonly booted: 'medium' | 'network';
  readonly image: { readonly name: string; readonly id: string | null } | null;
  readonly health: Health | null;
}

/** What became of a release that root has brought. */
export interface RollDone {
  readonly view: RollView;
  /** The files it was written to beside its image. */
  readonly kept: readonly string[];
  /** Why it was not, where the image lies on the medium. */
  readonly notKept: string | null;
}

/** A release as JSON has at most so many characters. */
export const MOST_WORDS = 16 << 10;
export const PATIENCE_MS = 60_000;

const ask = (words: string, path: string): Promise<unknown> =>
  askControl(path, words, "RUNES with the plugin 'roll'", PATIENCE_MS);

export async function askKnown(path = ROLL_SOCKET): Promise<RollKnown> {
  return (await ask('known', path)) as RollKnown;
}

/** An image that this machine gives to others from now on; `peer` is its node, `ADDRESS:PORT`. */
export type GivenImage = KnownImage & { readonly peer: string };

/** Has this machine give an image to others. @param image absolute path */
export async function askOffer(image: string, path = ROLL_SOCKET): Promise<GivenImage> {
  return (await ask(`offer ${JSON.stringify(image)}`, path)) as GivenImage;
}

/** @param text a release */
export async function askRelease(text: string, path = ROLL_SOCKET): Promise<RollDone> {
  return (await ask(`release ${JSON.stringify(text)}`, path)) as RollDone;
}
