import { printable as printableText } from '../codec/printable.ts';
import type { FileData } from './data-writer.ts';
import type { EntryKind, TreeEntry } from './entry.ts';

/** One inode of the image to be. */
export interface TreeNode {
  readonly kind: Exclude<EntryKind, 'hardlink'>;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Within squashfs' range. */
  readonly mtime: number;
  /** Names it has. */
  links: number;
  readonly data?: FileData;
  readonly target?: Buffer;
  readonly device?: { readonly major: number; readonly minor: number };
  /** Its number in the table of attributes. */
  readonly attributes: number;
  /** Of a directory, by name: one character for each byte. */
  readonly children?: Map<string, TreeNode>;
}

/** Linux' NAME_MAX, PATH_MAX less its NUL. */
const NAME_MAX = 255;
const TARGET_MAX = 4095;

/**
 * The tree that entries make up, whatever their order: a directory may come after what lies in it or not at all, a later
 * entry takes the place of an earlier one of the same path.
 */
export class EntryTree {
  #root: TreeNode;

  /** @param missing what directories get that have no entry */
  constructor(missing: { readonly mtime: number; readonly attributes: number }) {
    this.#missing = { kind: 'directory', mode: 0o755, uid: 0, gid: 0, links: 1, ...missing };
    this.#root = { ...this.#missing, children: new Map() };
  }

  readonly #missing: Omit<TreeNode, 'children'>;

  get root(): TreeNode {
    return this.#root;
  }

  /**
   * Puts a node at the entry's path. A directory keeps what already lies in it.
   * @throws Error naming the path: not one an image can hold, or in the way of another
   */
  add(entry: TreeEntry, node: TreeNode): void {
    if (entry.path.length === 0) {
      if (node.children === undefined) throw new Error(`the root is a ${node.kind}, not a directory`);
      this.#root = { ...node, children: this.#childrenOf(this.#root) };
      return;
    }
    const { parent, name } = this.#parentOf(entry.path);
    const former = parent.get(name);
    const children = former?.children;
    if (children === undefined || node.children === undefined) {
      if (children !== undefined && children.size > 0) {
        throw new Error(`${printable(entry.path)} is a directory that holds something, and then a ${node.kind}`);
      }
      if (former !== undefined) former.links--;
      parent.set(name, node);
    } else parent.set(name, { ...node, children });
  }

  /** Gives an earlier entry a second name. */
  link(entry: TreeEntry): void {
    const target = entry.target ?? Buffer.alloc(0);
    const node = this.find(target);
    const what = `${printable(entry.path)} is a hard link to ${printable(target)}`;
    if (node === undefined) throw new Error(`${what}, which is not there`);
    if (node.children !== undefined) throw new Error(`${what}, which is a directory`);
    const { parent, name } = this.#parentOf(entry.path);
    const former = parent.get(name);
    if (former === node) return;
    if (former?.children !== undefined) throw new Error(`${what}, but a directory as well`);
    if (former !== undefined) former.links--;
    node.links++;
    parent.set(name, node);
  }

  find(path: Buffer): TreeNode | undefined {
    let node: TreeNode | undefined = this.#root;
    for (const name of partsOf(path)) node = node?.children?.get(name);
    return node;
  }

  #parentOf(path: Buffer): { parent: Map<string, TreeNode>; name: string } {
    const parts = partsOf(path);
    const name = parts.pop() ?? '';
    let at = this.#childrenOf(this.#root);
    for (const part of parts) {
      let next = at.get(part);
      if (next === undefined) {
        next = { ...this.#missing, children: new Map() };
        at.set(part, next);
      }
      if (next.children === undefined) {
        throw new Error(`${printable(path)} lies below a ${next.kind}, not a directory`);
      }
      at = next.children;
    }
    return { parent: at, name };
  }

  #childrenOf(node: TreeNode): Map<string, TreeNode> {
    if (node.children === undefined) throw new Error('the root is no directory');
    return node.children;
  }
}

/** The path's names, each of them one that a file system can have. */
function partsOf(path: Buffer): string[] {
  if (path.length === 0) return [];
  const parts = path.toString('latin1').split('/');
  for (const part of parts) {
    if (part === '' || part === '.' || part === '..' || part.includes('\0')) {
      throw new Error(`${printable(path)} is no path that an image can hold`);
    }
    if (part.length > NAME_MAX) throw new Error(`${printable(path)}: a name of ${part.length} bytes is too long`);
  }
  return parts;
}

/** @throws Error when Linux could not read the link */
export function checkTarget(entry: TreeEntry): Buffer {
  const { target } = entry;
  if (target === undefined || target.length === 0 || target.includes(0)) {
    throw new Error(`${printable(entry.path)} is a symbolic link to nothing`);
  }
  if (target.length > TARGET_MAX) {
    throw new Error(`${printable(entry.path)} is a symbolic link of ${target.length} bytes, Linux takes ${TARGET_MAX}`);
  }
  return target;
}

/** For messages: a path on one line, whatever bytes it has. */
export function printable(path: Uint8Array): string {
  return `/${printableText(Buffer.from(path).toString('utf8'))}`;
}
