import { type Codec, CodecError, mapped, struct, u8, u32be } from '../../codec/struct.ts';
import { type Address, addressCodec } from './address.ts';
import { type BootOrder, bootOrderCodec } from './boot-order.ts';
import type { ChunkRange } from './chunk-set.ts';
import { type Holdings, holdingsCodec } from './holdings.ts';
import { type Papers, papersCodec } from './papers.ts';
import { CONTROL_FRAME_LIMIT, FRAME, type FrameName } from './protocol.ts';
import { countIn, NAMED_LIMIT, namedCodec, rangesCodec } from './ranges.ts';
import type { NodeId } from './record.ts';
import { several, u48, varint } from './varint.ts';

/** Who is getting a chunk, or has it. */
export interface Pointer {
  readonly chunk: number;
  readonly node: NodeId;
  readonly address: Address;
}

/** Says nothing but its name. */
type Bare = Record<never, never>;

export interface Peer {
  readonly node: NodeId;
  readonly address: Address;
}

/** The bodies of the frames. Those up to `get papers` go from the one that fetches to the one that gives. */
export interface FrameBodies {
  /** From now on tell me what you hold. */
  subscribe: Bare;
  get: {
    /** Not all of `ranges`, but `count` more of them, whichever serve the field best; older choices use them too. */
    readonly choose: boolean;
    /** A read waits for it. */
    readonly urgent: boolean;
    /** Do not point me elsewhere: I have been there. */
    readonly insist: boolean;
    readonly count: number;
    readonly ranges: readonly ChunkRange[];
  };
  /** I have these by now, or no longer want them. */
  cancel: { readonly ranges: readonly ChunkRange[] };
  /** So many more chunks have arrived whole. What the giver's window is counted by. */
  got: { readonly count: number };
  /** The piece of that number, or the last one if there are fewer. */
  'get index': { readonly piece: number };
  /** What do you have that somebody signed? */
  'get papers': Bare;
  /** All that is held of one window of the image, instead of what was said of it before. */
  holdings: { readonly window: Holdings };
  /** What has come, and what has gone, since. */
  have: { readonly added: readonly ChunkRange[]; readonly removed: readonly ChunkRange[] };
  /** These you asked for go to others now; ask there. The requests are done with. */
  pointers: { readonly pointers: readonly Pointer[] };
  /** I do not hold these, and of those that I was to choose I have nothing for so many. The requests are done with. */
  lack: { readonly choices: number; readonly ranges: readonly ChunkRange[] };
  /** No room for you here; some others that may have. */
  refuse: { readonly others: readonly Peer[] };
  /** These are getting the index, and will pass it on. */
  'index at': { readonly others: readonly Peer[] };
  papers: Papers;
  /** What boots read, and in which order. Only to those who wished for it: `PROFILE_WISH`. */
  profile: BootOrder;
}

/** Frames that are complete in memory; the bytes of a chunk or an index follow their headers as a stream. */
export type ControlFrame = { [N in keyof FrameBodies]: { readonly kind: N } & FrameBodies[N] }[keyof FrameBodies];
type ControlName = keyof FrameBodies;

const flags: Codec<{ choose: boolean; urgent: boolean; insist: boolean }> = mapped(
  u8,
  (raw) => {
    if (raw > 7) throw new CodecError(`unknown flags ${raw}`);
    return { choose: (raw & 1) !== 0, urgent: (raw & 2) !== 0, insist: (raw & 4) !== 0 };
  },
  ({ choose, urgent, insist }) => (choose ? 1 : 0) + (urgent ? 2 : 0) + (insist ? 4 : 0),
);

/**
 * What is your boot profile? Asked for as no chunks at all: nodes that know nothing of profiles end a connection at a
 * frame of a type they do not know, and pass this one over.
 */
export const PROFILE_WISH: ControlFrame = {
  kind: 'get',
  choose: false,
  urgent: false,
  insist: false,
  count: 1,
  ranges: [],
};

export function isProfileWish({ choose, urgent, insist, count, ranges }: FrameBodies['get']): boolean {
  return !choose && !urgent && !insist && count === 1 && ranges.length === 0;
}

const bare: Codec<Bare> = { sizeOf: () => 0, write: (_value, _target, offset) => offset, read: (_s, at) => [{}, at] };

/** Bytes of each piece of an index but the last: whole blocks of SHA-256. */
export const PIECE_BYTES = 256 << 10;
/** Pieces of an index, at most: 256 MiB of it. */
const PIECES_LIMIT = 1024;
/** What asks for the last piece, whatever its number is. */
export const LAST_PIECE = 2 ** 32 - 1;

/** Chunks that a source may be left to choose at a time. */
const CHOICES_LIMIT = 1 << 16;

const get: Codec<FrameBodies['get']> = mapped(
  struct('get', [
    ['flags', flags],
    ['count', varint],
    ['ranges', rangesCodec],
  ]),
  ({ flags, count, ranges }) => {
    if (count > CHOICES_LIMIT) throw new CodecError(`${count} chunks asked for at once`);
    if (!flags.choose && countIn(ranges) > NAMED_LIMIT)
      throw new CodecError(`${countIn(ranges)} chunks asked for at once`);
    return { ...flags, count, ranges };
  },
  ({ choose, urgent, insist, count, ranges }) => ({ flags: { choose, urgent, insist }, count, ranges }),
);

const peer: Codec<Peer> = struct('peer', [
  ['node', u48],
  ['address', addressCodec],
]);

const BODIES: { readonly [N in ControlName]: Codec<FrameBodies[N]> } = {
  subscribe: bare,
  get,
  cancel: struct('cancel', [['ranges', namedCodec]]),
  got: struct('got', [['count', varint]]),
  'get index': struct('get index', [['piece', u32be]]),
  'get papers': bare,
  holdings: struct('holdings', [['window', holdingsCodec]]),
  have: struct('have', [
    ['added', rangesCodec],
    ['removed', rangesCodec],
  ]),
  pointers: struct('pointers', [
    [
      'pointers',
      several(
        struct('pointer', [
          ['chunk', varint],
          ['node', u48],
          ['address', addressCodec],
        ]),
        64,
      ),
    ],
  ]),
  lack: struct('lack', [
    ['choices', varint],
    ['ranges', namedCodec],
  ]),
  refuse: struct('refuse', [['others', several(peer, 64)]]),
  'index at': struct('index at', [['others', several(peer, 64)]]),
  papers: papersCodec,
  profile: bootOrderCodec,
};
const NAME_BY_TYPE = new Map<number, FrameName>(Object.entries(FRAME).map(([name, type]) => [type, name as FrameName]));

/** Length of body (4), type (1). */
export const FRAME_HEADER_SIZE = 5;
/** Behind the frame header of `data`: chunk (4), flags (1). */
export const DATA_HEADER_SIZE = 5;
/** Behind the frame header of `index`: piece (4), pieces (4), SHA-256's state before the piece (32). */
export const INDEX_HEADER_SIZE = 40;

export function controlFrameSize(frame: ControlFrame): number {
  return FRAME_HEADER_SIZE + (BODIES[frame.kind] as Codec<unknown>).sizeOf(frame);
}

export function encodeControlFrame(frame: ControlFrame): Uint8Array<ArrayBuffer> {
  const target = new Uint8Array(controlFrameSize(frame));
  u32be.write(target.length - FRAME_HEADER_SIZE, target, 0);
  u8.write(FRAME[frame.kind], target, 4);
  (BODIES[frame.kind] as Codec<unknown>).write(frame, target, FRAME_HEADER_SIZE);
  return target;
}

/** What goes before the bytes of a chunk. `chosen`: it answers a `get` that left the choice to the giver. */
export function encodeDataHeader(chunk: number, chosen: boolean, length: number): Uint8Array<ArrayBuffer> {
  const target = new Uint8Array(FRAME_HEADER_SIZE + DATA_HEADER_SIZE);
  u32be.write(DATA_HEADER_SIZE + length, target, 0);
  u8.write(FRAME.data, target, 4);
  u32be.write(chunk, target, 5);
  u8.write(chosen ? 1 : 0, target, 9);
  return target;
}

/** What goes before the bytes of a piece of the index. */
export function encodeIndexHeader({ piece, pieces, state }: IndexPieceHead, length: number): Uint8Array<ArrayBuffer> {
  const target = new Uint8Array(FRAME_HEADER_SIZE + INDEX_HEADER_SIZE);
  u32be.write(INDEX_HEADER_SIZE + length, target, 0);
  u8.write(FRAME.index, target, 4);
  u32be.write(piece, target, 5);
  u32be.write(pieces, target, 9);
  target.set(state, 13);
  return target;
}

export interface IndexPieceHead {
  readonly piece: number;
  readonly pieces: number;
  readonly state: Uint8Array;
}

/** What comes out of a connection's bytes; a body of `data` or `index` comes in as many pieces as it arrives in. */
export interface FrameSink {
  control(frame: ControlFrame): void;
  /** A chunk begins. Throws what makes the connection worthless: a chunk not asked for, a length that is not its. */
  dataStart(chunk: number, chosen: boolean, length: number): void;
  /** Throws when no index was asked for. */
  indexStart(head: IndexPieceHead, length: number): void;
  /** The next bytes of the body that has begun. The view is good only during the call. */
  body(piece: Uint8Array): void;
  bodyEnd(): void;
}

/**
 * Takes a connection apart into frames, however the bytes were cut into packets. Only control frames are gathered, and
 * not before their length has been found to be in bounds.
 */
export class FrameDecoder {
  readonly #sink: FrameSink;
  readonly #head = new Uint8Array(FRAME_HEADER_SIZE + INDEX_HEADER_SIZE);
  #headFilled = 0;
  #headWanted = FRAME_HEADER_SIZE;
  #control: Uint8Array | undefined;
  #controlFilled = 0;
  #bodyLeft = -1;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Bytes of a chunk or index that are still to come; 0 between frames. */
  get bodyLeft(): number {
    return Math.max(0, this.#bodyLeft);
  }

  /** @throws CodecError, or what the sink throws: the connection is to be closed */
  push(bytes: Uint8Array): void {
    let offset = 0;
    while (offset < bytes.length) {
      if (this.#bodyLeft > 0) offset = this.#takeBody(bytes, offset);
      else if (this.#control !== undefined) offset = this.#takeControl(this.#control, bytes, offset);
      else offset = this.#takeHead(bytes, offset);
    }
  }

  #takeHead(bytes: Uint8Array, offset: number): number {
    const length = Math.min(this.#headWanted - this.#headFilled, bytes.length - offset);
    this.#head.set(bytes.subarray(offset, offset + length), this.#headFilled);
    this.#headFilled += length;
    if (this.#headFilled === this.#headWanted) this.#headComplete();
    return offset + length;
  }

  #headComplete(): void {
    const [length] = u32be.read(this.#head, 0);
    const type = this.#head[4] as number;
    if (type === FRAME.data) {
      if (this.#headWanted === FRAME_HEADER_SIZE) {
        if (length <= DATA_HEADER_SIZE) throw new CodecError(`data frame of ${length} bytes`);
        this.#headWanted += DATA_HEADER_SIZE;
        return;
      }
      const [chunk] = u32be.read(this.#head, FRAME_HEADER_SIZE);
      const chosen = this.#head[FRAME_HEADER_SIZE + 4] as number;
      if (chosen > 1) throw new CodecError(`unknown flags ${chosen} of a data frame`);
      this.#bodyLeft = length - DATA_HEADER_SIZE;
      this.#sink.dataStart(chunk, chosen === 1, this.#bodyLeft);
    } else if (type === FRAME.index) {
      if (this.#headWanted === FRAME_HEADER_SIZE) {
        if (length <= INDEX_HEADER_SIZE) throw new CodecError(`index frame of ${length} bytes`);
        this.#headWanted += INDEX_HEADER_SIZE;
        return;
      }
      this.#bodyLeft = length - INDEX_HEADER_SIZE;
      this.#sink.indexStart(this.#indexHead(this.#bodyLeft), this.#bodyLeft);
    } else {
      const name = NAME_BY_TYPE.get(type);
      if (name === undefined) throw new CodecError(`unknown frame ${type}`);
      if (length > CONTROL_FRAME_LIMIT) throw new CodecError(`'${name}' frame of ${length} bytes`);
      this.#control = new Uint8Array(length);
      this.#controlFilled = 0;
      if (length === 0) this.#controlComplete(this.#control);
    }
    this.#headFilled = 0;
    this.#headWanted = FRAME_HEADER_SIZE;
  }

  #indexHead(length: number): IndexPieceHead {
    const [piece] = u32be.read(this.#head, FRAME_HEADER_SIZE);
    const [pieces] = u32be.read(this.#head, FRAME_HEADER_SIZE + 4);
    if (pieces > PIECES_LIMIT || piece >= pieces) throw new CodecError(`piece ${piece} of ${pieces} of an index`);
    if (length > PIECE_BYTES) throw new CodecError(`${length} bytes of an index at once`);
    return { piece, pieces, state: this.#head.slice(FRAME_HEADER_SIZE + 8, FRAME_HEADER_SIZE + INDEX_HEADER_SIZE) };
  }

  #takeControl(control: Uint8Array, bytes: Uint8Array, offset: number): number {
    const length = Math.min(control.length - this.#controlFilled, bytes.length - offset);
    control.set(bytes.subarray(offset, offset + length), this.#controlFilled);
    this.#controlFilled += length;
    if (this.#controlFilled === control.length) this.#controlComplete(control);
    return offset + length;
  }

  #controlComplete(control: Uint8Array): void {
    this.#control = undefined;
    const name = NAME_BY_TYPE.get(this.#head[4] as number) as ControlName;
    const [body, end] = (BODIES[name] as Codec<object>).read(control, 0);
    if (end !== control.length) throw new CodecError(`'${name}' frame has ${control.length - end} bytes too many`);
    this.#sink.control({ kind: name, ...body } as ControlFrame);
  }

  #takeBody(bytes: Uint8Array, offset: number): number {
    const length = Math.min(this.#bodyLeft, bytes.length - offset);
    this.#bodyLeft -= length;
    this.#sink.body(bytes.subarray(offset, offset + length));
    if (this.#bodyLeft === 0) {
      this.#bodyLeft = -1;
      this.#sink.bodyEnd();
    }
    return offset + length;
  }
}
