import { encode } from '../codec/struct.ts';
import {
  EXTENDED,
  encodeDevice,
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
  MODE_TYPES,
  NONE,
} from './c-structs.ts';
import type { FileData, FragmentBlock } from './data-writer.ts';
import type { TreeNode } from './entry-tree.ts';
import type { SquashfsLibrary } from './library.ts';
import type { LibraryFile } from './library-file.ts';

/** SQFS_META_WRITER_KEEP_IN_MEMORY, SQFS_DIR_WRITER_CREATE_EXPORT_TABLE. */
const KEEP_IN_MEMORY = 1;
const CREATE_EXPORT_TABLE = 1;
const MAX_32 = 0xffffffff;
const INODE_HEAD_SIZE = INODE_HEAD.size;

/** A node with its place among the inodes. */
interface Placed {
  readonly node: TreeNode;
  readonly number: number;
  readonly parent: TreeNode | undefined;
  /** Where its inode lies; known when it is written, after those below it. */
  reference: bigint;
}

export interface Tables {
  readonly inodes: number;
  readonly rootInode: bigint;
  readonly inodeTable: bigint;
  readonly directoryTable: bigint;
}

/** Writes what comes after the files' bytes: inodes, directories, and the tables of fragments, exports and owners. */
export class MetadataWriter {
  readonly #library: SquashfsLibrary;
  readonly #file: LibraryFile;
  readonly #compressor: bigint;
  readonly #inodes: bigint;
  readonly #directoryTable: bigint;
  readonly #directories: bigint;
  readonly #fragments: bigint;
  readonly #owners: bigint;
  readonly #ownerIndex = new Map<number, number>();
  readonly #placed = new Map<TreeNode, Placed>();
  readonly #position = Buffer.alloc(8);
  readonly #offset = Buffer.alloc(8);

  constructor(library: SquashfsLibrary, file: LibraryFile, compressor: bigint) {
    const { f } = library;
    const what = 'starting the tables';
    this.#library = library;
    this.#file = file;
    this.#compressor = compressor;
    this.#inodes = library.object(what, f.sqfs_meta_writer_create(file.pointer, compressor, 0));
    this.#directoryTable = library.object(what, f.sqfs_meta_writer_create(file.pointer, compressor, KEEP_IN_MEMORY));
    this.#directories = library.object(what, f.sqfs_dir_writer_create(this.#directoryTable, CREATE_EXPORT_TABLE));
    this.#fragments = library.object(what, f.sqfs_frag_table_create(0));
    this.#owners = library.object(what, f.sqfs_id_table_create(0));
  }

  /** Writes inodes and directories behind the files' bytes. */
  writeTree(root: TreeNode): Tables {
    const { f } = this.#library;
    const order = this.#place(root);
    const inodeTable = BigInt(this.#file.size);
    for (const placed of order) this.#writeInode(placed, order.length);
    this.#do('writing inodes', () => f.sqfs_meta_writer_flush(this.#inodes));
    this.#do('writing directories', () => f.sqfs_meta_writer_flush(this.#directoryTable));
    const directoryTable = BigInt(this.#file.size);
    this.#do('writing directories', () => f.sqfs_meta_write_write_to_file(this.#directoryTable));
    return { inodes: order.length, rootInode: this.#of(root).reference, inodeTable, directoryTable };
  }

  /** Writes the tables that name themselves in the superblock. */
  writeTables(superblock: Uint8Array, root: TreeNode, fragments: readonly FragmentBlock[]): void {
    const { f } = this.#library;
    for (const { start, size } of fragments) {
      this.#do('fragment table', () => f.sqfs_frag_table_append(this.#fragments, BigInt(start), size, this.#offset));
    }
    this.#do('writing the fragment table', () =>
      f.sqfs_frag_table_write(this.#fragments, this.#file.pointer, superblock, this.#compressor),
    );
    const { number, reference } = this.#of(root);
    const { pointer } = this.#file;
    this.#do('writing the export table', () =>
      f.sqfs_dir_writer_write_export_table(this.#directories, pointer, this.#compressor, number, reference, superblock),
    );
    this.#do('writing the table of owners', () =>
      f.sqfs_id_table_write(this.#owners, pointer, superblock, this.#compressor),
    );
  }

  close(): void {
    for (const object of [this.#directories, this.#directoryTable, this.#inodes, this.#fragments, this.#owners]) {
      this.#library.destroy(object);
    }
  }

  /** Every inode once: what lies in a directory before it, in the order of names. */
  #place(root: TreeNode): Placed[] {
    const order: Placed[] = [];
    const place = (node: TreeNode, parent: TreeNode | undefined): void => {
      if (this.#placed.has(node)) return;
      const placed = { node, parent, number: order.length + 1, reference: 0n };
      this.#placed.set(node, placed);
      order.push(placed);
    };
    // A stack of its own: how deep a tree goes is its maker's choice.
    const stack: { node: TreeNode; parent: TreeNode | undefined; below: Iterator<TreeNode> }[] = [];
    const enter = (node: TreeNode, parent: TreeNode | undefined): void => {
      stack.push({
        node,
        parent,
        below: sorted(node)
          .map(([, child]) => child)
          .values(),
      });
    };
    enter(root, undefined);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const next = top.below.next();
      if (next.done !== true) {
        if (next.value.children !== undefined) enter(next.value, top.node);
        continue;
      }
      for (const [, child] of sorted(top.node)) if (child.children === undefined) place(child, top.node);
      place(top.node, top.parent);
      stack.pop();
    }
    return order;
  }

  #writeInode(placed: Placed, count: number): void {
    const { f } = this.#library;
    const { node } = placed;
    if (node.children !== undefined) {
      this.#writeDirectory(placed, count);
      return;
    }
    const inode = encodeInode(node, this.#head(placed));
    placed.reference = this.#reference();
    this.#do('writing an inode', () => f.sqfs_meta_writer_write_inode(this.#inodes, inode));
  }

  #writeDirectory(placed: Placed, count: number): void {
    const { f, ffi } = this.#library;
    const children = sorted(placed.node);
    this.#do('directory', () => f.sqfs_dir_writer_begin(this.#directories, 0));
    for (const [name, child] of children) {
      const { number, reference } = this.#of(child);
      const mode = MODE_TYPES[INODE_TYPES[child.kind]] ?? 0;
      const cName = Buffer.from(`${name}\0`, 'latin1');
      this.#do('directory', () => f.sqfs_dir_writer_add_entry(this.#directories, cName, number, reference, mode));
    }
    this.#do('writing a directory', () => f.sqfs_dir_writer_end(this.#directories));
    // The root's parent is a number that no inode has.
    const parent = placed.parent === undefined ? count + 1 : this.#of(placed.parent).number;
    const created = f.sqfs_dir_writer_create_inode(this.#directories, 0n, placed.node.attributes, parent);
    const inode = this.#library.object('writing a directory', created);
    try {
      const head = ffi.toBuffer(inode, INODE_SIZE, false);
      const { type, payloadAvailable, payloadUsed } = INODE_HEAD.read(head, 0)[0];
      INODE_HEAD.write({ ...this.#head(placed), type, payloadAvailable, payloadUsed }, head, 0);
      // The library counts every entry as a link; file systems count the directories (find(1) relies on it).
      const links = 2 + children.filter(([, child]) => child.children !== undefined).length;
      const fields = type === INODE_TYPES.directory ? INODE_DIRECTORY : INODE_DIRECTORY_EXTENDED;
      setLinks(fields, head, links);
      placed.reference = this.#reference();
      this.#do('writing an inode', () => f.sqfs_meta_writer_write_inode(this.#inodes, head));
    } finally {
      f.sqfs_free(inode);
    }
  }

  #head({ node, number }: Placed) {
    return {
      type: INODE_TYPES[node.kind] as number,
      mode: node.mode & 0o7777,
      uidIndex: this.#owner(node.uid),
      gidIndex: this.#owner(node.gid),
      mtime: node.mtime,
      number,
      payloadAvailable: 0,
      payloadUsed: 0,
    };
  }

  #owner(id: number): number {
    let index = this.#ownerIndex.get(id);
    if (index === undefined) {
      const { sqfs_id_table_id_to_index } = this.#library.f;
      const out = Buffer.alloc(2);
      this.#do('users and groups (an image holds 65536 different ones)', () =>
        sqfs_id_table_id_to_index(this.#owners, id, out),
      );
      index = out.readUInt16LE(0);
      this.#ownerIndex.set(id, index);
    }
    return index;
  }

  /** Of the inode that is written next. */
  #reference(): bigint {
    this.#library.f.sqfs_meta_writer_get_position(this.#inodes, this.#position, this.#offset);
    return (this.#position.readBigUInt64LE(0) << 16n) | BigInt(this.#offset.readUInt32LE(0));
  }

  #of(node: TreeNode): Placed {
    const placed = this.#placed.get(node);
    if (placed === undefined) throw new Error('an inode without a number');
    return placed;
  }

  #do(what: string, fn: () => number): void {
    this.#file.attempt(() => this.#library.check(what, fn()));
  }
}

/** In the order in which directories have them: by their bytes. */
function sorted(node: TreeNode): [string, TreeNode][] {
  return [...(node.children ?? [])].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

function setLinks(fields: typeof INODE_DIRECTORY | typeof INODE_DIRECTORY_EXTENDED, head: Buffer, links: number): void {
  const at = INODE_HEAD_SIZE;
  if (fields === INODE_DIRECTORY) INODE_DIRECTORY.write({ ...INODE_DIRECTORY.read(head, at)[0], links }, head, at);
  else INODE_DIRECTORY_EXTENDED.write({ ...INODE_DIRECTORY_EXTENDED.read(head, at)[0], links }, head, at);
}

/** An inode of anything but a directory, as the library takes it. */
function encodeInode(node: TreeNode, head: ReturnType<typeof INODE_HEAD.read>[0]): Buffer {
  const { links, attributes } = node;
  const extended = attributes !== NONE;
  const inode = (type: number, fields: Uint8Array, extra?: Uint8Array): Buffer => {
    const bytes = Buffer.alloc(INODE_SIZE + (extra?.length ?? 0));
    const payloadUsed = extra?.length ?? 0;
    INODE_HEAD.write({ ...head, type, payloadUsed, payloadAvailable: payloadUsed }, bytes, 0);
    bytes.set(fields, INODE_HEAD_SIZE);
    if (extra !== undefined) bytes.set(extra, INODE_SIZE);
    return bytes;
  };
  const type = INODE_TYPES[node.kind] + (extended ? EXTENDED : 0);
  switch (node.kind) {
    case 'file':
      return inode(...fileFields(node));
    case 'symlink': {
      const target = node.target ?? Buffer.alloc(0);
      return inode(type, encode(INODE_SYMLINK, { links, targetSize: target.length, attributes }), target);
    }
    case 'block':
    case 'character': {
      const device = encodeDevice(node.device?.major ?? 0, node.device?.minor ?? 0);
      return inode(type, encode(INODE_DEVICE, { links, device, attributes }));
    }
    default:
      return inode(type, encode(INODE_PIPE, { links, attributes }));
  }
}

function fileFields({ data, links, attributes }: TreeNode): [type: number, fields: Uint8Array, blocks: Uint8Array] {
  const { size, start, blocks, sparse, fragment, fragmentOffset } = data as FileData; // a file's node always has it
  const list = new Uint8Array(blocks.buffer, blocks.byteOffset, blocks.byteLength);
  const place = { start, size, fragment, fragmentOffset: fragment === NONE ? 0 : fragmentOffset };
  if (links === 1 && attributes === NONE && sparse === 0 && size <= MAX_32 && start <= MAX_32) {
    return [INODE_TYPES.file, encode(INODE_FILE, place), list];
  }
  // Linux takes the holes off the size for st_blocks and wants one byte left (mksquashfs does the same).
  const holes = sparse === size && sparse > 0 ? sparse - 1 : sparse;
  const fields = encode(INODE_FILE_EXTENDED, { ...place, sparse: holes, links, attributes });
  return [INODE_TYPES.file + EXTENDED, fields, list];
}
