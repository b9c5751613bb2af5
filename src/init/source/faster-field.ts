import { readFileSync } from 'node:fs';
import { measureField } from '../../field/field-speed.ts';
import { NO_LIMITS, parseLimits } from '../../field/shares/limits.ts';
import { FieldKey } from '../../field/wire/key.ts';
import { readIndexFile } from '../../image/index-file.ts';
import { verifyIndexSignature } from '../../image/signature.ts';
import { describeError } from '../../linux/describe-error.ts';
import type { ImageCandidate } from '../../media/candidate.ts';
import { type MeasuredCandidate, NEARLY_EQUAL } from '../../media/choose.ts';
import { measureSpeeds } from '../../media/speed.ts';
import type { BootLog } from '../boot-log.ts';
import type { BootOptions } from '../command-line.ts';
import type { Drivers } from '../drivers/drivers.ts';
import { KEYS, needsProof } from '../trust/signing-keys.ts';
import { fieldKeyFile } from './field-daemon.ts';
import { type FieldImage, findField } from './find-field.ts';
import type { FoundMedia } from './find-media.ts';
import { networkPatienceMs } from './media-wait.ts';
import type { Network } from './network.ts';
import { wantsNetwork } from './source-order.ts';

/** Its driver has been loaded when the question is put. */
const CARD_MS = 500;

/**
 * When the best medium of this machine is slow: the same image from the network, if somebody there has it and gives it
 * faster. Only the very same, by its id: where it must be signed, the signature beside it on the medium is checked.
 */
export async function fasterField(
  found: FoundMedia,
  options: BootOptions,
  drivers: Drivers,
  network: Network,
  log: BootLog,
): Promise<FieldImage | undefined> {
  const [best] = found.ranked;
  // viver.media= is a person's word.
  if (options.media !== undefined || best?.bytesPerSecond === undefined) return undefined;
  if (networkPatienceMs(best.bytesPerSecond) === 0) return undefined;
  const { candidate } = best;
  // That was a quick look, while drivers were loaded too.
  const [again] = await sampleInQuiet(candidate, drivers);
  const bytesPerSecond = Math.max(best.bytesPerSecond, again?.bytesPerSecond ?? 0);
  const patienceMs = networkPatienceMs(bytesPerSecond);
  if (patienceMs === 0) return undefined;
  const { name, device, indexPath, signaturePath } = candidate;
  const gives = `${device.path} gives ${speedText(bytesPerSecond)}`;
  try {
    if (indexPath === undefined) throw new Error('the image has no index to know it by');
    log.info(`${gives}: the network is asked for the image too, for ${(patienceMs / 1000).toFixed(1)} s`);
    const index = await readIndexFile(indexPath, options.image?.id);
    if (needsProof(options.image)) {
      if (signaturePath === undefined) throw new Error('the image must be signed');
      await verifyIndexSignature(index, signaturePath, KEYS);
    }
    const image = { name: name || 'image', id: index.id };
    const question = {
      image,
      isProven: true,
      limitMs: patienceMs,
      answerMs: 0,
      cardMs: CARD_MS,
      endsNetwork: !wantsNetwork(options),
    };
    const field = await findField(question, options, drivers, network, log);
    const keyFile = fieldKeyFile();
    const key = keyFile === undefined ? undefined : new FieldKey(readFileSync(keyFile));
    const limits = options.limit === undefined ? NO_LIMITS : parseLimits(options.limit);
    const sample = { host: field.network.plan.address, index, peers: field.peers, key, limits };
    const rate = await measureField(sample, AbortSignal.timeout(patienceMs));
    if (rate < bytesPerSecond * NEARLY_EQUAL) throw new Error(`it gives ${speedText(rate)}, and ${gives}`);
    return { ...field, insteadOf: device.path, why: `${field.why}, ${speedText(rate)}; ${gives}` };
  } catch (error) {
    const why = describeError(error);
    log.info(`the network is passed over: ${why}`);
    log.choose('the network is passed over', why);
    return undefined;
  }
}

async function sampleInQuiet(candidate: ImageCandidate, drivers: Drivers): Promise<readonly MeasuredCandidate[]> {
  using _ = drivers.pause();
  return await measureSpeeds([candidate]);
}

function speedText(bytesPerSecond: number): string {
  return `${(bytesPerSecond / 1e6).toPrecision(3)} MB/s`;
}
