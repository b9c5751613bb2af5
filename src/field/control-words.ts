import { encodeChunkIndex } from '../image/chunk-index.ts';
import type { FieldNode } from './node.ts';
import { formatLimits, parseLimits } from './shares/limits.ts';
import { fieldStatus } from './status.ts';
import { fieldStrip } from './strip.ts';
import { formatAddress, parseAddress } from './wire/address.ts';
import { DEFAULT_PORT } from './wire/protocol.ts';

/** In the line by which a daemon says that it answers only when it has read all of its image. */
export const INDEX_IS_MADE = 'the index is made';

/** How far a node is that fetches all of the image; 0 chunks while the index is not known. */
export interface PreheatProgress {
  readonly held: number;
  readonly chunks: number;
  /** Of the image, in bytes. */
  readonly size: number;
  /** Nodes that hold the rarest chunk, this one counted: with none, somebody has to bring it. */
  readonly leastCopies: number;
}

type Answer = (node: FieldNode, image: { id: string; name: string }, words: readonly string[]) => unknown;

/** What may be asked of, and said to, a running daemon. Without words `limit` and `refuse` only ask. */
const ANSWERS: Readonly<Record<string, Answer>> = {
  status: (node, image) => fieldStatus(node, image),
  strip: (node) => fieldStrip(node),
  /** The chunk index as the file that it is, in base64. */
  index: ({ index }) => ({
    index: index === undefined ? null : Buffer.from(encodeChunkIndex(index)).toString('base64'),
  }),
  limit(node, _, [limits]) {
    if (limits !== undefined) node.limit(parseLimits(limits));
    return { limit: formatLimits(node.machine.limits) };
  },
  refuse(node, _, prefixes) {
    if (prefixes.length > 0) node.refuse(prefixes);
    return { refused: node.refusals.prefixes };
  },
  admit(node, _, prefixes) {
    node.admit(prefixes);
    return { refused: node.refusals.prefixes };
  },
  join(node, _, [peer = '']) {
    const { host, port } = parseAddress(peer, DEFAULT_PORT);
    node.join(formatAddress(host, port));
    return {};
  },
  preheat(node): PreheatProgress {
    node.preheat();
    const { data } = node.machine;
    const size = data?.lengths.size ?? 0;
    const chunks = data?.lengths.count ?? 0;
    const held = data?.held.count ?? 0;
    return { held, chunks, size, leastCopies: data?.keeper.redundancy().min ?? 0 };
  },
};

/** Answers a line of the control socket; what cannot be done is `{ error }`. */
export function answerControl(node: FieldNode, image: { id: string; name: string }, line: string): unknown {
  const [name = '', ...words] = line.split(' ').filter((word) => word !== '');
  const answer = Object.hasOwn(ANSWERS, name) ? ANSWERS[name] : undefined;
  if (answer === undefined) return { error: `no question '${name}'` };
  try {
    return answer(node, image, words);
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}
