import type { ConnectionId } from '../event.ts';
import type { ChunkHolder } from '../store/chunk-holder.ts';
import type { IndexDesk } from '../store/index-desk.ts';
import { encodeIndexHeader } from '../wire/frame.ts';
import type { Connection } from './connection.ts';
import type { Switchboard } from './switchboard.ts';
import type { TrafficCounter } from './traffic.ts';

/** Bytes of the index, or whatever else, that one who asks for more of it has not read. */
const INDEX_UNREAD = 2 << 20;

export interface SenderLinks {
  readonly switchboard: Switchboard;
  readonly traffic: TrafficCounter;
  readonly holder: () => ChunkHolder | undefined;
  readonly indexDesk: IndexDesk;
  /** A chunk that is held could not be read. */
  readonly unread: (chunk: number, error: unknown) => void;
}

/** Loads what is given away, and sends it. */
export class Sender {
  readonly #links: SenderLinks;

  constructor(links: SenderLinks) {
    this.#links = links;
  }

  give(conn: ConnectionId, chunk: number, chosen: boolean): void {
    const { switchboard, holder, unread } = this.#links;
    const connection = switchboard.get(conn);
    const loaded = holder()?.load(chunk);
    if (connection === undefined || loaded === undefined) return;
    if (loaded instanceof Promise) {
      loaded.then(
        (bytes) => this.#send(connection, chunk, chosen, bytes),
        (error: unknown) => {
          unread(chunk, error);
          connection.close('a chunk could not be read');
        },
      );
    } else this.#send(connection, chunk, chosen, loaded);
  }

  async giveIndex(conn: ConnectionId, wanted: number): Promise<void> {
    const connection = this.#links.switchboard.get(conn);
    if (connection === undefined) return;
    // Who does not read what it asked for gets no more: it will ask again.
    const mayTake = (): boolean => connection.unsent <= INDEX_UNREAD;
    await this.#links.indexDesk.give(wanted, mayTake, (piece) => {
      connection.write(encodeIndexHeader(piece, piece.bytes.length));
      connection.write(piece.bytes);
    });
  }

  #send(connection: Connection, chunk: number, chosen: boolean, bytes: Uint8Array): void {
    const { switchboard, traffic } = this.#links;
    connection.give(chunk, chosen, bytes);
    traffic.toPeer(switchboard.nodeAt(connection.id), bytes.length);
  }
}
