/** The directory of `viver field up --carried`: what a node has in memory goes from a machine's system to its next one. */
import { readdir, rm, statfs } from 'node:fs/promises';
import { freemem } from 'node:os';
import type { FieldNode } from '../../field/node.ts';
import { CarriedChunks } from '../../image/carried-chunks.ts';
import { describeError } from '../../linux/describe-error.ts';
import { say } from './say.ts';

/** Of memory that is left: the next system's start needs some before it takes out what is carried over. */
const LEFT_BYTES = 64 << 20;

/** What the node before left there. */
export async function openCarried(directory: string): Promise<CarriedChunks | undefined> {
  try {
    return await CarriedChunks.open(directory, say);
  } catch (error) {
    say(`what the system before had of its image is lost: ${describeError(error)}`);
    return undefined;
  }
}

/** At this node's end: where whoever ends the machine has made the directory anew, since another system follows. */
export async function carryOver(node: FieldNode, directory: string): Promise<void> {
  const before = await readdir(directory).catch(() => undefined);
  // What was carried over to this node and not taken yet is for its next life.
  if (before === undefined || before.length > 0) return;
  try {
    const { blocks, bavail, bsize } = await statfs(directory);
    const room = blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize; // ramfs has no limit of its own
    const bytes = await node.carryOver(directory, Math.min(room, freemem()) - LEFT_BYTES);
    say(`${(bytes / 1e6).toFixed(1)} MB of the image are left to the next system`);
  } catch (error) {
    say(`nothing of the image is left to the next system: ${describeError(error)}`);
    await rm(directory, { recursive: true, force: true });
  }
}
