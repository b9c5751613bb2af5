import { describeError } from '../../linux/describe-error.ts';
import type { BootLog, StageDone } from '../boot-log.ts';
import type { BootOptions } from '../command-line.ts';
import type { Drivers } from '../drivers/drivers.ts';
import { BootFailure } from '../failing/failure.ts';
import { needsProof, whyNoField } from '../trust/signing-keys.ts';
import { fasterField } from './faster-field.ts';
import { type FieldImage, type FieldQuestion, findField, questionOf } from './find-field.ts';
import { type FoundMedia, findMedia } from './find-media.ts';
import type { Network } from './network.ts';
import type { Refusals } from './refusals.ts';
import { sourceOrder, wantsNetwork } from './source-order.ts';
import { imageIn, openStore } from './store-device.ts';

/** With a store that has the image, others are asked for so long. */
const BRIEFLY = { limitMs: 8000, answerMs: 1500, cardMs: 2000 };

/** Where the image comes from. */
export type Source =
  | { readonly kind: 'local'; readonly media: FoundMedia }
  | { readonly kind: 'net'; readonly field: FieldImage };

/**
 * Stage `media`: looks for the image on this machine's media and on the network, in the order that was asked for. While
 * media could still be put in, the network is asked already, and if it has the image they are not waited for.
 * @throws BootFailure that tells of all that was tried
 */
export async function findSource(
  options: BootOptions,
  drivers: Drivers,
  network: Network,
  refused: Refusals,
  log: BootLog,
): Promise<StageDone<Source>> {
  const order = sourceOrder(options);
  const wanted = wantsNetwork(options);
  let asking: Promise<FieldImage> | undefined;
  let isOffered = false;
  const askNetwork = (): Promise<FieldImage> => {
    asking ??= askFor(questionOf(options, wanted), options, drivers, network, log);
    asking.then(
      () => {
        isOffered = true;
      },
      () => {}, // heard of when its turn comes
    );
    return asking;
  };
  const offeredElsewhere = (): boolean => {
    if (order.includes('net')) askNetwork();
    return isOffered;
  };
  if (wanted) network.begin().catch(() => {}); // who needs it waits for it, and hears then
  const failures: BootFailure[] = [];
  for (const kind of order) {
    try {
      if (kind === 'local') {
        const found = await findMedia(options, drivers, refused, log, offeredElsewhere);
        const faster = refused.hasField ? undefined : await fasterField(found.value, options, drivers, network, log);
        if (faster === undefined) return { value: { kind: 'local', media: found.value }, note: found.note };
        await found.value.release(undefined);
        return fromField(faster, log);
      }
      return fromField(await askNetwork(), log);
    } catch (error) {
      if (!(error instanceof BootFailure)) throw error;
      failures.push(error);
      if (failures.length < order.length) log.choose(`no image from ${kind}`, describeError(error));
    }
  }
  throw combined(failures);
}

function fromField(field: FieldImage, log: BootLog): StageDone<Source> {
  log.choose(`field ${field.name}@${field.id}`, field.why);
  const { network, why } = field;
  const where =
    network === undefined ? 'store' : `net: ${network.link.name} ${network.plan.address}/${network.plan.prefixLength}`;
  return { value: { kind: 'net', field }, note: `${where}; ${why}` };
}

/** Who has a store with the image asks others for a while, for they may be faster, and needs none of them. */
async function askFor(
  question: FieldQuestion,
  options: BootOptions,
  drivers: Drivers,
  network: Network,
  log: BootLog,
): Promise<FieldImage> {
  const store = await openStore(options, drivers, log);
  const kept = store === undefined ? undefined : imageIn(store, options.image);
  if (kept === undefined) return { ...(await findField(question, options, drivers, network, log)), store };
  try {
    const brief = { ...question, ...BRIEFLY };
    return { ...(await findField(brief, options, drivers, network, log)), store };
  } catch (error) {
    // What the disk says ran last is nobody's signature.
    if (!(error instanceof BootFailure) || whyNoField() !== undefined || needsProof(options.image)) throw error;
    const why = `it lies in the store; ${describeError(error)}`;
    return { ...kept, peers: [], network: network.up, why, store };
  }
}

/** The first failure speaks; what was seen and could be tried is that of all. */
function combined(failures: readonly BootFailure[]): Error {
  const [first, ...others] = failures;
  if (first === undefined) return new Error('viver.media= allows no medium at all');
  return new BootFailure(first.message, {
    saw: [...first.saw, ...others.flatMap((other) => [`network: ${other.message}`, ...other.saw])],
    tryThis: [...first.tryThis, ...others.flatMap((other) => other.tryThis)],
  });
}
