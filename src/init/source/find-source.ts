import { describeError } from '../../linux/describe-error.ts';
import type { BootLog, StageDone } from '../boot-log.ts';
import type { BootOptions } from '../command-line.ts';
import type { Drivers } from '../drivers/drivers.ts';
import { BootFailure } from '../failing/failure.ts';
import { fasterField } from './faster-field.ts';
import { type FieldImage, findField, questionOf } from './find-field.ts';
import { type FoundMedia, findMedia } from './find-media.ts';
import type { Network } from './network.ts';
import type { Refusals } from './refusals.ts';
import { sourceOrder, wantsNetwork } from './source-order.ts';

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
    asking ??= findField(questionOf(options, wanted), options, drivers, network, log);
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
  const { link, plan } = field.network;
  return {
    value: { kind: 'net', field },
    note: `net: ${link.name} ${plan.address}/${plan.prefixLength}; ${field.why}`,
  };
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
