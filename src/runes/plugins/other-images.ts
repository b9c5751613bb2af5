import { readdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DEFAULT_PORT } from '../../field/wire/protocol.ts';
import { readIndexFile } from '../../image/index-file.ts';
import { describeError } from '../../linux/describe-error.ts';
import { attachLoop } from '../../linux/loop.ts';
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
      const { id } = await readIndexFile(join(directory, `${name}.caibx`));
      found.push({ name, id, peer: `${address}:${port}`, path: join(directory, file), port });
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
    return {
      images: {
        list: async () => others.map(({ name, id, peer }) => ({ name, id, peer })),
        directory: async (name) => {
          const image = others.find((other) => other.name === name);
          if (image === undefined) return undefined;
          const target = opened.get(name) ?? open(context, image);
          opened.set(name, target);
          target.catch(() => opened.delete(name));
          return await target;
        },
      },
    };
  },
});
