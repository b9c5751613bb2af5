/**
 * The mark of a partition that holds kept changes: text in its first sector, which ext4 leaves to boot loaders. It is
 * written when the file system is whole and on the disk, before the partition is entered in the table. By it the
 * changes are found again after a newer ISO has been written over the old one, table and all; and a partition is known
 * for what it is when its file system is broken.
 */

export const KEEP_LABEL = 'VIVER-KEEP';
export const MARK_BYTES = 512;

const LINE = /^VIVER-KEEP 1\nsize=(\d{1,15})\n/;

export interface KeepMark {
  /** Of the partition. */
  readonly sizeBytes: number;
}

export function encodeMark({ sizeBytes }: KeepMark): Uint8Array {
  const text = `VIVER-KEEP 1\nsize=${sizeBytes}\nChanges kept by VIVER (viver.cow=keep). The file system behind this is ext4.\n`;
  const sector = new Uint8Array(MARK_BYTES);
  sector.set(Buffer.from(text, 'latin1'));
  return sector;
}

/** @returns undefined when the bytes do not begin with a mark */
export function decodeMark(start: Uint8Array): KeepMark | undefined {
  const text = Buffer.from(start.buffer, start.byteOffset, Math.min(start.length, MARK_BYTES)).toString('latin1');
  const size = LINE.exec(text)?.[1];
  if (size === undefined) return undefined;
  const sizeBytes = Number(size);
  return sizeBytes > 0 && sizeBytes % MARK_BYTES === 0 ? { sizeBytes } : undefined;
}
