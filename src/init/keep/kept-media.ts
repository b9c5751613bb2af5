import { join } from 'node:path';
import type { BlockDevice } from '../../media/block-devices.ts';
import type { RankedCandidate } from '../../media/choose.ts';
import { probeDevice } from '../../media/look.ts';
import type { MediaAccess } from '../../media/media-access.ts';
import { decodeMark, KEEP_LABEL } from '../../root/keep/mark.ts';
import { keepFailure, readChoice } from './choice.ts';

/** The file that holds the changes on a medium where no partition is made: in `/viver/`, an ext4 file system. */
export const KEEP_FILE = 'keep.ext4';

type Access = Pick<MediaAccess, 'open' | 'list'>;

/** Longer than a disk takes to answer that will answer. */
const DEVICE_TIMEOUT_MS = 5000;

/** The partitions that hold kept changes: by the mark that VIVER makes, or by the label a person gave. */
export async function keptPartitions(devices: readonly BlockDevice[], access: Access): Promise<readonly BlockDevice[]> {
  const partitions = devices.filter((device) => device.partition !== undefined && device.medium !== 'cd');
  const kept = await Promise.all(partitions.map(async (device) => ((await isKept(device, access)) ? [device] : [])));
  return kept.flat();
}

async function isKept(device: BlockDevice, access: Access): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), DEVICE_TIMEOUT_MS);
  const look = probeDevice(device, [], access).then(
    ({ content, start }) => {
      const labelled = content?.usable === true && content.type === 'ext4' && content.label === KEEP_LABEL;
      return labelled || decodeMark(start) !== undefined;
    },
    () => false, // what cannot be read cannot be continued with either; when it is the boot medium that shows soon
  );
  try {
    return await Promise.race([look, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * With viver.cow=keep the medium that holds kept changes comes before a faster one that does not: elsewhere the same
 * image would begin anew. Of two such media none is guessed.
 * @throws BootFailure that names both
 */
export async function keptFirst(
  ranked: readonly RankedCandidate[],
  devices: readonly BlockDevice[],
  access: Access,
): Promise<readonly RankedCandidate[]> {
  if (readChoice() === 'ram') return ranked;
  const partitions = await keptPartitions(devices, access);
  const where = new Map<string, string>(); // disk → what holds the changes
  for (const { candidate } of ranked) {
    const { device, iso, mountpoint } = candidate;
    const partition = partitions.find(({ disk }) => disk === device.disk);
    const names = await access
      .list(join(iso?.mountpoint ?? mountpoint ?? '/none', 'viver'))
      .catch((): readonly string[] => []);
    if (partition !== undefined) where.set(device.disk, partition.path);
    else if (names.includes(KEEP_FILE)) where.set(device.disk, `/viver/${KEEP_FILE} on ${device.path}`);
  }
  if (where.size > 1) {
    throw keepFailure(`several media with an image hold kept changes: ${[...where.values()].join(', ')}`, {
      first: ['take out the medium that is not meant, then exit', 'viver.cow=/dev/… or viver.cow=UUID=… names one'],
      choices: ['ram'],
    });
  }
  const isFirst = ({ candidate }: RankedCandidate) => where.has(candidate.device.disk);
  return [...ranked.filter(isFirst), ...ranked.filter((each) => !isFirst(each))];
}
