import { writeSquashfs } from '../../../src/squashfs/write-squashfs.ts';
import { noise } from '../image/images.ts';
import { file } from './trees.ts';

/** Run by write-squashfs.test.ts: PATH, on a small file system. Prints why the image could not be written. */
await writeSquashfs([file('large', noise(3_000_000)), file('small', 'x')], process.argv[2] ?? '', { level: 1 }).then(
  () => console.log('written'),
  (error: Error) => console.log(`${error.message}: ${(error.cause as Error).message}`),
);
