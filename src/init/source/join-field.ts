import type { FieldStatus } from '../../field/status.ts';
import { describeError } from '../../linux/describe-error.ts';
import { type BlockDevice, readBlockDevices } from '../../media/block-devices.ts';
import { decodeSquashfsIdentity } from '../../media/candidate.ts';
import { readStart } from '../../media/media-access.ts';
import { CARRIED } from '../../root/again.ts';
import { copyToRam, RAM_COPY } from '../../root/toram.ts';
import { SUPERBLOCK_SIZE } from '../../squashfs/superblock.ts';
import type { BootLog, StageDone } from '../boot-log.ts';
import type { BootOptions } from '../command-line.ts';
import type { Drivers } from '../drivers/drivers.ts';
import { BootFailure } from '../failing/failure.ts';
import { progressLines } from '../progress.ts';
import { AllRefused, type SoundImage } from '../trust/first-sound-image.ts';
import { KEYS } from '../trust/signing-keys.ts';
import { FIELD_DEVICE, type FieldDaemon, fieldKeyFile, startFieldDaemon } from './field-daemon.ts';
import type { FieldImage } from './find-field.ts';
import type { Refusals } from './refusals.ts';

/** The index comes first, and then the image's first block. */
const JOIN_MS = 60_000;
/** With a medium to go back to. */
const INSTEAD_MS = 20_000;
/** Of the origins that give nothing. */
const FAULTS_TOLD = 3;

type JoinStatus = Pick<FieldStatus, 'peers' | 'origins'> & { readonly image: Pick<FieldStatus['image'], 'chunks'> };

/** The field's device as a medium among others. */
function fieldMedium(): BlockDevice {
  const name = FIELD_DEVICE.slice('/dev/'.length);
  const device = readBlockDevices('/sys', { also: [name] }).devices.find((candidate) => candidate.name === name);
  if (device === undefined) throw new Error(`${FIELD_DEVICE} is connected and has no size`);
  return { ...device, medium: 'net' };
}

/**
 * Waits for the daemon's device and looks at what it holds.
 * @throws BootFailure when the field gives nothing in time; the daemon is ended then
 */
export async function openField(
  daemon: FieldDaemon,
  drivers: Drivers,
  waitMs: number,
  log: BootLog,
): Promise<Pick<SoundImage['candidate'], 'device' | 'squashfs'>> {
  const limit = AbortSignal.timeout(waitMs);
  const { name, id = '' } = daemon.request;
  let last: FieldStatus | undefined;
  const onStatus = (status: FieldStatus | undefined): void => {
    last = status;
    log.info(`joining the field of ${name}@${id.slice(0, 12)}: ${describeJoin(status)}`);
  };
  try {
    const path = await daemon.device(limit, onStatus);
    const aborted = Promise.withResolvers<never>();
    limit.addEventListener('abort', () => aborted.reject(limit.reason), { once: true });
    // A read waits for as long as nobody has what it wants.
    const { bytes } = await Promise.race([readStart(drivers.mediaAccess, path, SUPERBLOCK_SIZE), aborted.promise]);
    const device = fieldMedium();
    return { device, squashfs: decodeSquashfsIdentity(bytes, device.sizeBytes, 'device') };
  } catch (error) {
    // What the field did not give counts, not how the daemon ended.
    await daemon.stop().catch((failed: unknown) => log.warn(`the field daemon: ${describeError(failed)}`));
    const why = limit.aborted ? `nothing came in ${Math.round(waitMs / 1000)} s` : describeError(error);
    throw new BootFailure(`${name}@${id.slice(0, 12)} cannot be had from its field: ${why}`, {
      saw: [describeJoin(last)],
      tryThis: [
        'dmesg | grep field',
        `switch on a machine ${daemon.request.origins.length > 0 ? 'or a web server ' : ''}that has the image and type exit`,
      ],
    });
  }
}

/** How far a machine is that waits for its image, and which web server keeps it waiting. Pure. */
export function describeJoin(status: JoinStatus | undefined): string {
  if (status === undefined) return 'the daemon does not answer yet';
  const { peers, image, origins } = status;
  const faults = origins.flatMap(({ name, fault }) => (fault === null ? [] : [`origin ${name}: ${fault}`]));
  const whom = [
    ...(peers.length > 0 ? [`${peers.length} nodes`] : origins.length > 0 ? [] : ['no node has let it in']),
    ...(origins.length > 0 ? [`${origins.length} origins`] : []),
  ];
  const isJoined = peers.length > 0 || origins.length > 0;
  const index = isJoined ? [image.chunks === 0 ? 'waits for the index' : `${image.chunks} chunks`] : [];
  return [...whom, ...index, ...faults.slice(0, FAULTS_TOLD)].join(', ');
}

/**
 * Stage `image` for an image from the network: this machine becomes a node of its field.
 * @param refused takes the network up when it gives nothing and there is a medium to go back to
 * @throws AllRefused then, else BootFailure
 */
export async function joinField(
  field: FieldImage,
  options: BootOptions,
  drivers: Drivers,
  refused: Refusals,
  log: BootLog,
): Promise<StageDone<SoundImage>> {
  if (field.insteadOf === undefined) return await join(field, waitOf(options), options, drivers, log);
  try {
    return await join(field, INSTEAD_MS, options, drivers, log);
  } catch (error) {
    const why = describeError(error);
    log.warn(`${why}: back to ${field.insteadOf}`);
    refused.addField(why);
    throw new AllRefused(why);
  }
}

async function join(
  field: FieldImage,
  waitMs: number,
  options: BootOptions,
  drivers: Drivers,
  log: BootLog,
): Promise<StageDone<SoundImage>> {
  const { name, id, peers, provenIndex } = field;
  await drivers.ensureModules(['nbd']);
  const { origins, limit, site } = options;
  const daemon = startFieldDaemon(
    {
      ...{ name, id, imagePath: undefined, peers, origins, limit, site, keyFile: fieldKeyFile(), hasDevice: true },
      indexPath: provenIndex,
      keysDirectory: provenIndex === undefined ? undefined : KEYS,
      store: field.store,
      carried: field.store === undefined ? CARRIED : undefined,
    },
    'now',
  );
  const { device, squashfs } = await openField(daemon, drivers, waitMs, log);
  const candidate = { name, device, fileSystem: 'squashfs', path: device.path, squashfs } as const;
  const of = { candidate, name, id, daemon };
  const note = `${name}@${id.slice(0, 12)} from its field, each chunk checked as it comes`;
  if (!options.toram) return { value: { ...of, path: device.path, isDevice: true, inRam: false }, note };
  // The daemon stays: it goes on giving to others.
  try {
    const { path } = await copyToRam({
      source: device.path,
      sizeBytes: squashfs.sizeBytes,
      name: `${name}.sqfs`,
      beside: [],
      mountpoint: RAM_COPY,
      onProgress: progressLines(log, `copy ${name} to RAM`),
    });
    return { value: { ...of, path, isDevice: false, inRam: true }, note: `${note}, in RAM` };
  } catch (error) {
    await daemon.stop();
    throw error;
  }
}

/** Somebody has offered the image, so it is worth its time: viver.wait= makes it longer only. */
export function waitOf({ waitSeconds = 0 }: Pick<BootOptions, 'waitSeconds'>): number {
  return Math.max(JOIN_MS, waitSeconds * 1000);
}
