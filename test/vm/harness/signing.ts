import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { made } from './disks.ts';
import type { Image } from './images.ts';

const run = promisify(execFile);

export interface Signed {
  readonly publicKey: Buffer;
  readonly signature: string;
}

/** A key pair of the tests' own, and the image's index signed by it. */
export async function signed(image: Image): Promise<Signed> {
  const secret = await made('trust.key', { description: 'minisign', files: [] }, async (target, work) => {
    await run('minisign', ['-G', '-W', '-p', join(work, 'pub'), '-s', target]);
  });
  const publicKey = await made('trust.pub', { description: 'minisign', files: [secret] }, async (target) => {
    await run('minisign', ['-R', '-W', '-s', secret, '-p', target]);
  });
  const signature = await made('trust.minisig', { description: 'minisign', files: [secret, image.caibx] }, (target) =>
    run('minisign', ['-S', '-W', '-s', secret, '-m', image.caibx, '-x', target]).then(() => {}),
  );
  return { publicKey: await readFile(publicKey), signature };
}
