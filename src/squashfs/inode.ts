import {
  decodeDevice,
  EXTENDED,
  INODE_DEVICE,
  INODE_DIRECTORY,
  INODE_DIRECTORY_EXTENDED,
  INODE_FILE,
  INODE_FILE_EXTENDED,
  INODE_HEAD,
  INODE_PIPE,
  INODE_SIZE,
  INODE_SYMLINK,
  INODE_TYPES,
  NONE,
} from './c-structs.ts';
import type { EntryKind } from './entry.ts';

/** Linux' PATH_MAX less its NUL. */
const TARGET_MAX = 4095;

/** An inode of an image. */
export interface Inode {
  readonly kind: Exclude<EntryKind, 'hardlink'>;
  readonly mode: number;
  /** In the table of owners. */
  readonly uidIndex: number;
  readonly gidIndex: number;
  readonly mtime: number;
  readonly number: number;
  readonly links: number;
  /** In the table of attributes; NONE for none. */
  readonly attributes: number;
  readonly file?: FilePlace;
  readonly target?: Buffer;
  readonly device?: { readonly major: number; readonly minor: number };
  /** A sqfs_inode_generic_t: what the library reads on with. */
  readonly raw: Buffer;
}

/** Where a file's bytes lie. */
export interface FilePlace {
  readonly size: number;
  /** Of the first block. */
  readonly start: number;
  /** Of each block, as in the inode: STORED_PLAIN set when it is not compressed, 0 for a hole. */
  readonly blocks: Uint32Array;
  /** NONE when there is none. */
  readonly fragment: number;
  readonly fragmentOffset: number;
}

/**
 * A copy of what the library read.
 * @param raw sqfs_inode_generic_t with its payload
 * @throws Error when a field cannot be true
 */
export function decodeInode(raw: Buffer): Inode {
  const head = INODE_HEAD.read(raw, 0)[0];
  const extended = head.type > EXTENDED;
  const type = extended ? head.type - EXTENDED : head.type;
  const kind = kindOf(type);
  const { mode, uidIndex, gidIndex, mtime, number } = head;
  const common = { kind, mode: mode & 0o7777, uidIndex, gidIndex, mtime, number, raw };
  const attributesOf = (fields: { attributes: number }): number => (extended ? fields.attributes : NONE);
  switch (kind) {
    case 'directory': {
      if (!extended) return { ...common, links: INODE_DIRECTORY.read(raw, INODE_HEAD.size)[0].links, attributes: NONE };
      const { links, attributes } = INODE_DIRECTORY_EXTENDED.read(raw, INODE_HEAD.size)[0];
      return { ...common, links, attributes };
    }
    case 'file':
      return { ...common, ...filePart(raw, extended) };
    case 'symlink': {
      const fields = INODE_SYMLINK.read(raw, INODE_HEAD.size)[0];
      const target = raw.subarray(INODE_SIZE, INODE_SIZE + fields.targetSize);
      if (target.length === 0 || target.length > TARGET_MAX || target.includes(0)) {
        throw new Error(`a symbolic link of ${fields.targetSize} bytes that is none`);
      }
      return { ...common, links: fields.links, attributes: attributesOf(fields), target };
    }
    case 'block':
    case 'character': {
      const fields = INODE_DEVICE.read(raw, INODE_HEAD.size)[0];
      return { ...common, links: fields.links, attributes: attributesOf(fields), device: decodeDevice(fields.device) };
    }
    default: {
      const fields = INODE_PIPE.read(raw, INODE_HEAD.size)[0];
      return { ...common, links: fields.links, attributes: attributesOf(fields) };
    }
  }
}

function filePart(raw: Buffer, extended: boolean) {
  const list = raw.subarray(INODE_SIZE);
  const blocks = new Uint32Array(list.length / 4);
  for (let i = 0; i < blocks.length; i++) blocks[i] = list.readUInt32LE(i * 4);
  if (!extended) {
    const { size, start, fragment, fragmentOffset } = INODE_FILE.read(raw, INODE_HEAD.size)[0];
    return { links: 1, attributes: NONE, file: { size, start, blocks, fragment, fragmentOffset } };
  }
  const fields = INODE_FILE_EXTENDED.read(raw, INODE_HEAD.size)[0];
  const { size, start, fragment, fragmentOffset, links, attributes } = fields;
  return { links, attributes, file: { size, start, blocks, fragment, fragmentOffset } };
}

function kindOf(type: number): Inode['kind'] {
  const found = Object.entries(INODE_TYPES).find(([, value]) => value === type);
  if (found === undefined) throw new Error(`an inode of type ${type}`);
  return found[0] as Inode['kind'];
}
