/** How far an image is checked before and while it is used. Pure. */
import type { BootOptions } from '../command-line.ts';

export interface VerificationPlan {
  /** `full`: every byte before it is used. `lazy`: each chunk when it is first read. */
  readonly check: 'full' | 'lazy' | 'off';
  /** It is pinned or must be signed: what cannot be checked does not boot. */
  readonly isBinding: boolean;
  /** A word of the command line that was not obeyed, or says less than a person may think. */
  readonly warning?: string;
}

/**
 * @param signed who wants a signature: keys in the initrd, its policy; undefined: nobody
 */
export function planVerification(
  { verify, image }: Pick<BootOptions, 'verify' | 'image'>,
  signed: string | undefined,
): VerificationPlan {
  const isPinned = image?.id !== undefined;
  const isBinding = isPinned || signed !== undefined;
  if (verify !== 'off') return { check: verify ?? (isBinding ? 'full' : 'off'), isBinding };
  if (signed !== undefined) {
    const warning = `viver.verify=off is refused: ${signed} wants signed images, and what is signed is checked in full`;
    return { check: 'full', isBinding, warning };
  }
  const warning = "viver.verify=off: the image's index is the pinned one, its bytes are not checked against it";
  return { check: 'off', isBinding, ...(isPinned ? { warning } : {}) };
}
