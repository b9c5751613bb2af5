import type { ImageReference } from '../../image/image-reference.ts';
import type { WantedImage } from '../engine/interfaces.ts';
import type { OtherScriptImage } from './boot-script.ts';

/** An image that a machine may be sent to, beside the server's own. */
export interface BootableImage extends OtherScriptImage {
  readonly id: string;
}

/** A menu has so many lines, a command line so many names of nodes. */
const MOST_IMAGES = 12;
const MOST_PEERS = 8;

/**
 * Images by their ids: of those that several machines have, the first stands, with the nodes of all. Pure.
 * @param own id of the server's own image, which is none of them
 */
export function mergeImages(images: readonly BootableImage[], own: string): readonly BootableImage[] {
  const byId = new Map<string, BootableImage>();
  for (const image of images) {
    if (image.id === own) continue;
    const known = byId.get(image.id);
    const peers = [...new Set([...(known?.peers ?? []), ...image.peers])].slice(0, MOST_PEERS);
    if (known !== undefined || byId.size < MOST_IMAGES) byId.set(image.id, { ...(known ?? image), peers });
  }
  return [...byId.values()];
}

/**
 * Which of the images that releases want for a machine it gets. Pure.
 * @param ofRole the image its role names: another one, or any that is pinned, is above releases
 * @param here ids of the images that can be had
 */
export function pickWanted(
  wanted: readonly WantedImage[],
  ofRole: ImageReference | undefined,
  here: ReadonlySet<string>,
): WantedImage | undefined {
  const fits = ({ image, release }: WantedImage): boolean =>
    ofRole === undefined || (ofRole.id === undefined && [image.name, release?.name].includes(ofRole.name));
  return wanted.find((one) => fits(one) && here.has(one.image.id));
}
