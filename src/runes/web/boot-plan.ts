import { HTTP_PORT } from '../places.ts';
import {
  type BootScript,
  bootScript,
  kernelWords,
  keyedFieldScript,
  noImageScript,
  notHereScript,
  ownersScript,
} from './boot-script.ts';
import type { WholeInitrd } from './first-stage.ts';
import { type GrubStart, grubScript } from './grub-script.ts';

/** What a machine that boots by network is to start, before it is said in its loader's language. */
export type BootPlan =
  /** The field has a key, which is never sent by network. */
  | { readonly kind: 'keyed' }
  | { readonly kind: 'unavailable'; readonly why: string }
  /** `owner`: another cluster's first machine, whose word comes before this one's. */
  | { readonly kind: 'not-here'; readonly role: string; readonly owner: string | undefined }
  | { readonly kind: 'no-image'; readonly role: string; readonly image: string; readonly owner: string | undefined }
  | { readonly kind: 'boot'; readonly script: BootScript; readonly owner: string | undefined };

/** For iPXE. Pure. */
export function ipxeOf(plan: Exclude<BootPlan, { kind: 'unavailable' }>, mac: string | undefined): string {
  if (plan.kind === 'keyed') return keyedFieldScript;
  const text =
    plan.kind === 'not-here'
      ? notHereScript(plan.role)
      : plan.kind === 'no-image'
        ? noImageScript(plan.role, plan.image)
        : bootScript(plan.script);
  const { owner } = plan;
  return owner === undefined || mac === undefined ? text : ownersScript(`http://${owner}:${HTTP_PORT}`, mac, text);
}

/**
 * For GRUB, on a machine with Secure Boot on. It shows no menu: what it may start is the kernel that this server has.
 * Pure.
 * @param initrd must be there for a plan to boot
 */
export function grubOf(plan: BootPlan, mac: string, initrd?: WholeInitrd): string {
  const owner = 'owner' in plan ? plan.owner : undefined;
  return grubScript(startOf(plan, mac, initrd), owner);
}

function startOf(plan: BootPlan, mac: string, initrd: WholeInitrd | undefined): GrubStart {
  if (plan.kind === 'keyed')
    return { kind: 'away', why: 'the machines here share their image by a key, which is never sent by network' };
  if (plan.kind === 'unavailable') return { kind: 'wait', why: plan.why };
  if (plan.kind === 'not-here')
    return { kind: 'away', why: `this machine does not boot here: its role is ${plan.role}, which says boot no` };
  if (plan.kind === 'no-image')
    return {
      kind: 'wait',
      why: `the role of this machine, ${plan.role}, wants the image ${plan.image}, which is not here`,
    };
  if (initrd === undefined) return { kind: 'wait', why: 'the server is not ready' };
  const { script } = plan;
  const other = script.others.find(({ isFirst }) => isFirst === true);
  if (other !== undefined)
    return {
      kind: 'away',
      why: `the role of this machine wants the image ${other.name}, which needs Secure Boot off (its kernel is not served to GRUB)`,
    };
  const words = kernelWords(script.image, script, mac.replaceAll(':', '-'));
  return { kind: 'boot', name: script.image.name, words, initrd };
}
