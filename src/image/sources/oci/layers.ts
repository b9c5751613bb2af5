import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { addAbortSignal, Transform } from 'node:stream';
import type { TreeEntry } from '../../../squashfs/entry.ts';
import { readTar } from '../tar/read-tar.ts';
import { unpacked } from '../tar/unpack.ts';
import type { OciBlob, OciImage } from './layout.ts';

/** In a layer's directory: that name of the layers below is gone (OCI Image Format Specification, layer.md). */
const WHITEOUT = '.wh.';
/** All that layers below have in this directory is gone. */
const OPAQUE = '.wh..wh..opq';
/** AUFS's own, of no meaning here. */
const AUFS = '.wh..wh.';

/**
 * The entries of all layers, as the system sees them that runs the image: the layers are read from the highest to the
 * lowest, and what a higher one has or hides is passed over in the lower ones. Each layer's digest is checked; what is
 * wrong is known at its end, before the image is done.
 */
export async function* readLayers(image: OciImage, signal: AbortSignal): AsyncGenerator<TreeEntry, void, void> {
  const above = new Above();
  // Other names of files that lie in a lower layer: given when that was read.
  const late: TreeEntry[] = [];
  const given = new Set<string>();
  for (const layer of image.layers.toReversed()) {
    const mine = new Above();
    for await (const entry of readLayer(layer, `${image.name}, layer ${layer.digest.slice(0, 12)}`, signal)) {
      const path = entry.path.toString('latin1');
      if (mine.takeMark(path)) continue;
      if (path !== '' && above.hides(path, entry.kind === 'directory')) continue;
      if (path === '' && above.hasRoot) continue;
      mine.add(path, entry.kind === 'directory');
      const target = entry.kind === 'hardlink' ? (entry.target ?? Buffer.alloc(0)).toString('latin1') : undefined;
      if (target !== undefined && !given.has(target)) late.push(entry);
      else {
        given.add(path);
        yield entry;
      }
    }
    above.join(mine);
  }
  yield* late;
}

async function* readLayer(blob: OciBlob, name: string, signal: AbortSignal): AsyncGenerator<TreeEntry, void, void> {
  const hash = createHash('sha256');
  const checked = new Transform({
    transform(piece: Buffer, _encoding, done) {
      hash.update(piece);
      done(null, piece);
    },
    flush(done) {
      const digest = hash.digest('hex');
      done(digest === blob.digest ? null : new Error(`${name} has the digest ${digest}: it is damaged`));
    },
  });
  const input = createReadStream(blob.path, { highWaterMark: 256 * 1024 });
  addAbortSignal(signal, input);
  input.on('error', (error) => checked.destroy(error));
  yield* readTar(unpacked(input.pipe(checked), name), name);
}

/** What layers have that were read already, and what they hide of those below. */
class Above {
  /** Paths, and whether each is a directory: a directory is joined with one below it, anything else replaces. */
  readonly #paths = new Map<string, boolean>();
  /** Hidden, with all below. */
  readonly #gone = new Set<string>();
  /** Directories of which nothing below comes through. */
  readonly #opaque = new Set<string>();

  get hasRoot(): boolean {
    return this.#paths.has('');
  }

  add(path: string, isDirectory: boolean): void {
    this.#paths.set(path, isDirectory);
  }

  /** Whether the name is a whiteout, which speaks of the layers below its own. */
  takeMark(path: string): boolean {
    const slash = path.lastIndexOf('/');
    const [directory, name] = [path.slice(0, Math.max(0, slash)), path.slice(slash + 1)];
    if (!name.startsWith(WHITEOUT)) return path.split('/').some((part) => part.startsWith(AUFS));
    if (name === OPAQUE) this.#opaque.add(directory);
    else if (!name.startsWith(AUFS)) this.#gone.add(slash < 0 ? name.slice(4) : `${directory}/${name.slice(4)}`);
    return true;
  }

  hides(path: string, isDirectory: boolean): boolean {
    if (this.#gone.has(path)) return true;
    const known = this.#paths.get(path);
    if (known !== undefined) return true;
    if (!isDirectory && this.#opaque.has(path)) return true;
    if (this.#opaque.has('')) return true;
    for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
      const parent = path.slice(0, slash);
      if (this.#gone.has(parent) || this.#opaque.has(parent) || this.#paths.get(parent) === false) return true;
    }
    return false;
  }

  join(other: Above): void {
    for (const [path, isDirectory] of other.#paths) this.#paths.set(path, isDirectory);
    for (const path of other.#gone) this.#gone.add(path);
    for (const path of other.#opaque) this.#opaque.add(path);
  }
}
