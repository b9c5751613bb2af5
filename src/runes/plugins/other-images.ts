import { readdirSync, realpathSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { DEFAULT_PORT } from '../../field/wire/protocol.ts';
import { openImage } from '../../image/image-file.ts';
import { IMAGE_SUFFIX, imagePaths } from '../../image/image-reference.ts';
import { readIndexFile } from '../../image/index-file.ts';
import { attachLoop } from '../../linux/block/loop.ts';
import { describeError } from '../../linux/describe-error.ts';
import { umount } from '../../linux/mount.ts';
import { mountImage } from '../../root/union.ts';
import type { OfferedImage } from '../engine/interfaces.ts';
import { type Context, definePlugin } from '../engine/plugin.ts';
import { supervise } from '../engine/supervised.ts';
import { fieldKeyWords, keptProgram } from '../kept-program.ts';
import { PRIVATE_DIRECTORY, RUN_DIRECTORY } from '../places.ts';

/** A boot menu has so many lines; their daemons listen on the ports after the field's own, up to the web server's. */
const MOST_IMAGES = 8;

interface OtherImage extends OfferedImage {
  readonly path: string;
  readonly port: number;
}

/** The images with an index that lie beside the running one on its medium. */
async function findOthers(running: string, address: string, log: (line: string) => void): Promise<OtherImage[]> {
  const directory = dirname(running);
  const names = readdirSync(directory).filter((name) => /^[A-Za-z0-9][\w.+-]{0,120}\.sqfs$/.test(name));
  const found: OtherImage[] = [];
  for (const file of names.sort()) {
    if (file === basename(running) || found.length === MOST_IMAGES) continue;
    const name = file.replace(/\.sqfs$/, '');
    const port = DEFAULT_PORT + 1 + found.length;
    try {
      const { id, size } = await readIndexFile(join(directory, `${name}.caibx`));
      const peer = `${address}:${port}`;
      found.push({ name, id, peer, sizeBytes: size, isKept: true, path: join(directory, file), port });
    } catch (error) {
      log(`${file} is not offered: ${describeError(error)}`);
    }
  }
  return found;
}

/** Mounts the image for its kernel and initrd, and gives it to others. @returns where it is mounted */
async function open(context: Context<'address'>, { name, path, peer }: OtherImage): Promise<string> {
  const target = join(PRIVATE_DIRECTORY, 'images', name);
  await mkdir(target, { recursive: true, mode: 0o700 });
  const loop = attachLoop({ file: path, readOnly: true, autoclear: true });
  try {
    mountImage(loop.path, target);
  } finally {
    loop[Symbol.dispose](); // it goes with the mount
  }
  context.defer(() => umount(target));
  const { command, args } = keptProgram('/init');
  const words = ['field', 'up', '--image', path, '--name', name, '--listen', peer];
  await supervise(context, {
    name: `viver field up (${name})`,
    command,
    args: [...args, ...words, '--control', join(RUN_DIRECTORY, `field-${name}.sock`), ...fieldKeyWords()],
    graceMs: 15_000,
    onLine: (line) => context.log(line.replace(/^viver field: /, `${name}: `)),
  });
  return target;
}

export default definePlugin({
  name: 'other-images',
  summary: 'the other images on the medium, for the boot menu: each is given to others once somebody chooses it',
  provides: ['images'],
  requires: ['address'],
  async start(context) {
    const { address } = await context.ask('address').network();
    const running = context.machine.image?.path;
    const isFile = running?.endsWith('.sqfs') === true;
    const others = isFile ? await findOthers(running, address, context.log) : [];
    const opened = new Map<string, Promise<string>>();
    const offered = (): readonly OfferedImage[] =>
      others.map(({ name, id, peer, sizeBytes, isKept }) => ({ name, id, peer, sizeBytes, isKept }));
    const openOnce = (image: OtherImage): Promise<string> => {
      const target = opened.get(image.name) ?? open(context, image);
      opened.set(image.name, target);
      target.catch(() => opened.delete(image.name));
      return target;
    };
    const addOne = async (asked: string): Promise<OfferedImage> => {
      if (!isAbsolute(asked) || !asked.endsWith(IMAGE_SUFFIX)) throw new Error(`${asked} is no path of an image`);
      const path = realpathSync(asked);
      const { name, index } = imagePaths(path);
      if (!/^[A-Za-z0-9][\w.+-]{0,120}$/.test(name)) throw new Error(`'${name}' is no name for a boot menu`);
      await using file = await openImage(path);
      const { id, size } = await readIndexFile(index);
      if (size !== file.size) throw new Error(`${index} is of an image of ${size} bytes, ${path} has ${file.size}`);
      const known = others.find((other) => other.id === id);
      if (known === undefined) {
        if (others.some((other) => other.name === name))
          throw new Error(`another image ${name} is offered already: this one wants another name`);
        if (others.length >= MOST_IMAGES) throw new Error(`${MOST_IMAGES} images are offered already`);
      }
      const port = DEFAULT_PORT + 1 + others.length;
      const image: OtherImage = known ?? {
        ...{ name, id, path, port },
        ...{ peer: `${address}:${port}`, sizeBytes: size, isKept: false },
      };
      // Others find it only once it can be given.
      await openOnce(image);
      if (known === undefined) others.push(image);
      return image;
    };
    // One after the other: each takes the next port.
    let adding: Promise<unknown> = Promise.resolve();
    const add = (asked: string): Promise<OfferedImage> => {
      const added = adding.then(() => addOne(asked));
      adding = added.catch(() => undefined); // told to who asked
      return added;
    };
    return {
      images: {
        list: async () => offered(),
        add,
        directory: async (name) => {
          const image = others.find((other) => other.name === name);
          if (image === undefined) return undefined;
          return await openOnce(image);
        },
      },
    };
  },
});
