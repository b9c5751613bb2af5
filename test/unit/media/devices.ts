import type { BlockDevice } from '../../../src/media/block-devices.ts';
import type { ImageCandidate } from '../../../src/media/candidate.ts';
import type { MediaAccess, MediumFile } from '../../../src/media/media-access.ts';

/** A whole disk, or with `partition` a partition of `disk`. */
export function device(name: string, more: Partial<BlockDevice> = {}): BlockDevice {
  return {
    name,
    path: `/dev/${name}`,
    sysPath: `/sys/devices/x/block/${name}`,
    sizeBytes: 2 ** 30,
    sectorBytes: 512,
    readOnly: false,
    removable: false,
    medium: 'sata',
    disk: name,
    sequence: 1,
    ...more,
  };
}

export function partition(disk: string, number: number, more: Partial<BlockDevice> = {}): BlockDevice {
  return device(`${disk}${number}`, { disk, partition: { number, startBytes: number * 2 ** 20 }, ...more });
}

/** The superblock of a sound squashfs of that size. */
export function squashfsStart(sizeBytes: number, madeSeconds = 1_700_000_000, inodes = 7): Uint8Array {
  const bytes = new Uint8Array(96);
  bytes.set(Buffer.from('hsqs'));
  const view = new DataView(bytes.buffer);
  view.setUint32(4, inodes, true);
  view.setUint32(8, madeSeconds, true);
  view.setUint32(12, 131_072, true); // block size
  view.setUint16(20, 6, true); // zstd
  view.setUint16(22, 17, true); // log of the block size
  view.setUint16(26, 1, true); // ids
  view.setUint16(28, 4, true); // version
  view.setBigUint64(40, BigInt(sizeBytes), true);
  // id, xattr, inode, directory, fragment, export tables; -1 for none
  [130n, -1n, 110n, 120n, -1n, -1n].forEach((start, i) => void view.setBigInt64(48 + i * 8, start, true));
  return bytes;
}

export function candidate(name: string, on: BlockDevice, more: Partial<ImageCandidate> = {}): ImageCandidate {
  return {
    name,
    device: on,
    fileSystem: 'ext4',
    mountpoint: `/run/viver/media/${on.name}`,
    path: `/run/viver/media/${on.name}/viver/${name}.sqfs`,
    squashfs: { sizeBytes: 2 ** 28, madeSeconds: 1_700_000_000, superblock: 'aa' },
    ...more,
  };
}

/** An open device, or file when `fileBytes` is given, that holds these bytes and no more. */
export function fileOf(bytes: Uint8Array, fileBytes?: number): MediumFile {
  return {
    ...(fileBytes === undefined ? {} : { fileBytes }),
    async read({ offset, length }) {
      return bytes.subarray(Math.min(offset, bytes.length), Math.min(offset + length, bytes.length));
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

/** A machine on which nothing is mounted and every drive has a medium. */
export const noEffects: Omit<MediaAccess, 'open'> = {
  medium: async () => 'in',
  mount: async () => {},
  unmount: async () => {},
  loop: (path) => ({ path: `loop on ${path}`, release: () => {} }),
  registerBtrfs: async () => {},
  list: async () => [],
  folders: async () => [],
  isSubvolume: async () => false,
};
