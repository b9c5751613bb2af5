import type { Limits } from './shares/limits.ts';
import type { Address } from './wire/address.ts';
import type { BootOrder } from './wire/boot-order.ts';
import type { ChunkRange } from './wire/chunk-set.ts';
import type { Datagram } from './wire/datagram.ts';
import type { ControlFrame } from './wire/frame.ts';
import type { Papers } from './wire/papers.ts';
import type { NodeId } from './wire/record.ts';

/** A TCP connection: a number that the edge, for its own dials the machine, gives it, never used twice. */
export type ConnectionId = number;

/** What happens to the machine. Everything in it has been decoded, and its MAC or handshake checked, by the edge. */
export type FieldEvent =
  | { readonly kind: 'start' }
  /** The time that `nextWake` named has come. */
  | { readonly kind: 'wake' }
  | {
      readonly kind: 'datagram';
      readonly from: Address;
      readonly datagram: Datagram;
      readonly size: number;
      readonly isMulticast: boolean;
    }
  /** Our dial was answered and both sides know each other: we fetch. */
  | { readonly kind: 'connected'; readonly conn: ConnectionId; readonly node: NodeId; readonly address: Address }
  /** Somebody dialled us: we give. `address` is where that node itself listens. */
  | { readonly kind: 'accepted'; readonly conn: ConnectionId; readonly node: NodeId; readonly address: Address }
  /** A connection is gone, or a dial has failed. `hostile`: because of what came over it. */
  | { readonly kind: 'closed'; readonly conn: ConnectionId; readonly why: string; readonly hostile: boolean }
  | { readonly kind: 'frame'; readonly conn: ConnectionId; readonly frame: ControlFrame }
  /** The header of a chunk has come. */
  | { readonly kind: 'incoming'; readonly conn: ConnectionId; readonly chunk: number; readonly chosen: boolean }
  /** A chunk has come whole; `good`: it is what the index says it must be. */
  | { readonly kind: 'chunk'; readonly conn: ConnectionId; readonly chunk: number; readonly good: boolean }
  /** The image's chunks are known now: their lengths, and which of them are held already. */
  /** `free`: those held lie on a local medium and take nothing of the budget. */
  | {
      readonly kind: 'layout';
      readonly lengths: Lengths;
      readonly held: Iterable<number>;
      readonly free: boolean;
    }
  /**
   * A piece of the index came from a peer; `good`: nothing speaks against its being what the image's id says. `wanted`:
   * the pieces that are still missing, the next ones first; none when it is whole.
   */
  | {
      readonly kind: 'index';
      readonly conn: ConnectionId;
      readonly piece: number;
      readonly good: boolean;
      readonly wanted: readonly number[];
    }
  /** A peer has shown a signature that may be one of the index by a key we trust: the index is worth asking for. */
  | { readonly kind: 'papers' }
  /** A read needs these chunks; `ready` answers once all are held. */
  | { readonly kind: 'read'; readonly read: number; readonly chunks: ChunkRange }
  /** What a boot will read, as far as boots before it tell: chunks, first read first. */
  | { readonly kind: 'agenda'; readonly order: readonly number[] }
  /** A chunk is read for the first time, in whatever way it is answered. */
  | { readonly kind: 'first read'; readonly chunk: number }
  /** This machine boots from the field and knows no profile: others may. */
  | { readonly kind: 'seek profile' }
  /** This machine's boot is over: what it read, for others. */
  | { readonly kind: 'give profile'; readonly order: BootOrder }
  /** What other programs took of this machine's processors lately, 0 to 1. */
  | { readonly kind: 'processors'; readonly others: number }
  /** The read has been answered or given up. */
  | { readonly kind: 'unread'; readonly read: number }
  /** A chunk came from an origin, or could not be had there. */
  | { readonly kind: 'origin'; readonly chunk: number; readonly good: boolean }
  /** A chunk that was held turned out to be bad or unreadable, or its medium is gone. */
  | { readonly kind: 'unheld'; readonly chunks: readonly ChunkRange[] }
  /** What a directory has from an earlier life. */
  | { readonly kind: 'found'; readonly chunks: readonly number[] }
  /** A chunk that was to be kept could not be written: there is no room for more than there is. */
  | { readonly kind: 'unwritten'; readonly chunk: number }
  /** The disk that chunks are kept on does not keep up with what comes; or it does again. */
  | { readonly kind: 'behind'; readonly isBehind: boolean }
  /** From now on no more than this is sent and fetched. */
  | { readonly kind: 'limits'; readonly limits: Limits }
  /** Whom a person refuses has changed. */
  | { readonly kind: 'refusals' }
  /** Fetch all of the image, beside reads too. */
  | { readonly kind: 'preheat' }
  /** Somebody on this machine knows of another node of this field. */
  | { readonly kind: 'peer'; readonly address: Address }
  /** Go, in good order. */
  | { readonly kind: 'leave' };

/** What the machine wants done, in this order. */
export type Action =
  | { readonly kind: 'send'; readonly to: Address; readonly datagram: Datagram }
  | { readonly kind: 'multicast'; readonly datagram: Datagram }
  | { readonly kind: 'dial'; readonly conn: ConnectionId; readonly address: Address }
  | { readonly kind: 'close'; readonly conn: ConnectionId; readonly why: string }
  | { readonly kind: 'frame'; readonly conn: ConnectionId; readonly frame: ControlFrame }
  /** Send a chunk that is held. It must not be dropped before it is on its way. */
  | { readonly kind: 'give'; readonly conn: ConnectionId; readonly chunk: number; readonly chosen: boolean }
  | { readonly kind: 'give index'; readonly conn: ConnectionId; readonly piece: number }
  /** Show what we have that is signed. */
  | { readonly kind: 'give papers'; readonly conn: ConnectionId }
  | { readonly kind: 'take papers'; readonly papers: Papers }
  /** What boots of others read, as one of them says. */
  | { readonly kind: 'take profile'; readonly order: BootOrder }
  /**
   * Keep what just came, or is here. `isLasting`: there is room for it; else it is here for the reads that need it, and goes
   * before long, or is told of again when it is to last.
   */
  | { readonly kind: 'keep'; readonly chunk: number; readonly isLasting: boolean }
  | { readonly kind: 'drop'; readonly chunk: number }
  | { readonly kind: 'ready'; readonly read: number }
  | { readonly kind: 'ask origin'; readonly chunk: number; readonly urgent: boolean }
  | { readonly kind: 'log'; readonly text: string }
  /** Nothing is left to do: the node may end. */
  | { readonly kind: 'gone' };

/** How long the chunks of an image are. `ChunkIndex` is one. */
export interface Lengths {
  readonly count: number;
  /** Size of the image in bytes. */
  readonly size: number;
  length(chunk: number): number;
  /** Other chunks that are the same bytes: who gets one has them all. */
  othersLike?(chunk: number): Iterable<number>;
  /** The first of the chunks that are the same bytes as this one. */
  firstLike?(chunk: number): number;
  /** All chunks that have others like them. */
  alike?(): Iterable<number>;
}
